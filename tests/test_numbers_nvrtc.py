"""Casts of emitted code compile for GPUs without local memory, and few instructions widen narrow weights."""

from __future__ import annotations

import re
from itertools import product

import pytest
from casts import BOOKS, Cast, source

from tilevm.arch import arch
from tilevm.codegen.library import device_library
from tilevm.dtypes import BF16, F16, F32, F64, ROUNDINGS, DType, dtype
from tilevm.errors import UsageError
from tilevm.runtime.cubin import disassemble, find_disassembler
from tilevm.runtime.nvrtc import compile_cuda, nvrtc_version
from tilevm.synthesis.cast import tile_parts

NARROW = [dtype(name) for name in "u4 i6 i8 f4e2m1 f6e3m2 f8e4m3 f8e5m2 f8e4m3fnuz e8m0 nf4".split()]


def _no_nvrtc() -> bool:
    try:
        nvrtc_version()
    except UsageError:
        return True
    return False


pytestmark = pytest.mark.skipif(_no_nvrtc(), reason="NVRTC is not there")


@pytest.mark.parametrize("target", ["sm_75", "sm_80", "sm_90a", "sm_120a"])
def test_no_cast_takes_local_memory(target: str) -> None:
    narrow: list[Cast] = [(each, to, "nearest_even", False) for each in (*NARROW, *BOOKS[2:]) for to in (F16, F32)]
    wide: list[Cast] = [(F32, each, rounding, True) for each, rounding in product((*NARROW, BOOKS[3]), ROUNDINGS)]
    others = [F64, dtype("i64"), dtype("u64"), BF16, dtype("i32"), F16]
    mixed: list[Cast] = [(a, b, "stochastic", False) for a in others for b in others if a is not b]
    order = tuple(range(32))
    tiles = [
        (each, to, order)
        for each in NARROW
        for to in (F16, BF16)
        if tile_parts(each, to, order, "nearest_even", False, arch(target))
    ]
    compiled = compile_cuda(device_library() + source([*narrow, *wide, *mixed], tiles, target), arch(target))
    taken = {name: (each.stack_bytes, each.spill_store_bytes) for name, each in compiled.resources.items()}
    assert set(taken.values()) == {(0, 0)}, {name: each for name, each in taken.items() if each != (0, 0)}


@pytest.mark.skipif(find_disassembler() is None, reason="nvdisasm is not there")
@pytest.mark.parametrize(
    ("name", "target", "most"),
    [("u4", F16, 48), ("i4", F16, 48), ("u4", BF16, 56), ("f4e2m1", F16, 56), ("i8", F16, 48)],
)
def test_two_narrow_weights_take_few_instructions(name: str, target: DType, most: int) -> None:
    """Of 32 values; what reads, writes, computes addresses or copies registers is not counted."""
    compiled = compile_cuda(device_library() + source([], [(dtype(name), target, tuple(range(32)))]), arch("sm_80"))
    code = disassemble(compiled.cubin).partition(".text.tile_0")[2]
    found = re.findall(r"\*/ +(PRMT|LOP3|SHF|HFMA2|HADD2|HMUL2|FADD|F2F|I2F)\b", code)
    assert 32 <= len(found) <= most, sorted(found)
