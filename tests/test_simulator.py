"""The simulator computes what a kernel says, counts what memory does, and finds each planted mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kernels import module, needs_compiler, text
from numpy.typing import NDArray

from tilevm.access import access, wavefronts
from tilevm.errors import ExecutionError, Source, TilevmError, UsageError
from tilevm.layout_constructors import local, row_major, spatial
from tilevm.runtime import simulator
from tilevm.runtime.simulator import Simulation, compile_host, find_compiler

pytestmark = needs_compiler

PROGRAM = Source("reverse.tvm", "".join(f"  line {number}\n" for number in range(1, 40)))


def reverse(fault: int) -> tuple[NDArray[np.float32], Simulation]:
    x = np.arange(64, dtype=np.float32)
    x.flags.writeable = False
    y = np.zeros(64, np.float32)
    return y, module("faults").launch("reverse", 1, [x, y, fault], source=PROGRAM)


def pipeline(fault: int) -> tuple[bool, Simulation]:
    x = np.arange(64 * 7, dtype=np.float32)
    y = np.zeros(64, np.float32)
    result = module("faults").launch("pipeline", 1, [x, y, 7, fault], source=PROGRAM)
    return bool((y == x.reshape(7, 64).sum(axis=0)[::-1]).all()), result


def test_a_right_kernel_has_no_findings() -> None:
    y, result = reverse(0)
    assert y.tolist() == list(range(63, -1, -1))
    assert result.findings == ()
    result.check()
    right, result = pipeline(0)
    assert right
    assert result.findings == ()


@pytest.mark.parametrize(
    ("fault", "code", "line", "related"),
    [
        (1, "R043", 4, 2),
        (2, "R043", 6, 4),
        (3, "R040", 1, None),
        (4, "R042", 4, None),
        (5, "R041", 2, None),
        (6, "R045", 4, None),
        (8, "R046", 7, None),
        (9, "R014", 8, None),
        (10, "R048", 8, None),
    ],
)
def test_each_planted_mistake_is_found_on_its_lines(fault: int, code: str, line: int, related: int | None) -> None:
    _, result = reverse(fault)
    found = [
        (each.code, each.span.line if each.span else None, each.related[0].span.line if each.related else None)
        for each in result.findings
    ]
    assert (code, line, related) in found
    with pytest.raises(ExecutionError) as caught:
        result.check()
    assert code in {each.code for each in caught.value.diagnostics}


@pytest.mark.parametrize(("fault", "code", "related"), [(1, "R044", 1), (2, "R044", 1), (3, "R043", 5)])
def test_a_missing_wait_and_a_missing_barrier_of_a_pipeline_are_found(fault: int, code: str, related: int) -> None:
    right, result = pipeline(fault)
    assert not right
    found = {
        (each.code, each.span.line, each.related[0].span.line) for each in result.findings if each.related and each.span
    }
    assert (code, 4, related) in found


def test_a_barrier_of_the_warp_orders_only_the_warp() -> None:
    assert reverse(7)[1].findings == ()


def test_a_finding_shows_the_line_of_the_text() -> None:
    rendered = reverse(3)[1].findings[0].render()
    assert "reverse.tvm:1:3" in rendered
    assert "thread 63 of block (0, 0, 0) reads 4 bytes at byte 256 of a buffer" in rendered


def test_blocks_wait_for_blocks_that_come_later() -> None:
    flags, order = np.zeros(41, np.uint32), np.zeros(40, np.uint32)
    result = module("intrinsics").launch("chain", 40, [flags, order, 0])
    assert result.findings == ()
    assert order.tolist() == list(range(39, -1, -1))


def test_waiting_for_what_nobody_writes_is_a_deadlock() -> None:
    flags, order = np.zeros(5, np.uint32), np.zeros(4, np.uint32)
    result = module("intrinsics").launch("chain", 4, [flags, order, 1], source=PROGRAM)
    assert [each.code for each in result.findings] == ["R047"]
    assert result.findings[0].span is not None
    assert result.findings[0].span.line == 2


@pytest.mark.parametrize("bytes", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("factor", [1, 2, 3, 8, 16])
def test_bank_conflicts_are_those_of_the_layouts(bytes: int, factor: int) -> None:
    stride = bytes * factor
    x = np.arange(128, dtype=np.uint32)
    result = module("intrinsics").launch("strided", 1, [x, np.zeros_like(x), stride, bytes])
    tile = access(spatial(32, 1) * local(1, bytes), row_major(32, stride, width=8).slice(1, 0, bytes))
    expected = wavefronts(tile)
    for line in (3, 4):
        counts = result.lines[line]
        assert (counts.wavefronts, counts.ideal_wavefronts) == tuple(expected)
        assert counts.shared_requests == 1


def packed(w: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes in the order that the kernel says."""
    k, n = w.shape
    slab, block, warp, lane, f, j, h = np.ix_(*(range(size) for size in (k // 64, n // 64, 4, 32, 4, 4, 2)))
    row = slab * 64 + 16 * f + 8 * (j % 2) + 2 * (lane % 4) + h
    codes = w[row, block * 64 + 16 * warp + 8 * (j // 2) + lane // 4].reshape(-1)
    pairs: NDArray[np.uint8] = codes[0::2] | codes[1::2] << 4
    return pairs


def test_a_matmul_of_4_bit_weights_is_right_and_has_no_conflicts() -> None:
    k, n = 192, 128
    random = np.random.default_rng(0)
    x = random.integers(-4, 5, (16, k)).astype(np.float16)
    w = random.integers(0, 16, (k, n)).astype(np.uint8)
    y = np.zeros((16, n), np.float16)
    result = module("matmul_u4").launch("matmul_u4", n // 64, [x, packed(w), y, k, n])
    assert result.findings == ()
    assert (y == (x.astype(np.int64) @ w.astype(np.int64)).astype(np.float16)).all()
    for line, counts in result.lines.items():
        assert counts.wavefronts == counts.ideal_wavefronts
        # Four lanes store 16 bytes in a row, half a sector.
        assert counts.moved_bytes == counts.useful_bytes * (2 if line == 30 else 1)
    assert result.lines[12].useful_bytes == k * n // 2


def test_arguments_and_names_that_do_not_fit_are_refused() -> None:
    x = np.zeros(64, np.float32)
    for arguments in ([x, x], [x, x, 0.5], [x[::2], x, 0]):
        with pytest.raises(UsageError) as caught:
            module("faults").launch("reverse", 1, arguments)
        assert caught.value.code == "F033"
    with pytest.raises(UsageError) as caught:
        module("faults").launch("reverse", (1, 1, 1, 1), [x, x, 0])
    assert caught.value.code == "F033"
    with pytest.raises(UsageError) as caught:
        module("faults").launch("turn", 1, [x, x, 0])
    assert caught.value.code == "F032"


def test_a_source_that_does_not_compile_is_refused_with_the_reason() -> None:
    with pytest.raises(TilevmError) as caught:
        compile_host("TV_KERNEL(f, 32, int n) { tv::no_such_intrinsic(n); }")
    assert caught.value.code == "F031"
    assert "no_such_intrinsic" in str(caught.value)
    assert "kernel.cu:1" in str(caught.value)


def test_what_was_compiled_is_kept_in_the_process_by_source_and_options() -> None:
    source = "TV_KERNEL(one, 32, tv::u32* y) { tv::store_global_u32(y + tv::thread_index(), ANSWER); }"
    found = []
    for answer in (1, 2):
        made = compile_host(source, options=(f"-DANSWER={answer}",))
        assert compile_host(source, options=(f"-DANSWER={answer}",)) is made
        y = np.zeros(32, np.uint32)
        made.launch("one", 1, [y]).check()
        found.append(int(y[31]))
    assert found == [1, 2]
    y = np.zeros(32, np.uint32)
    compile_host(f"#define ANSWER 3\n{source}", optimise=0).launch("one", 1, [y]).check()
    assert (y == 3).all()


@pytest.mark.parametrize(
    ("named", "advice"), [("", "ziglang"), ("no-such-compiler -x", "no-such-compiler, which $CXX")]
)
def test_no_compiler_says_what_to_install(
    named: str, advice: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not named:
        monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", named)
    monkeypatch.setattr(simulator.importlib.util, "find_spec", lambda name: None)
    find_compiler.cache_clear()
    with pytest.raises(UsageError) as caught:
        find_compiler()
    assert caught.value.code == "F030"
    assert advice in str(caught.value)
    find_compiler.cache_clear()


def test_without_assembly_fibers_switch_by_ucontext() -> None:
    compiled = compile_host(text("faults"), options=("-DTV_UCONTEXT", "-O1"))
    x, y = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    assert compiled.launch("reverse", 1, [x, y, 0]).findings == ()
    assert (y == x[::-1]).all()
