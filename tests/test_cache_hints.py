"""Hints to the caches: they change no result, and become policies that a kernel makes once, where there are any."""

from __future__ import annotations

import re

import pytest
from kernels import needs_compiler
from memory_moves import moved
from test_machine_code import needs_disassembler, needs_nvrtc

import tilevm
from tilevm.arch import ARCHITECTURES
from tilevm.errors import ProgramError
from tilevm.runtime.compiled import CompiledKernel

HINTS = ("evict_first", "evict_last", "no_allocate")

TEXT = """
kernel k(x: f32[N], at: u8[64], narrow: u3[1024], out y: f32[N], out z: f32[64], out part: u3[1024], out r: f32[2, 64]):
    grid 2
    warps 2
    i = block_index(0) * 64
    store(y[i :+ 64], load(x[i :+ 64]{hint}){hint})
    index = cast(load(at[:]{hint}), i32) % 70
    scatter(z, gather(x, index{hint}), 63 - iota(64){hint})
    store(part[block_index(0) * 512 :+ 512], load(narrow[block_index(0) * 512 :+ 512]{hint}){hint})
    s = shared(f32, [64])
    copy_async(s, x[i + 1 :+ 64]{hint})
    commit()
    wait(0)
    sync()
    store(r[block_index(0), :], load(s[:]){hint})
"""

STAGED = """
kernel staged(w: f16[K, 64], x: f16[16, 64], out y: f32[16, 64]):
    grid 1
    warps 1
    acc = load(x[:, :], cache=evict_last)
    total = zeros(f32, [16, 64])
    for k in range(0, K, 16, stages=3):
        total = total + cast(load(w[k :+ 16, :], cache=evict_first) * acc, f32)
    store(y[:, :], total, cache=no_allocate)
"""


def staged(target: str) -> CompiledKernel:
    return tilevm.kernel(STAGED).compile(target=target, divisible={"K": 16})


@needs_compiler
@pytest.mark.parametrize(
    ("hint", "arch"), [("evict_first", "sm_75"), ("evict_last", "sm_80"), ("no_allocate", "sm_80")]
)
def test_a_hint_changes_no_result(hint: str, arch: str) -> None:
    moved(TEXT.format(hint=f", cache={hint}"), arch=arch, sizes={"N": 130})


@pytest.mark.parametrize("hint", HINTS)
def test_without_its_hints_a_program_is_what_it_was_without_them(hint: str) -> None:
    plain = tilevm.kernel(TEXT.format(hint="")).compile().emitted.text
    hinted = tilevm.kernel(TEXT.format(hint=f", cache={hint}")).compile().emitted.text
    assert f"tv::{hint.upper()}" in hinted
    for pattern in (
        rf", cache={hint}",
        rf", tv::{hint.upper()}\b",
        rf"<tv::{hint.upper()}>(?=\()",
        rf"(?:, true)?, {hint}(?=\))",
        rf"\n    const tv::u64 {hint} = [^\n]*",
    ):
        hinted = re.sub(pattern, "", hinted)
    assert hinted.replace("<tv::PLAIN>", "").replace(", 4);", ");") == plain


def test_a_policy_is_made_once_for_the_kernel_and_given_to_every_copy() -> None:
    text = staged("sm_80").emitted.text
    made = [line for line in text.splitlines() if "cache_policy" in line]
    assert sorted(line.strip() for line in made) == [
        "const tv::u64 evict_first = tv::cache_policy<tv::EVICT_FIRST>();",
        "const tv::u64 evict_last = tv::cache_policy<tv::EVICT_LAST>();",
    ]
    assert text.index("cache_policy") < text.index("TV_LINE")
    copies = re.findall(r"tv::cp_async<[^;]*;", text)
    assert len(copies) == 3
    assert all(
        copy.startswith("tv::cp_async<16, tv::EVICT_FIRST>") and copy.endswith("evict_first);") for copy in copies
    )
    assert re.search(r"load_global_u32x4<tv::READ_ONLY, tv::EVICT_LAST>\([^;]*, true, evict_last\);", text)
    assert "store_global_u32x4<tv::NO_ALLOCATE>" in text


def test_where_there_are_no_policies_what_is_read_once_stays_out_of_the_first_cache() -> None:
    text = staged("sm_75").emitted.text
    assert "policy" not in text
    assert "EVICT" not in text
    assert "load_global_u32x4<tv::READ_ONLY, tv::NO_ALLOCATE>" in text
    assert "load_global_u32x4<tv::READ_ONLY>" in text


def test_loads_of_one_window_with_two_hints_are_two_copies() -> None:
    text = STAGED.replace("* acc", "* load(w[k :+ 16, :], cache=evict_last)")
    copies = re.findall(r"tv::cp_async<16, tv::(\w+)>", tilevm.kernel(text).compile().emitted.text)
    assert sorted(copies) == ["EVICT_FIRST"] * 3 + ["EVICT_LAST"] * 3


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize("target", ARCHITECTURES)
def test_machine_code_has_the_hints(target: str) -> None:
    kernel = staged(target).machine_code
    lines = [f"{each.opcode} {each.operands}" for each in kernel.instructions]
    loads = [line for line in lines if line.startswith("LDG")]
    stores = [line for line in lines if line.startswith("STG")]
    copies = [line for line in lines if line.startswith("LDGSTS")]
    assert stores
    assert all(".NA" in line for line in stores)
    if not ARCHITECTURES[target].has("cache_policy"):
        assert any(".NA" in line for line in loads)
        return
    assert any(".EL" in line for line in loads if line not in copies)
    assert copies
    # The policy is a descriptor in uniform registers, of which the upper half is a constant.
    assert all("desc[UR" in line for line in copies)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("t = load(s[:], cache=evict_first)", "load"),
        ("store(s[:], 0.0, cache=evict_last)", "store"),
        ("t = gather(s, iota(64), cache=no_allocate)", "gather"),
        ("scatter(s, 0.0, iota(64), cache=no_allocate)", "scatter"),
    ],
)
def test_shared_memory_has_no_cache(call: str, name: str) -> None:
    text = f"kernel k(out y: f32[64]):\n    grid 1\n    warps 2\n    s = shared(f32, [64])\n    {call}\n"
    with pytest.raises(ProgramError) as caught:
        tilevm.kernel(text).specialise()
    (found,) = caught.value.diagnostics
    assert (found.code, found.span and found.span.line) == ("T056", 5)
    assert f"`{name}` takes `cache` for a tensor, and `s` is a shared tile" in found.message


def test_a_hint_is_one_of_four() -> None:
    text = "kernel k(out y: f32[64]):\n    grid 1\n    warps 2\n    store(y[:], 0.0, cache=evict_fist)\n"
    with pytest.raises(ProgramError, match=r"is one of default, evict_first, evict_last, no_allocate") as caught:
        tilevm.kernel(text).specialise()
    assert caught.value.code == "T010"
