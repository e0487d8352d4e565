"""What `import tilevm` gives, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import FunctionType

import pytest

import tilevm

ERRORS = {
    "ArgumentError",
    "DTypeError",
    "ExecutionError",
    "LayoutError",
    "NoDeviceError",
    "OutOfResources",
    "ProgramError",
    "TilevmError",
    "UsageError",
}
CLASSES = {
    "DType",
    "Diagnostic",
    "Kernel",
    "Layout",
    "MemoryPattern",
    "Module",
    "PackedArray",
    "QuantizedTensor",
    "Report",
    "TuneResult",
    "TuneStore",
}
FUNCTIONS = {
    *(
        "autotune",
        "bench",
        "codebook",
        "dtype",
        "explain",
        "kernel",
        "layout",
        "load",
        "memory_pattern",
        "pack",
        "quantize",
    ),
    *("tune", "unpack"),
}
NAMES = ERRORS | CLASSES | FUNCTIONS | {"__version__"}


def in_fresh_python(program: str) -> list[str]:
    """What a program prints, as JSON, in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    result: list[str] = json.loads(done.stdout)
    return result


def test_public_names_are_pinned() -> None:
    assert sorted(tilevm.__all__) == sorted(NAMES)
    assert set(dir(tilevm)) >= NAMES
    for name in NAMES:
        assert getattr(tilevm, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'tilevm' has no attribute 'kernels'"):
        _ = tilevm.kernels


@pytest.mark.parametrize(
    "first", ["tilevm.layout", "tilevm.memory_pattern", "tilevm.runtime.kernel", "tilevm.frontend", "tilevm.codec"]
)
def test_function_is_not_hidden_by_the_module_of_its_name(first: str) -> None:
    found = f"[type(getattr(tilevm, name)).__name__ for name in {sorted(FUNCTIONS)}]"
    program = f"import json, {first}, tilevm, {first}; print(json.dumps({found}))"
    assert in_fresh_python(program) == [FunctionType.__name__] * len(FUNCTIONS)


def test_import_needs_numpy_only() -> None:
    program = "import tilevm, sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    loaded = set(in_fresh_python(program))
    assert "numpy" in loaded
    assert loaded.isdisjoint(
        {"lark", "rich", "click", "jinja2", "ml_dtypes", "platformdirs", "filelock", "cupy", "loky"}
    )


def test_import_loads_neither_the_front_end_nor_the_runtime() -> None:
    program = (
        "import tilevm, sys, json; print(json.dumps(sorted(name for name in sys.modules if name.startswith('tilevm'))))"
    )
    loaded = in_fresh_python(program)
    late = ("tilevm.frontend", "tilevm.runtime", "tilevm.codegen", "tilevm.interpreter", "tilevm.instructions")
    assert not [name for name in loaded if name.startswith(late)]


def test_version_is_that_of_the_package() -> None:
    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert tilevm.__version__ == tomllib.loads(text)["project"]["version"]
