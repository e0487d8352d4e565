"""Every intrinsic alone, by name: what it is launched with, and how its results on two machines compare.

    case = INTRINSICS["ldmatrix_x4_trans"]
    simulated, found = case.simulated(), case.arguments()
    …                                        # another machine runs case.kernel of case.source on `found`
    case.compare(simulated, found)

One table for the simulator, whose results the tests of intrinsics hold against NumPy, and for GPUs. Results are the
same to the bit; a NaN is any NaN. Approximations are within the errors that the PTX ISA states for them, functions
within the 4 units in the last place that each machine may be off, atomics are explained by some order of the threads.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tests.intrinsic import Arguments, Intrinsic, Random, same
from tests.intrinsic_atomics import OPERATIONS, TYPES, atomic_arguments, explained
from tests.intrinsic_matrices import FORMATS, fragments, near_product
from tests.intrinsic_numbers import conversions_and_arithmetic, numbers, words

__all__ = ["INTRINSICS", "Intrinsic"]


def _trigonometry(random: Random) -> Arguments:
    x = np.concatenate([random.uniform(-10, 10, 200), random.uniform(-1e6, 1e6, 50)])
    return [x.astype(np.float32), np.zeros(500, np.float32), x, np.zeros(500), np.int32(250)]


def _trigonometric(expected: Arguments, found: Arguments) -> None:
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=4e-7)
    np.testing.assert_allclose(found[3], expected[3], rtol=0, atol=8e-16)


def _shuffled(random: Random, by: int) -> Arguments:
    return [words(random)[:32], np.zeros(160, np.uint32), np.int32(by)]


def _bytes(random: Random, count: int = 1024) -> NDArray[np.uint8]:
    return random.integers(0, 256, count).astype(np.uint8)


def _moved(random: Random, *numbers: int) -> Arguments:
    return [_bytes(random), _bytes(random), *map(np.int32, numbers)]


def _grouped(random: Random) -> Arguments:
    return [words(random)[:256], np.zeros(256, np.uint32)]


def _matrix_rows(random: Random, which: int, stores: bool) -> Arguments:
    if stores:
        offsets = (random.permutation(32) * 16).astype(np.uint32)
        return [words(random)[:128], offsets, np.zeros(128, np.uint32), np.int32(which)]
    offsets = (random.permutation(128)[:32] * 16).astype(np.uint32)
    return [_bytes(random, 2048), offsets, np.zeros(128, np.uint32), np.int32(which)]


def _packed(random: Random, bits: int) -> Arguments:
    return [words(random)[:13], np.zeros(26, np.uint32), np.int32(bits)]


def _chained(random: Random) -> Arguments:
    return [np.zeros(9, np.uint32), np.zeros(8, np.uint32), np.int32(0)]


def _pipelined(random: Random) -> Arguments:
    return [random.standard_normal(640).astype(np.float32), np.zeros(64, np.float32), np.int32(10), np.int32(0)]


def _contended(random: Random) -> Arguments:
    return [
        np.array([0, 99, 0, 0, 0], np.uint32),
        np.zeros(3, np.int32),
        np.zeros(3, np.float32),
        np.zeros(1, np.uint32),
    ]


def _all_done(expected: Arguments, found: Arguments) -> None:
    """Which thread was the first to find a zero is not decided: the element after it names that one."""
    first, last = (each[0][3:].copy() for each in (expected, found))
    assert last[0] == last[1] + 1
    assert first[0] == first[1] + 1
    same([expected[0][:3], *expected[1:]], [found[0][:3], *found[1:]])


def _alone_in_turn(expected: Arguments, found: Arguments) -> None:
    assert sorted(found[0].tolist()) == list(range(64))


def _memory() -> dict[str, Intrinsic]:
    table = {"trigonometry": Intrinsic("trigonometry", "trigonometry", _trigonometry, _trigonometric)}
    for by in (0, 1, 5, 16, 31):
        table[f"shuffles_and_ballot_by_{by}"] = Intrinsic("intrinsics", "shuffles", partial(_shuffled, by=by))
    for which, count in enumerate(("x1", "x2", "x4", "x1_trans", "x2_trans", "x4_trans")):
        table[f"ldmatrix_{count}"] = Intrinsic(
            "intrinsics", "load_matrices", partial(_matrix_rows, which=which, stores=False)
        )
        table[f"stmatrix_{count}"] = Intrinsic(
            "moves", "matrix_stores", partial(_matrix_rows, which=which, stores=True), since=90
        )
    widths = ("u8", "u16", "u32", "u32x2", "u32x4")
    for since, kernel, caches in (
        (75, "global_moves", ("default", "no_allocate")),
        (80, "kept_moves", ("evict_first", "evict_last")),
    ):
        hints = [f"{hint}_{cache}" for cache in caches for hint in ("plain", "read_only")]
        for first, hint in enumerate(hints):
            for which, width in enumerate(widths):
                make = partial(_moved_by, number=5 * first + which)
                table[f"global_{width}_{hint}"] = Intrinsic("moves", kernel, make, threads=64, since=since)
    for which, width in enumerate(widths):
        table[f"shared_{width}"] = Intrinsic("moves", "shared_moves", partial(_moved_by, number=which), threads=64)
    for size in (4, 8, 16):
        make = partial(_moved_by, number=size)
        table[f"cp_async_{size}_and_zeros"] = Intrinsic("moves", "filled_copies", make, threads=64, since=80)
        hinted = partial(_moved_by, number=-size)
        table[f"cp_async_{size}_with_a_policy"] = Intrinsic("moves", "filled_copies", hinted, threads=64, since=80)
    table["cp_async_groups"] = Intrinsic("moves", "copy_groups", _grouped, threads=64, since=80)
    table["cp_async_pipeline"] = Intrinsic("faults", "pipeline", _pipelined, threads=64, since=80)
    table["acquire_and_release"] = Intrinsic("intrinsics", "chain", _chained, grid=8)
    for bits in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 16, 19, 24, 31):
        table[f"packed_{bits}"] = Intrinsic("numbers", "packed", partial(_packed, bits=bits))
    return table


def _moved_by(random: Random, number: int) -> Arguments:
    return _moved(random, number)


def _matrices() -> dict[str, Intrinsic]:
    table = {}
    for which, (shape, a, b, since) in FORMATS.items():
        name = f"mma_{shape}_{a}" + ("" if a == b else f"_{b}")
        table[name] = Intrinsic("intrinsics", "matrices", partial(fragments, which=which), since=since)
        if a not in ("i8", "u8"):
            make = partial(fragments, which=which, small=False)
            check = partial(near_product, which=which)
            table[f"{name}_rounded"] = Intrinsic("intrinsics", "matrices", make, check, since=since)
    table["mma_m8n8k4_f64"] = Intrinsic("intrinsics", "matrices_f64", _doubles, since=80)
    return table


def _doubles(random: Random) -> Arguments:
    return [random.integers(-99, 99, 128).astype(np.float64), np.zeros(64)]


def _atomics() -> dict[str, Intrinsic]:
    table = {
        "atomics_of_four_blocks": Intrinsic("intrinsics", "atomics", _contended, _all_done, grid=4, threads=64),
        "lock": Intrinsic("atomics", "lock", lambda random: [np.zeros(64, np.uint32)], _alone_in_turn, threads=64),
    }
    for kind in TYPES:
        for which, operation in enumerate(OPERATIONS):
            for shared in (0, 1):
                make = partial(atomic_arguments, kind=kind, which=which, shared=shared)
                check = partial(explained, kind=kind, which=which, shared=shared)
                name = f"atomic_{'shared_' if shared else ''}{operation}_{kind}"
                table[name] = Intrinsic("atomics", f"atomic_{kind}", make, check, threads=64)
    return table


INTRINSICS: dict[str, Intrinsic] = {
    **conversions_and_arithmetic(),
    **numbers(),
    **_memory(),
    **_matrices(),
    **_atomics(),
}
"""Every intrinsic, by name."""
