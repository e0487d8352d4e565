"""How fast checkpoints are converted, beside copying the file, and how much memory that takes.

    python -m benchmarks.convert [--mebibytes 64] [--json results.json]

For each format a file with one tensor is made, of which the largest part has about the given size, and converted in a
process of its own, in which two things are measured, each over the bytes of that largest part:

    allocated   the most memory that Python and NumPy held at once, as tracemalloc sees it
    resident    how far the memory of the process grew, with what the system maps from the file; scripts are imported
                and a small file is converted before that is counted

Time is measured in this process, in turns with the copy.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.timing import in_turns
from tilevm import checkpoints
from tilevm.packed_array import PackedArray
from tilevm.safetensors import SafeTensors, write

Random = np.random.Generator
COLUMNS = 4096


def gptq(random: Random, rows: int, bits: int, order: bool, group: int = 128) -> dict[str, Any]:
    """``rows`` input channels in groups."""
    index = np.arange(rows, dtype="i4") // group
    if order:
        random.shuffle(index)
    return {
        "w.qweight": words(random, rows * bits // 32, COLUMNS),
        "w.qzeros": words(random, rows // group, COLUMNS * bits // 32),
        "w.scales": random.random((rows // group, COLUMNS)).astype("f2"),
        "w.g_idx": index,
    }


def awq(random: Random, rows: int) -> dict[str, Any]:
    return {
        "w.qweight": words(random, rows, COLUMNS // 8),
        "w.qzeros": words(random, rows // 128, COLUMNS // 8),
        "w.scales": random.random((rows // 128, COLUMNS)).astype("f2"),
    }


def pack_quantized(random: Random, rows: int, bits: int) -> dict[str, Any]:
    return {
        "w.weight_packed": words(random, rows, COLUMNS * bits // 32),
        "w.weight_scale": random.random((rows, COLUMNS // 128)).astype("f2"),
        "w.weight_shape": np.array([rows, COLUMNS]),
    }


def nvfp4(random: Random, rows: int) -> dict[str, Any]:
    scales = PackedArray.from_codes(random.integers(1, 126, (rows, COLUMNS // 16)), "f8e4m3")
    packed = random.integers(0, 256, (rows, COLUMNS // 2), np.uint8)
    return {"w.weight_packed": packed, "w.weight_scale": scales, "w.weight_global_scale": np.ones(1, "f4")}


def mxfp6(random: Random, rows: int) -> dict[str, Any]:
    scales = random.integers(100, 140, (rows, COLUMNS // 32), np.uint8)
    return {"w.weight_packed": random.integers(0, 256, (rows, COLUMNS * 3 // 4), np.uint8), "w.weight_scale": scales}


def nf4(random: Random, rows: int) -> dict[str, Any]:
    state = json.dumps({"blocksize": 64, "shape": [rows, COLUMNS]}).encode()
    return {
        "w.weight": random.integers(0, 256, (rows * COLUMNS // 2, 1), np.uint8),
        "w.weight.absmax": random.random(rows * COLUMNS // 64).astype("f4"),
        "w.weight.quant_map": np.asarray(PackedArray.from_codes(np.arange(16), "nf4"), "f4"),
        "w.weight.quant_state.bitsandbytes__nf4": np.frombuffer(state, np.uint8),
    }


def hqq(random: Random, rows: int, bits: int, axis: int) -> dict[str, Any]:
    height, width = (rows * COLUMNS // 64, 64) if axis else (64, rows * COLUMNS // 64)
    each = {4: 2, 3: 10, 2: 4}[bits]
    runs = -(-height // each)
    packed = words(random, runs, width) & 0x3FFFFFFF if bits == 3 else random.integers(0, 256, (runs, width), np.uint8)
    scale = random.random(height if axis else width).astype("f2").reshape((-1, 1) if axis else (1, -1))
    return {
        "w.W_q": packed,
        "w.scale": scale,
        "w.zero": scale * 4,
        "w.shape": np.array([rows, COLUMNS]),
        "w.nbits": np.array(bits, "u1"),
        "w.axis": np.array(axis, "u1"),
    }


def words(random: Random, rows: int, columns: int) -> Any:
    return random.integers(-(2**31), 2**31, (rows, columns), np.int32)


SAFETENSORS: dict[str, tuple[int, Callable[[Random, int], dict[str, Any]]]] = {
    "GPTQ, 4 bit": (4, lambda random, rows: gptq(random, rows, 4, False)),
    "GPTQ, 4 bit, act-order": (4, lambda random, rows: gptq(random, rows, 4, True)),
    "GPTQ, 3 bit": (3, lambda random, rows: gptq(random, rows, 3, False)),
    "GPTQ, 2 bit, groups of 32": (2, lambda random, rows: gptq(random, rows, 2, True, 32)),
    "AWQ": (4, awq),
    "compressed-tensors, 4 bit": (4, lambda random, rows: pack_quantized(random, rows, 4)),
    "compressed-tensors, 3 bit": (3, lambda random, rows: pack_quantized(random, rows, 3)),
    "NVFP4": (4, nvfp4),
    "MXFP6": (6, mxfp6),
    "NF4": (4, nf4),
    "HQQ, 4 bit, axis 1": (4, lambda random, rows: hqq(random, rows, 4, 1)),
    "HQQ, 4 bit, axis 0": (4, lambda random, rows: hqq(random, rows, 4, 0)),
    "HQQ, 3 bit, axis 1": (3, lambda random, rows: hqq(random, rows, 3, 1)),
    "plain f16": (16, lambda random, rows: {"w": random.integers(0, 2**16, (rows, COLUMNS), np.uint16).view("f2")}),
}
"""Bits of a weight, and the parts of a file with so many rows of weights."""

GGUF = {
    "Q4_0": (32, 18),
    "Q8_0": (32, 34),
    "Q2_K": (256, 84),
    "Q4_K": (256, 144),
    "Q6_K": (256, 210),
    "TQ1_0": (256, 54),
}
"""Elements and bytes of a block."""


def make(name: str, mebibytes: float, path: Path) -> int:
    """Writes a file; gives the bytes of its largest tensor."""
    random = np.random.default_rng(0)
    if name in GGUF:
        import gguf

        elements, size = GGUF[name]
        rows = max(128, int(mebibytes * 2**20 * elements / (size * COLUMNS)) // 128 * 128)
        data = random.integers(0, 256, (rows, COLUMNS // elements * size), np.uint8)
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_tensor("w", data, raw_dtype=gguf.GGMLQuantizationType[name])
        for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
            step()
        writer.close()
        return data.nbytes
    bits, parts = SAFETENSORS[name]
    rows = max(128, int(mebibytes * 2**23 / (bits * COLUMNS)) // 128 * 128)
    write(path, parts(random, rows))
    with SafeTensors(path) as file:
        return max(file.info(each).nbytes for each in file.names)


def convert(path: Path, target: Path) -> None:
    with checkpoints.open(path) as checkpoint:
        checkpoints.convert(checkpoint, target)


def memory(path: Path, small: Path) -> dict[str, int]:
    """Bytes that were allocated, and by which the process grew, while a file is converted; ``small`` is another one."""
    target = path.with_suffix(".out")
    convert(small, target)
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory counts from here
    before = _highest()
    convert(path, target)
    grown = _highest() - before
    tracemalloc.start()
    convert(path, target)
    allocated = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"resident": grown, "allocated": allocated}


def _highest() -> int:
    """The most memory that the process had, on Linux."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def measured(name: str, mebibytes: float, folder: Path) -> dict[str, float]:
    """Speed over that of a copy, speed, and memory over the bytes of the largest tensor."""
    path, small = folder / "in", folder / "small"
    largest = make(name, mebibytes, path)
    make(name, 0.1, small)
    command = [sys.executable, "-m", "benchmarks.convert", "--memory", str(path), str(small)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    own, copy = in_turns(
        lambda: convert(path, folder / "out"), lambda: shutil.copyfile(path, folder / "copy"), rounds=3
    )
    size = path.stat().st_size
    return {
        "MB/s": size / own / 1e6,
        "over copy": copy / own,
        "allocated": found["allocated"] / largest,
        "resident": found["resident"] / largest,
    }


@click.command()
@click.option("--mebibytes", default=64.0, help="The size of the largest tensor.")
@click.option("--json", "path", type=click.Path(), help="Write the figures to a file.")
@click.option("--memory", "files", nargs=2, type=click.Path(path_type=Path), default=None, hidden=True)
def main(mebibytes: float, path: str | None, files: tuple[Path, Path] | None) -> None:
    """Prints a table."""
    if files:
        click.echo(json.dumps(memory(*files)))
        return
    found = {}
    for name in [*SAFETENSORS, *GGUF]:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measured(name, mebibytes, Path(folder))
    table = Table("format", "MB/s", "of the copy", "allocated", "resident", title=f"largest tensor {mebibytes:g} MiB")
    for name, row in found.items():
        memory_columns = (f"{row[each]:.2f}" for each in ("allocated", "resident"))
        table.add_row(name, f"{row['MB/s']:.0f}", f"{row['over copy']:.2f}", *memory_columns)
    Console().print(table)
    if path is not None:
        Path(path).write_text(json.dumps({"mebibytes": mebibytes, "convert": found}, indent=1))


if __name__ == "__main__":
    main()
