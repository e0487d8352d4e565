"""Emitted accesses to single elements do as the interpreter's: gather and scatter, atomics, flags between blocks."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import needs_compiler
from memory_moves import moved

import tilevm

pytestmark = needs_compiler

FORMATS = ("u1", "u3", "nf4", "f6e3m2", "i8", "f16", "bf16", "f32", "u64")
ATOMICS = ("i32", "u32", "i64", "u64", "f32")


@pytest.mark.parametrize("kind", FORMATS)
def test_elements_are_gathered_inside_and_outside_of_global_and_shared_memory(kind: str) -> None:
    moved(f"""
kernel k(x: {kind}[6, 40], at: i8[64], out y: {kind}[4, 64], out z: {kind}[2, 8]):
    grid 1
    warps 2
    i = cast(load(at[:]), i32)
    store(y[0, :], gather(x, i % 6, (i * 3) % 40))
    store(y[1, :], gather(x, i, i - 5))
    store(y[2, :], gather(x, i, i - 5, fill=1))
    s = shared({kind}, [64])
    store(s[:], load(y[1, :]))
    sync()
    store(y[3, :], gather(s, 63 - iota(64)))
    store(z[0 :+ 2, 0 :+ 8], gather(x, iota([2])[:, None] * 4, iota([8])[None, :] * 7))
""")


@pytest.mark.parametrize("kind", FORMATS)
def test_of_elements_scattered_to_one_place_the_last_stays(kind: str) -> None:
    warps = 1 + FORMATS.index(kind) % 4
    moved(f"""
kernel k(x: {kind}[64], at: u8[64], out y: {kind}[16], out z: {kind}[20, 3], out w: {kind}[64]):
    grid 1
    warps {warps}
    t = load(x[:])
    i = cast(load(at[:]), i32)
    scatter(y, t, i % 16)
    scatter(z, t, i % 23 - 2, i % 4)
    s = shared({kind}, [64])
    store(s[:], t)
    sync()
    scatter(s, t, i % 8 * 8)
    sync()
    store(w[:], load(s[:]))
""")


@pytest.mark.parametrize("kind", ATOMICS)
def test_atomics_on_windows_change_each_element_and_give_the_old_one(kind: str) -> None:
    body = "".join(
        f"    store(old[{number}, :], atomic_{name}(x[i, :], load(v[i, :])))\n"
        for number, name in enumerate(("add", "min", "max", "exchange"))
        if not (kind == "f32" and name in ("min", "max"))
    )
    if kind != "f32":
        body += "    even = load(x[1, :]) // 2 * 2\n    store(old[4, :], atomic_cas(x[1, :], even, load(v[2, :])))\n"
    moved(f"""
kernel k(inout x: {kind}[4, 48], v: {kind}[4, 48], out old: {kind}[5, 48]):
    grid 1
    warps 2
    i = 2
{body}    s = shared({kind}, [48])
    store(s[:], load(v[1, :]))
    sync()
    atomic_add(s[:], load(v[3, :]))
    sync()
    store(x[0, :], load(s[:]))
""")


IN_TURN = """
kernel in_turn(x: i32[N], inout total: i32[1], inout done: u32[1], out seen: i32[B]):
    grid B
    warps 2
    b = block_index(0)
    atomic_add(total[0], sum(load(x[b * 64 :+ 64])))
    acquire(done[0], cast(b, u32))
    store(seen[b], load(x[b * 64]) + 1)
    if b == grid_size(0) - 1:
        store(seen[b], load(total[0]))
    release(done[0], cast(b, u32) + 1)
"""


@pytest.mark.parametrize("backend", ["interpreter", "simulator"])
def test_blocks_that_wait_for_each_other_go_in_turn_and_the_last_one_sees_all(backend: str) -> None:
    x = np.arange(250, dtype=np.int32)
    total, done = np.zeros(1, np.int32), np.zeros(1, np.uint32)
    seen = tilevm.kernel(IN_TURN)(x, total, done, B=4, backend=backend)
    assert seen.tolist() == [1, 65, 129, x.sum()]
    assert (total[0], done[0]) == (x.sum(), 4)
