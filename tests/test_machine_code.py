"""What the machine code of the quantised product is made of: read from its SASS, and counted by the simulator.

The product has weights of 4 bits, f16 activations and is for sm_80; its weights are packed in the order in which lanes
need them (``examples/matmul_explicit.tvm``).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from test_planted_faults import emitted, problem, run

import tilevm
from tilevm.arch import ARCHITECTURES
from tilevm.runtime.compiled import CompiledKernel
from tilevm.runtime.cubin import find_disassembler
from tilevm.runtime.nvrtc import nvrtc_version

EXAMPLES = Path(__file__).parent.parent / "examples"
KERNELS = {
    "vector_add": ("vector_add", {}),
    "softmax": ("softmax", {}),
    "layer_norm": ("normalize", {}),
    "rms_norm": ("normalize", {"A": "f16"}),
    "matmul_plain": ("matmul", {"W": "f16"}),
    "matmul": ("matmul", {"W": "u4"}),
    "matmul_zero": ("matmul", {"W": "u3"}),
    "matmul_explicit": ("matmul_explicit", {"W": "u4"}),
    "attend": ("attention", {}),
}
LOOP = {"HMMA.16816.F32", "LDSM.16.M88.4", "LDGSTS.E.BYPASS.128", "LDS.128"}


def has_nvrtc() -> bool:
    try:
        nvrtc_version()
    except tilevm.UsageError:
        return False
    return True


needs_nvrtc = pytest.mark.skipif(not has_nvrtc(), reason="CuPy or NVRTC is not there")
needs_disassembler = pytest.mark.skipif(find_disassembler() is None, reason="there is no nvdisasm")


@cache
def compiled(name: str, target: str) -> CompiledKernel:
    file, bindings = KERNELS[name]
    kernel = tilevm.load(EXAMPLES / f"{file}.tvm")[name]
    sizes = {size.name for size in kernel.specialise(**bindings).sizes}
    return kernel.compile(target=target, divisible=dict.fromkeys(sizes, 128), **bindings)


@needs_nvrtc
@pytest.mark.parametrize("target", ARCHITECTURES)
@pytest.mark.parametrize("name", KERNELS)
def test_every_example_compiles_without_spills_and_local_memory(name: str, target: str) -> None:
    taken = compiled(name, target).resources
    assert (taken.spill_store_bytes, taken.spill_load_bytes, taken.stack_bytes) == (0, 0, 0)


def main_loop(sass: str) -> list[str]:
    """The opcodes between the first and the last matrix instruction of the innermost loop that has any."""
    lines = re.findall(r"^\s*(?:/\*[0-9a-f]+\*/)?\s*((?:@!?U?P\d+ )?[A-Z][A-Z0-9_.]+)([^;]*);", sass, re.MULTILINE)
    labels = {name: at for at, name in _labels(sass)}
    for at, (opcode, operands) in enumerate(lines):
        target = re.search(r"\(?(\.L_x?_?\d+)\)?", operands)
        if opcode.split()[-1] == "BRA" and target and labels.get(target.group(1), at + 1) <= at:
            body = [each.split()[-1] for each, _ in lines[labels[target.group(1)] : at]]
            if any(each.startswith("HMMA") for each in body):
                return body
    return [each.split()[-1] for each, _ in lines]


def _labels(sass: str) -> list[tuple[int, str]]:
    """Each label, with how many instructions stand before it."""
    found, count = [], 0
    for line in sass.splitlines():
        if label := re.match(r"^(\.L_x?_?\d+):", line):
            found.append((count, label.group(1)))
        elif re.match(r"^\s*(?:/\*[0-9a-f]+\*/)?\s*(?:@!?U?P\d+ )?[A-Z][A-Z0-9_.]+[^;]*;", line):
            count += 1
    return found


@needs_nvrtc
@needs_disassembler
def test_the_main_loop_loads_16_bytes_and_shuffles_nothing() -> None:
    loop = main_loop(compiled("matmul_explicit", "sm_80").sass)
    assert set(loop) >= LOOP, sorted(set(loop))
    assert loop.count("HMMA.16816.F32") == 8
    copies = [each for each in loop if each.startswith("LDGSTS")]
    assert copies
    assert set(copies) == {"LDGSTS.E.BYPASS.128"}, copies
    assert not [each for each in loop if each.startswith(("SHFL", "LDL", "STL", "STS"))]


def test_no_access_of_the_product_collides_in_the_banks() -> None:
    simulation, _ = run(emitted().source)
    assert simulation.lines
    shared = {line: counts for line, counts in simulation.lines.items() if counts.shared_requests}
    assert shared
    assert all(counts.wavefronts == counts.ideal_wavefronts for counts in shared.values()), shared
    assert np.isfinite(problem()[3]).all()
