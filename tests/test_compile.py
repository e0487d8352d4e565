"""Kernels compile for any architecture without a GPU, and say what they became and what they take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from kernels import text

import tilevm
from tilevm import ArgumentError, TilevmError, UsageError
from tilevm.arch import ARCHITECTURES
from tilevm.codegen import Emitted
from tilevm.errors import Span
from tilevm.passes import Lowered, Remark
from tilevm.runtime import compiled as compiled_module
from tilevm.runtime.cli import cli
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.cubin import find_disassembler, read_cubin
from tilevm.runtime.nvrtc import Compiled, Resources, nvrtc_version

SCALE = """
kernel scale[T: dtype = f32, B = 32](x: T[M, N], factor: f32, out y: T[M, N]):
    grid cdiv(N, B), M
    warps 1
    require N >= 2
    i = block_index(0) * B
    m = block_index(1)
    store(y[m, i :+ B], cast(cast(load(x[m, i :+ B]), f32) * factor, T))
"""


def _lacks_nvrtc() -> bool:
    try:
        nvrtc_version()
    except UsageError:
        return True
    return False


needs_nvrtc = pytest.mark.skipif(_lacks_nvrtc(), reason="compiling CUDA needs CuPy and NVRTC")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILEVM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is emitted as the hand-written one of its name."""

    def emit(lowered: Lowered) -> Emitted:
        program = lowered.program
        return Emitted("scale", text("launched"), (*program.parameters, *program.sizes), 2048, program.threads)

    monkeypatch.setattr(compiled_module, "emit", emit)


def refused(code: str, call: Callable[[], Any], kind: type[TilevmError] = ArgumentError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code
    return str(caught.value)


# What is compiled


def test_compiling_binds_parameters_and_sizes_and_needs_no_gpu() -> None:
    kernel = tilevm.kernel(SCALE)
    compiled = kernel.compile("sm_90a", T="f16", N=256)
    assert compiled.arch.name == "sm_90a"
    assert [size.name for size in compiled.program.sizes] == ["M"]
    assert "x: f16[M, 256]" in compiled.ir
    assert compiled.name == "scale"
    assert repr(compiled) == "<compiled kernel scale for sm_90a>"
    assert kernel.compile().arch.name == "sm_80"


def test_the_same_specialisation_is_the_same_object() -> None:
    kernel = tilevm.kernel(SCALE)
    one = kernel.compile("sm_80", N=256, divisible={"M": 8})
    assert kernel.compile("sm_80", N=256, divisible={"M": 8}) is one
    others = [kernel.compile(*each[:1], **each[1]) for each in (("sm_86", {"N": 256}), ("sm_80", {"N": 256}))]
    assert len({id(one), *map(id, others)}) == 3


def test_what_is_known_to_divide_is_stated_to_the_passes() -> None:
    compiled = tilevm.kernel(SCALE).compile(divisible={"N": 128, "M": 1})
    assert "require N % 128 == 0" in compiled.ir
    assert repr(compiled).endswith("for sm_80, N % 128 == 0>")
    assert "require N % 128" not in tilevm.kernel(SCALE).compile().ir


PRODUCT = """
kernel product(x: bf16[16, 16], w: bf16[16, 8], out y: f32[16, 8]):
    grid 1
    warps 1
    store(y[:, :], dot(load(x[:, :]), load(w[:, :]), zeros(f32, [16, 8])))
"""


def test_what_an_architecture_lacks_is_said_by_compile_and_not_later() -> None:
    message = refused("F022", lambda: tilevm.kernel(PRODUCT).compile("sm_75"), UsageError)
    assert ":5:" in message
    assert tilevm.kernel(PRODUCT).compile("sm_80").arch.name == "sm_80"


def test_names_and_values_that_do_not_fit_are_refused() -> None:
    kernel = tilevm.kernel(SCALE)
    assert "`K`" in refused("A001", lambda: kernel.compile(K=3))
    refused("A001", lambda: kernel.compile(divisible={"K": 3}))
    refused("A013", lambda: kernel.compile(N="many"))
    refused("A013", lambda: kernel.compile(divisible={"N": 0}))
    refused("A020", lambda: kernel.compile(N=-1))
    refused("A018", lambda: kernel.compile(N=1))
    refused("A033", lambda: kernel.compile(B=True))
    assert "sm_90a" in refused("F020", lambda: kernel.compile("sm_90"), UsageError)


@needs_nvrtc
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_machine_code_and_what_it_takes(name: str, by_hand: None) -> None:
    compiled = tilevm.kernel(SCALE).compile(name)
    assert f"sm_{name.removeprefix('sm_').rstrip('a')}" == read_cubin(compiled.cubin).architecture
    assert f".target {name}" in compiled.ptx
    taken = compiled.resources
    assert (taken.threads, taken.dynamic_shared_bytes, taken.spill_store_bytes) == (32, 2048, 0)
    assert 4 <= taken.registers <= 40
    assert 0 < taken.occupancy.blocks <= compiled.arch.maximum_blocks_per_multiprocessor
    assert compiled.remarks == compiled.lowered.remarks


@needs_nvrtc
def test_machine_code_comes_from_the_cache_of_another_process(by_hand: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tilevm.kernel(SCALE).compile().cubin
    monkeypatch.setattr("tilevm.runtime.nvrtc._compile", lambda *_: pytest.fail("it was compiled again"))
    assert tilevm.kernel(SCALE).compile().cubin == first


@needs_nvrtc
@pytest.mark.skipif(find_disassembler() is None, reason="there is no nvdisasm")
def test_machine_code_is_shown_as_text(by_hand: None) -> None:
    assert "LDG" in tilevm.kernel(SCALE).compile("sm_90a").sass


@needs_nvrtc
def test_cuda_that_does_not_compile_points_into_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    source = 'TV_KERNEL(scale, 32) {\n#line 6 "<text>"\n    undefined_name();\n}\n'
    monkeypatch.setattr(compiled_module, "emit", lambda lowered: Emitted("scale", source, (), 0, 32))
    message = refused("F026", lambda: tilevm.kernel(SCALE).compile().cubin, TilevmError)
    assert "undefined_name" in message
    assert "i = block_index(0) * B" in message


def test_spilled_registers_are_a_remark_once_they_are_known(by_hand: None, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Resources(255, 64, 96, 64, 0, 0, 0)
    monkeypatch.setattr(
        compiled_module, "compile_cuda", lambda *_, **__: Compiled("sm_80", b"", "", "", {"scale": taken})
    )
    compiled = tilevm.kernel(SCALE).compile()
    before = compiled.remarks
    assert compiled.resources.registers == 255
    (remark,) = set(compiled.remarks) - set(before)
    assert "255 registers, spills 64 bytes and loads 96 back" in remark.text


def test_without_nvrtc_the_text_can_be_had_and_the_error_says_what_to_install(
    by_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cupy", "cupy.cuda"):
        monkeypatch.setitem(sys.modules, name, None)
    compiled = tilevm.kernel(SCALE).compile()
    assert "TV_KERNEL" in compiled.cuda
    for part in ("ptx", "cubin", "resources", "sass"):
        assert "tilevm[cuda13]" in refused("F024", lambda part=part: getattr(compiled, part), UsageError)


# The command


def command(*arguments: str, code: int = 0) -> str:
    Path("scale.tvm").write_text(SCALE + SCALE.replace("scale", "other"), encoding="utf-8")
    result = CliRunner().invoke(cli, ["compile", "scale.tvm", *arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def test_the_command_shows_the_program_and_its_remarks(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = command("scale", "T=f16", "M=4", "N % 64", "--show", "ir", "--target", "sm_90a")
    assert "x: f16[4, N]" in shown
    assert "require N % 64 == 0" in shown
    remark = Remark("a thought", Span(tilevm.kernel(SCALE).definition.span.source, 0, 1))
    monkeypatch.setattr(CompiledKernel, "remarks", property(lambda self: (remark,)))
    assert "line 1: a thought" in command("scale", "--show", "remarks")


def test_the_command_writes_what_it_shows_to_a_file(by_hand: None) -> None:
    shown = command("scale", "--show", "cuda")
    assert command("scale", "--show", "cuda", "--output", "k.cu") == ""
    assert Path("k.cu").read_text(encoding="utf-8") == shown


@needs_nvrtc
def test_the_command_shows_resources_and_writes_machine_code(by_hand: None) -> None:
    shown = command("scale", "--target", "sm_86")
    assert "registers a thread" in shown
    assert "2048 of 101376 bytes" in shown
    command("scale", "--output", "k.cubin")
    assert "scale" in read_cubin(Path("k.cubin").read_bytes()).kernels


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "F005"),
        (("nothing",), "F006"),
        (("scale", "other"), "F009"),
        (("scale", "N%"), "F009"),
        (("scale", "B=x"), "F009"),
        (("scale", "N=x"), "A013"),
        (("scale", "Z=3"), "A001"),
        (("scale", "T=f99"), "A010"),
        (("scale", "--target", "sm_1"), "F020"),
    ],
)
def test_the_command_refuses_words_that_it_cannot_read(words: tuple[str, ...], code: str) -> None:
    assert f"error[{code}]" in command(*words, code=1)


def test_the_interpreter_runs_the_same_kernel() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert tilevm.kernel(SCALE)(x, 2.0).tolist() == (2 * x).tolist()
