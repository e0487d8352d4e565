"""``tilevm run``: a kernel on arrays from files or of random elements, and what came out in one table."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import click

__all__ = ["command"]

COLUMNS = ("output", "dtype", "shape", "crc32", "min", "max", "mean", "nan")


@click.command("run", short_help="Run a kernel on files or random arrays.")
@click.argument("file", type=click.Path())
@click.option("--kernel", "name", metavar="NAME", help="Which kernel; needed where the file has several.")
@click.option("--arg", "given", multiple=True, metavar="NAME=VALUE", help="A file.npy, 64x128:f16[:seed], or a number.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A compile-time parameter.")
@click.option("--out", "targets", multiple=True, metavar="NAME=FILE", help="Save what an out or inout parameter holds.")
@click.option("--debug", is_flag=True, help="Follow every element; show reads of what was never written, and races.")
def command(
    file: str,
    name: str | None,
    given: tuple[str, ...],
    settings: tuple[str, ...],
    targets: tuple[str, ...],
    debug: bool,
) -> None:
    """Run a kernel of FILE in the interpreter and show what its outputs hold.

    Arrays are read from a file.npy or a saved PackedArray, or made of seeded random elements: shape:format[:seed].

    \b
    tilevm run matmul.tvm --kernel matmul --arg x=x.npy --arg w=384x1536:u4 \\
        --arg scale=3x1536:f16 --set BM=32 --out y=y.npy
    """
    from tilevm.report import Report
    from tilevm.runtime.command_input import arguments, assignments, chosen_kernel, compile_time
    from tilevm.runtime.terminal import show_note, show_table

    kernel = chosen_kernel(file, name)
    written = [each.name for each in kernel.definition.parameters if each.access != "in"]
    saved = _targets(assignments("--out", targets), kernel.name, written)
    arrays = arguments(kernel.definition, assignments("--arg", given))
    bound = compile_time(kernel.definition, assignments("--set", settings))
    report = Report() if debug else None
    start = time.perf_counter()
    returned = kernel(**arrays, **bound, debug=report)
    milliseconds = 1e3 * (time.perf_counter() - start)
    if report is not None:
        report.raise_errors()
        show_note(str(report))
    made = [each.name for each in kernel.definition.parameters if each.access == "out"]
    results = {**arrays, **dict(zip(made, _each(returned), strict=True))}
    title = f"{kernel.name}: {milliseconds:.1f} ms in the interpreter"
    show_table(title, COLUMNS, [_row(each, results[each]) for each in written], numbers=COLUMNS[3:])
    for each, path in saved.items():
        _save(results[each], path)


def _targets(paths: Mapping[str, str], kernel: str, written: Iterable[str]) -> dict[str, str]:
    """Where to save what. Raises ``UsageError`` F009 for a parameter that the kernel does not write."""
    from tilevm.errors import UsageError, did_you_mean

    for name in paths:
        if name not in written:
            raise UsageError(
                "F009",
                f"--out {name}=…: kernel `{kernel}` writes no parameter `{name}`",
                help=did_you_mean(name, written) or f"it writes {', '.join(written) or 'none'}",
            )
    return dict(paths)


def _each(returned: Any) -> tuple[Any, ...]:
    """What a kernel returned, always as a tuple."""
    if returned is None:
        return ()
    return returned if isinstance(returned, tuple) else (returned,)


def _row(name: str, given: Any) -> tuple[str, ...]:
    """What a table says about an array; ``crc32`` is that of its packed elements."""
    import numpy as np

    from tilevm.packed_array import PackedArray
    from tilevm.runtime.arrays import adopt

    array = adopt(name, given, written=False)
    codes = array.dtype.to_codes(array.elements)
    checksum = f"{zlib.crc32(PackedArray.from_codes(codes, array.dtype).data.tobytes()):08x}"
    numbers = array.dtype.decode(codes)
    known = numbers[~np.isnan(numbers)]
    with np.errstate(all="ignore"):
        facts = [f"{fact:.6g}" for fact in (known.min(), known.max(), known.mean())] if known.size else ["-"] * 3
    shape = "x".join(map(str, array.shape))
    return (name, array.dtype.name, shape, checksum, *facts, str(numbers.size - known.size))


def _save(array: Any, path: str) -> None:
    """Saves a PackedArray in its own form, and any other array as ``.npy``."""
    import numpy as np

    from tilevm.files import replacing
    from tilevm.packed_array import PackedArray

    if isinstance(array, PackedArray):
        array.save(path)
        return
    if array.dtype.kind == "V":
        # NumPy's format has no name for the types of ml_dtypes: a PackedArray keeps the format.
        from tilevm.runtime.arrays import adopt

        held = adopt("array", array, written=False)
        PackedArray.from_codes(held.dtype.to_codes(held.elements), held.dtype).save(path)
        return
    with replacing(path) as file:
        np.save(file, array, allow_pickle=False)
