"""The CUDA of every example and of some operators as it is in ``tests/golden``, with the remarks of the passes: what a
change of the compiler does to them is seen in review.

``python -m pytest tests/test_golden.py --update-golden`` writes the files anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tilevm
from tilevm.codegen import emit
from tilevm.passes import run_passes
from tilevm.runtime.specialisation import Specialisation

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"

MX = {"SCALING": 2, "EMAX": 2}

EXAMPLES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "vector_add": ("vector_add", "sm_80", {}),
    "softmax_f32": ("softmax", "sm_80", {}),
    "softmax_f16": ("softmax", "sm_90a", {"A": "f16"}),
    "layer_norm": ("normalize", "sm_80", {}),
    "rms_norm_f16": ("normalize", "sm_80", {"A": "f16"}),
    "matmul_plain_f16": ("matmul", "sm_80", {"W": "f16"}),
    "matmul_u4": ("matmul", "sm_80", {"W": "u4"}),
    "matmul_f6e3m2_bf16": ("matmul", "sm_90a", {"W": "f6e3m2", "A": "bf16"}),
    "matmul_zero_u3": ("matmul", "sm_80", {"W": "u3"}),
    "matmul_explicit_u4": ("matmul_explicit", "sm_80", {"W": "u4"}),
    "matmul_explicit_f6e3m2": ("matmul_explicit", "sm_75", {"W": "f6e3m2"}),
    "attend_i4": ("attention", "sm_80", {}),
    "matmul_stream_u4_raw": ("ops/matmul", "sm_90a", {"W": "u4", "RAW": True, "MIDDLE": 8, "KU": 2}),
    "matmul_8_i4": ("ops/matmul", "sm_80", {"W": "i4"}),
    "quantize_i8_rows": ("ops/quantization", "sm_80", {"A": "f16", "Q": "i8", "GROUP": 4096, "RUN": 16}),
    "quantize_f4e2m1_hadamard": (
        "ops/quantization",
        "sm_90a",
        {"A": "bf16", "Q": "f4e2m1", "S": "e8m0", "GROUP": 32, "HADAMARD": 32} | MX,
    ),
}
"""The golden files: the example or operator, the architecture and the compile-time parameters."""


def kernel_of(name: str, file: str) -> Any:
    """The kernel that a golden file is of: the one whose name the file's name begins with."""
    folders = ROOT / "examples", ROOT / "tilevm"
    module = tilevm.load(next(path for folder in folders if (path := folder / f"{file}.tvm").exists()))
    return module[max((each for each in module if name.startswith(each)), key=len)]


def emitted(name: str) -> str:
    """The CUDA of an example, for sizes that divide by 128, as a launch would have it, and the remarks below."""
    file, arch, bindings = EXAMPLES[name]
    program = kernel_of(name, file).specialise(**bindings)
    special = Specialisation.of(arch, {size.name: 4096 for size in program.sizes})
    lowered = run_passes(special.apply(program), arch)
    text = emit(lowered).text.replace(f"{ROOT.as_posix()}/", "")
    return text + "".join(f"// {remark}\n" for remark in lowered.remarks)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_emitted_cuda_is_the_golden_one(name: str, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{name}.cu"
    found = emitted(name)
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == found, "if it is meant: pytest --update-golden, and read the diff"


def test_every_golden_file_has_a_kernel() -> None:
    assert {path.stem for path in GOLDEN.glob("*.cu")} == set(EXAMPLES)
