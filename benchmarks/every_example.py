"""One launch of every example on the GPU, for tools that watch it.

    compute-sanitizer python -m benchmarks.every_example

Small shapes that do not fit the tiles: whatever reads or writes past the end of an array shows there.
"""

from __future__ import annotations

from benchmarks.own_tests import find_own_tests

find_own_tests()

from tests.cases import CASES  # noqa: E402
from tests.gpu.machine import on_gpu, on_host  # noqa: E402

__all__ = ["launch_all"]

MOST_ELEMENTS = 200_000
"""Of the largest array of a case that is launched; tools make kernels many times slower."""


def launch_all() -> int:
    """Launches the smallest case of each kernel and of each number format, and says how many they were."""
    import cupy

    cupy.cuda.set_allocator(None)  # every array is an allocation of its own, whose end the tool knows
    chosen: dict[tuple[str, ...], tuple[int, str]] = {}
    for name, case in CASES.items():
        size = sum(getattr(each, "size", 0) for each in case.arguments().values())
        kind = (case.file, case.name, *(name.partition("-")[2].split("-")[:1] if case.bound is not None else ()))
        if size <= MOST_ELEMENTS:
            chosen[kind] = min(chosen.get(kind, (size, name)), (size, name))
    for _, name in chosen.values():
        given = on_gpu(CASES[name].arguments())
        CASES[name].run(given, backend="cuda", debug=True)
        on_host(given)
    return len(chosen)


if __name__ == "__main__":
    print(f"{launch_all()} launches")
