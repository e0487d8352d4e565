"""The cost model: laws that hold of every launch, what it says of known ones, and the command that shows it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from test_machine_code import has_nvrtc

import tilevm
from tilevm import ArgumentError, UsageError
from tilevm.devices import DEVICES, device
from tilevm.runtime.cli import cli
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.cost import Cost, predict, work_of_program
from tilevm.runtime.cubin import find_disassembler

EXAMPLES = Path(__file__).parent.parent / "examples"


needs_machine_code = pytest.mark.skipif(
    not has_nvrtc() or find_disassembler() is None, reason="NVRTC or nvdisasm is not there"
)


def compiled(name: str, arch: str, sizes: dict[str, int], **bindings: Any) -> CompiledKernel:
    module, _, kernel = name.partition(".")
    found = tilevm.load(EXAMPLES / f"{module}.tvm")[kernel or module]
    divisible = {name: min(value & -value, 128) for name, value in sizes.items() if value}
    return found.compile(arch, divisible=divisible, **bindings)


def cost(name: str, sizes: dict[str, int], on: str = "h200", **bindings: Any) -> Cost:
    return compiled(name, device(on).arch.name, sizes, **bindings).cost(sizes, on, machine_code=False)


def bound(found: Cost, name: str) -> float:
    return next(each.microseconds for each in found.bounds if each.name == name)


# Laws

LAUNCHES = {
    "vector_add": ({"N": 1 << 24}, {}),
    "softmax": ({"M": 4096, "N": 4096}, {}),
    "normalize.rms_norm": ({"M": 8192, "N": 4096}, {"A": "f16"}),
    "matmul.matmul": ({"M": 256, "N": 4096, "K": 4096}, {"W": "u3"}),
    "matmul.matmul_plain": ({"M": 4096, "N": 4096, "K": 4096}, {"W": "f16", "BM": 64}),
    "matmul_explicit": ({"M": 1, "N": 8192, "K": 8192}, {"W": "u4"}),
    "attention.attend": ({"H": 32, "HK": 8, "T": 8192}, {}),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_nothing_is_faster_than_its_floor(name: str) -> None:
    sizes, bindings = LAUNCHES[name]
    for row in [device("h200")] if name != "matmul.matmul" else DEVICES.values():
        found = cost(name, sizes, row.name, **bindings)
        assert 0 < found.floor.microseconds < found.predicted_microseconds
        assert found.floor.memory_microseconds <= bound(found, "DRAM") * (1 + 1e-9)
        assert found.levels.unique <= found.levels.dram * (1 + 1e-9)
        assert found.bounds[0].microseconds == max(each.microseconds for each in found.bounds)
        assert found.share_of_floor == pytest.approx(found.floor.microseconds / found.predicted_microseconds)
        assert found.occupancy.blocks >= 1


def test_twice_the_bytes_take_twice_the_bandwidth() -> None:
    once, twice = (cost("vector_add", {"N": count << 24}) for count in (1, 2))
    assert bound(twice, "DRAM") == pytest.approx(2 * bound(once, "DRAM"))
    assert bound(twice, "L2") == pytest.approx(2 * bound(once, "L2"))
    assert twice.levels.unique == 2 * once.levels.unique == 2 * 12 << 24
    assert once.floor.microseconds == pytest.approx((12 << 24) / 4300e3)


@pytest.mark.parametrize("size", ["K", "N", "M"])
def test_more_work_never_takes_less_time(size: str) -> None:
    small = {"M": 64, "N": 2048, "K": 2048}
    found = [cost("matmul_explicit", small | {size: 2048 * times}, W="u4") for times in (1, 2, 4)]
    for first, second in pairwise(found):
        assert first.predicted_microseconds <= second.predicted_microseconds * (1 + 1e-9)
        assert bound(first, "DRAM") < bound(second, "DRAM")
        for each in first.bounds:
            assert each.microseconds <= bound(second, each.name) * (1 + 1e-9), each.name
    assert size != "K" or found[0].predicted_microseconds < found[1].predicted_microseconds


def test_few_blocks_are_bound_by_what_one_multiprocessor_takes() -> None:
    few, many = (cost("matmul_explicit", {"M": 16, "N": n, "K": 8192}, W="u4") for n in (64, 64 * 132))
    assert bound(few, "fill") == pytest.approx(bound(many, "fill"))
    assert bound(few, "fill") == pytest.approx(few.levels.l2 / 64 / 1.83e3)
    assert bound(few, "L2") < bound(few, "fill") / 50


def test_one_block_more_than_fits_is_another_round() -> None:
    h200 = device("h200")
    full = cost("vector_add", {"N": 1024 * 132 * 16})
    assert (full.occupancy.blocks, full.waves) == (16, 1.0)
    over = cost("vector_add", {"N": 1024 * (132 * 16 + 1)})
    assert bound(over, "latency") == 2 * bound(full, "latency") == 2 * h200.latency_us


def test_copies_in_flight_bound_a_thin_launch() -> None:
    found = {
        stages: cost("matmul_explicit", {"M": 16, "N": 8192, "K": 8192}, W="u4", STAGES=stages) for stages in (2, 8)
    }
    assert all(each.bound == "latency" for each in found.values())
    assert bound(found[2], "latency") > 5 * bound(found[8], "latency")
    assert found[8].in_flight_bytes == 7 * 4096 + 128
    # 128 blocks, one a multiprocessor: each has to bring its 540 KB in turns of what is under way.
    assert bound(found[2], "latency") == pytest.approx(540_000 / found[2].in_flight_bytes * 0.75, rel=0.02)


def test_weights_that_fill_the_cache_are_read_anew_by_each_wave() -> None:
    small = cost("matmul_explicit", {"M": 16, "N": 57344, "K": 8192}, W="u4")
    assert small.levels.dram == pytest.approx(small.levels.unique)
    large = cost("matmul_explicit", {"M": 4096, "N": 57344, "K": 8192}, W="u4")
    assert large.levels.dram > 1.5 * large.levels.unique
    assert large.levels.dram < large.levels.l2


def test_tensor_cores_bound_large_products() -> None:
    sizes = {"M": 4096, "N": 4096, "K": 4096}
    found = cost("matmul.matmul_plain", sizes, "a100", W="f16", BM=128, BN=128)
    assert bound(found, "tensor cores") >= 2 * 4096**3 / 312e6
    assert found.floor.bound == "tensor cores"
    assert found.floor.microseconds == pytest.approx(2 * 4096**3 / 312e6)
    # On Hopper a warp's instructions reach a part of the tensor cores.
    on_hopper = cost("matmul.matmul_plain", sizes, "h100", W="f16", BM=128, BN=128)
    assert bound(on_hopper, "tensor cores") > 1.5 * on_hopper.floor.compute_microseconds


def test_candidates_are_ranked_before_they_are_lowered() -> None:
    sizes = {"M": 16, "N": 8192, "K": 8192}
    kernel = tilevm.load(EXAMPLES / "matmul_explicit.tvm").matmul_explicit

    def time(stages: int) -> float:
        work = work_of_program(kernel.specialise(W="u4", STAGES=stages), sizes)
        return predict(work, device("h200")).predicted_microseconds

    times = [time(stages) for stages in (2, 3, 5, 8)]
    assert times == sorted(times, reverse=True)
    assert times[0] > 3 * times[3]


# Machine code


@needs_machine_code
@pytest.mark.parametrize(
    ("arch", "on"), [("sm_80", "a100"), ("sm_90a", "h200"), pytest.param("sm_100a", "b200", marks=pytest.mark.fuzz)]
)
def test_the_main_loop_is_read_from_the_machine_code(arch: str, on: str) -> None:
    sizes = {"M": 16, "N": 8192, "K": 8192}
    found = compiled("matmul_explicit", arch, sizes, W="u4").cost(sizes, on)
    loop = found.main_loop
    assert loop is not None
    assert (loop.line, loop.iterations, loop.by_pipe["tensor"], loop.spills) == (28, 128, 8, 0)
    assert loop.loads["LDGSTS.128"] == 2
    assert loop.loads["LDS.128"] == 1
    assert loop.weights == "w"
    # 64 x 64 weights for 128 threads.
    assert loop.instructions_per_weight == loop.instructions / 32
    assert 3 < loop.instructions_per_weight < 6
    assert sum(loop.by_pipe.values()) == loop.instructions == sum(loop.opcodes.values())
    assert loop.cycles["issue"] == loop.instructions
    assert found.machine_code is not None
    assert sum(found.machine_code.instructions.values()) > 128 * loop.instructions
    assert found.registers is not None
    assert found.spilled_bytes == 0
    assert bound(found, "issue") > 0


@needs_machine_code
def test_an_unrolled_loop_has_fewer_iterations() -> None:
    text = """
    kernel scale(x: f32[M, N], out y: f32[M, N]):
        grid M
        warps 1
        m = block_index(0)
        for n in range(0, N, 32, unroll=4):
            store(y[m, n :+ 32], load(x[m, n :+ 32]) * 2.0)
    """
    sizes = {"M": 132, "N": 4096}
    found = tilevm.kernel(text).compile("sm_90a", divisible={"N": 128}).cost(sizes, weights="x")
    loop = found.main_loop
    assert loop is not None
    assert (loop.iterations, loop.loads) == (32, {"LDG.32": 4})
    assert loop.instructions_per_weight == loop.instructions / 4


@needs_machine_code
def test_shuffles_are_reckoned() -> None:
    text = """
    kernel total(x: f32[N], out y: f32[M]):
        grid N // 1024
        warps 1
        store(y[block_index(0)], sum(load(x[block_index(0) * 1024 :+ 1024])))
    """
    kernel, sizes = tilevm.kernel(text).compile("sm_80", divisible={"N": 1024}), {"N": 1 << 20, "M": 1024}
    found, rough = kernel.cost(sizes), kernel.cost(sizes, machine_code=False)
    assert found.machine_code is not None
    # Five shuffles of each warp, 8 loads of 16 bytes and a store.
    assert rough.work.instructions["lsu"] == 5 * 1024
    assert found.machine_code.instructions["lsu"] == pytest.approx(5 + 8 + 1, abs=3)


@needs_machine_code
def test_what_a_branch_skips_counts_as_often_as_it_runs() -> None:
    text = """
    kernel steps(x: f32[M, N], out y: f32[M, N]):
        grid M
        warps 1
        m = block_index(0)
        for n in range(0, N // 32):
            tile = load(x[m, n * 32 :+ 32])
            if n % 4 == 0:
                tile = sin(cos(sin(tile)))
            store(y[m, n * 32 :+ 32], tile)
    """
    sizes = {"M": 132, "N": 4096}
    kernel = tilevm.kernel(text).compile("sm_90a", divisible={"N": 128})
    found = kernel.cost(sizes, machine_code=True)
    longest = max(kernel.machine_code.every_loop(), key=lambda each: each.count)
    assert found.main_loop is not None
    # The functions take most of the loop, and run in a quarter of its iterations.
    assert 0.2 * longest.count < found.main_loop.instructions < 0.5 * longest.count


@needs_machine_code
def test_reckoned_instructions_are_of_the_order_of_those_of_the_machine_code() -> None:
    for name in ("matmul_explicit", "matmul.matmul"):
        sizes, bindings = LAUNCHES[name]
        kernel = compiled(name, "sm_90a", sizes, **bindings)
        rough, read = kernel.cost(sizes, machine_code=False), kernel.cost(sizes)
        assert rough.machine_code is None
        assert rough.notes == ("machine code was not asked for: instructions are reckoned",)
        assert 0.3 < bound(rough, "issue") / bound(read, "issue") < 1.5, name


def test_without_a_compiler_the_program_alone_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = compiled("vector_add", "sm_90a", {"N": 4096})

    def missing(*_: Any, **__: Any) -> Any:
        raise UsageError("F024", "compiling CUDA needs CuPy and NVRTC: there is none")

    monkeypatch.setattr("tilevm.runtime.compiled.compile_cuda", missing)
    found = kernel.cost({"N": 4096})
    assert found.machine_code is None
    assert found.notes == ("without machine code: compiling CUDA needs CuPy and NVRTC: there is none",)
    with pytest.raises(UsageError, match="there is none"):
        kernel.cost({"N": 4096}, machine_code=True)


# What is refused


@pytest.mark.parametrize(
    ("sizes", "code", "says"),
    [
        ({"M": 16, "N": 8192}, "A008", "nothing says what the size K is"),
        ({"M": 16, "N": 8192, "K": 8192, "k": 1}, "A001", "no size `k`"),
        ({"M": 16, "N": 8192, "K": 8192.0}, "A013", "the size K is an integer, not 8192.0"),
        ({"M": -1, "N": 8192, "K": 8192}, "A020", "the size M is -1"),
        ({"M": 16, "N": 8192, "K": 100}, "A018", "requires"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, Any], code: str, says: str) -> None:
    kernel = compiled("matmul_explicit", "sm_80", {}, W="u4")
    with pytest.raises(ArgumentError, match=says) as caught:
        kernel.cost(sizes, machine_code=False)
    assert caught.value.code == code


def test_sizes_of_what_is_not_touched_need_not_be_given() -> None:
    text = """
    kernel optional[BIAS = False](x: f32[N], bias: f32[B], out y: f32[N]):
        grid cdiv(N, 128)
        warps 4
        i = block_index(0) * 128
        tile = load(x[i :+ 128])
        if BIAS:
            tile = tile + load(bias[i :+ 128])
        store(y[i :+ 128], tile)
    """
    kernel = tilevm.kernel(text)
    found = kernel.compile("sm_80").cost({"N": 4096}, machine_code=False)
    assert found.levels.unique == 2 * 4 * 4096
    assert found.work.sizes == {"N": 4096, "B": 0}
    with pytest.raises(ArgumentError, match="nothing says what the size B is"):
        kernel.compile("sm_80", BIAS=True).cost({"N": 4096}, machine_code=False)


def test_a_device_that_does_not_run_the_code_is_refused() -> None:
    kernel = compiled("vector_add", "sm_80", {})
    with pytest.raises(UsageError, match="machine code for sm_80 does not run on NVIDIA H200") as caught:
        kernel.cost({"N": 1}, "h200")
    assert caught.value.code == "F029"
    assert "compile for sm_90a" in str(caught.value)
    # Code for sm_80 runs on every 8.x.
    assert kernel.cost({"N": 1}, "l40s", machine_code=False).device.name == "l40s"


def test_what_blocks_tell_each_other_is_no_part_of_the_floor() -> None:
    text = """
    kernel halves(x: f32[N], inout parts: f32[N], out y: f32[N]):
        grid cdiv(N, 128)
        warps 4
        i = block_index(0) * 128
        store(parts[i :+ 128], load(x[i :+ 128]) * 0.5)
        store(y[i :+ 128], load(parts[i :+ 128]))
    """
    kernel = tilevm.kernel(text).compile("sm_80")
    whole = kernel.cost({"N": 4096}, machine_code=False)
    less = kernel.cost({"N": 4096}, machine_code=False, scratch=["parts"])
    assert whole.floor.bytes == 4 * 4 * 4096
    assert less.floor.bytes == 2 * 4 * 4096
    assert less.levels == whole.levels
    with pytest.raises(ArgumentError, match="no tensor `part`") as caught:
        kernel.cost({"N": 4096}, machine_code=False, scratch=["part"])
    assert "did you mean `parts`?" in str(caught.value)


def test_weights_are_named_by_their_tensor() -> None:
    kernel = compiled("matmul_explicit", "sm_80", {}, W="u4")
    with pytest.raises(ArgumentError, match="no tensor `weight`") as caught:
        kernel.cost({"M": 16, "N": 64, "K": 128}, weights="weight", machine_code=False)
    assert "it has x, w, scale, y" in str(caught.value)


def test_an_empty_launch_costs_a_launch() -> None:
    found = cost("vector_add", {"N": 0})
    assert found.predicted_microseconds == device("h200").launch_us
    assert found.floor.microseconds == 0


# The command


def inspect(*options: str) -> Result:
    file = str(EXAMPLES / "matmul_explicit.tvm")
    return CliRunner().invoke(cli, ["inspect", file, "--cost", "--set", "W=u4", *options])


def test_the_command_shows_a_page() -> None:
    result = inspect("--sizes", "M=16,N=8192", "--sizes", "K=8192")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "matmul_explicit on NVIDIA H200 SXM  M=16 N=8192 K=8192"
    assert lines[1].startswith("predicted ")
    assert "bound by latency; the floor is 8.2 µs (DRAM)" in lines[1]
    assert lines[2] == "a model from published figures: nothing was measured"
    starts = [line.split("  ")[0].strip() for line in lines]
    for name in ("latency", "DRAM", "L2", "shared memory", "tensor cores", "floor", "grid", "occupancy", "in flight"):
        assert name in starts, name
    assert any(line.split()[:5] == ["31", "load", "from", "xs", "16"] for line in lines)


def test_the_command_prints_json() -> None:
    result = inspect("--sizes", "M=16,N=8192,K=8192", "--device", "a100", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["device"], found["architecture"], found["measured"]) == ("a100", "sm_80", False)
    assert found["sizes"] == {"M": 16, "N": 8192, "K": 8192}
    assert found["floor"]["bytes"] == 8192 * 8192 // 2 + 64 * 8192 * 2 + 2 * 16 * (8192 + 8192)
    assert found["bounds"][0]["us"] == max(each["us"] for each in found["bounds"])
    assert found["bounds"][0]["margin"] == 1
    assert {each["memory"] for each in found["traffic"]} == {"x", "xs", "w", "ws", "scale", "y"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--sizes", "M=16,N=8192"), "A008"),
        (("--sizes", "M=16,N=8192,K=8x"), "F009"),
        (("--sizes", "M=16,N=8192,K=8192", "--device", "h20"), "F029"),
        (("--sizes", "M=16,N=8192,K=8192", "--device", "h200", "--arch", "sm_80"), "F029"),
    ],
)
def test_the_command_refuses_what_does_not_fit(options: tuple[str, ...], code: str) -> None:
    result = inspect(*options)
    assert result.exit_code != 0
    assert f"error[{code}]" in result.output + result.stderr
