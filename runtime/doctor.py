"""What tilevm finds on this machine: the packages that it needs, and the tools that it can use.

``examine()`` gives one ``Finding`` for each thing looked at. Nothing is installed, compiled or changed, but for a file
that is made in the cache folder and removed again. A thing that only one backend needs is *optional*: without it that
backend does not run, and everything else does. The last lines say of each backend whether it works, and why not.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

__all__ = ["Finding", "examine"]

DOUBLE = """
kernel double(x: f32[N], out y: f32[N]):
    grid 1
    store(y[0 :+ 4], load(x[0 :+ 4]) * 2.0)
"""

REQUIRED = ("numpy", "lark", "jinja2", "ml_dtypes", "platformdirs", "filelock", "loky", "rich", "click")
COMPILERS = ("c++", "g++", "clang++")
NVRTC = ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12", "nvidia-cuda-nvrtc-cu13")
CUPY = ("cupy-cuda13x", "cupy-cuda12x", "cupy")


@dataclass(frozen=True)
class Finding:
    """Something that was looked at: whether it is there, what exactly was found, and what needs it."""

    name: str
    found: bool
    detail: str
    needed_for: str
    optional: bool = False

    @property
    def status(self) -> str:
        """``ok``, ``absent`` where that is no harm, or ``fails`` where kernels do not run without it."""
        return "ok" if self.found else "absent" if self.optional else "fails"


def examine() -> Iterator[Finding]:
    """Looks at everything in turn.

    >>> findings = {finding.name: finding for finding in examine()}
    >>> findings["numpy"].status
    'ok'
    """
    version = platform.python_version()
    yield Finding(
        "Python",
        sys.version_info >= (3, 11),
        f"{version} ({platform.machine()})",
        "everything, 3.11 or newer",
    )
    for name in REQUIRED:
        installed = _installed(name)
        yield Finding(name, installed is not None, installed or f"pip install {name}", "everything")
    yield _cache()
    yield _compiler()
    yield _distribution("NVRTC", NVRTC, "compiling CUDA: pip install 'tilevm[cuda13]'")
    yield _distribution("CuPy", CUPY, "compiling CUDA, launching on a GPU: pip install 'tilevm[cuda13]'")
    yield _disassembler()
    yield _gpu()
    yield _interpreter()
    yield _simulator()
    yield _cuda_compiler()
    yield _cuda()


def _installed(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _distribution(title: str, names: tuple[str, ...], needed_for: str) -> Finding:
    found = [f"{name} {version}" for name in names if (version := _installed(name))]
    return Finding(title, bool(found), ", ".join(found), needed_for, optional=True)


def _interpreter() -> Finding:
    """Runs a kernel and looks at the numbers."""
    if any(find_spec(name) is None for name in ("numpy", "lark")):
        return Finding("interpreter", False, "needs numpy and lark", "backend interpreter")
    return _runs("interpreter", optional=False)


def _runs(backend: str, *, optional: bool = True) -> Finding:
    """Whether a kernel gives the right numbers on a backend of the host."""
    import numpy as np

    from tilevm.runtime.kernel import kernel

    needed_for = f"backend {backend}, on NumPy arrays"
    try:
        result = kernel(DOUBLE)(np.arange(4, dtype=np.float32), backend=backend)
    except Exception as error:  # whatever it is, it is what the user wants to see
        return Finding(backend, False, _reason(error), needed_for, optional)
    right = bool((result == np.array([0, 2, 4, 6])).all())
    return Finding(backend, right, "runs" if right else f"wrong result {result}", needed_for, optional)


def _reason(error: Exception) -> str:
    """The first line of an error, without its code."""
    return str(error).splitlines()[0].partition("]: ")[2] or str(error).splitlines()[0]


def _simulator() -> Finding:
    from tilevm.errors import TilevmError
    from tilevm.runtime.simulator import find_compiler

    try:
        find_compiler()
    except TilevmError as error:
        return Finding("simulator", False, _reason(error), "backend simulator, on NumPy arrays", optional=True)
    return _runs("simulator")


def _cuda_compiler() -> Finding:
    """Asks NVRTC for its version, which loads it."""
    from tilevm.errors import TilevmError
    from tilevm.runtime.nvrtc import nvrtc_version

    needed_for = "kernel.compile(target=…), without a GPU"
    try:
        major, minor = nvrtc_version()
    except TilevmError as error:
        return Finding("compiling CUDA", False, _reason(error), needed_for, optional=True)
    return Finding("compiling CUDA", True, f"NVRTC {major}.{minor}", needed_for, optional=True)


def _cuda() -> Finding:
    """Asks CuPy for its device. No kernel is run."""
    from tilevm.errors import TilevmError
    from tilevm.runtime.device import current_device

    needed_for = "backend cuda, on GPU arrays"
    try:
        device = current_device()
        detail = f"device {device.number}, {device.arch.name}"
    except TilevmError as error:
        return Finding("cuda", False, _reason(error), needed_for, optional=True)
    return Finding("cuda", True, detail, needed_for, optional=True)


def _disassembler() -> Finding:
    from tilevm.runtime.cubin import find_disassembler

    path = find_disassembler()
    helps = "showing machine code: pip install nvidia-cuda-nvdisasm"
    return Finding("nvdisasm", path is not None, path or "not on PATH", helps, optional=True)


def _cache() -> Finding:
    from tilevm.runtime.cache import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        detail = f"{folder}: {error.strerror or error}"
        return Finding("cache folder", False, detail, "keeping what was compiled", optional=True)
    return Finding("cache folder", True, str(folder), "keeping what was compiled", optional=True)


def _compiler() -> Finding:
    for name in (os.environ.get("CXX", ""), *COMPILERS):
        path = shutil.which(name) if name else None
        if path is not None:
            detail = _first_line([path, "--version"]) or path
            return Finding("C++ compiler", True, detail, "backend simulator", optional=True)
    return Finding("C++ compiler", False, f"none of {', '.join(COMPILERS)}", "backend simulator", optional=True)


def _gpu() -> Finding:
    path = shutil.which("nvidia-smi")
    names = _first_line([path, "--query-gpu=name,driver_version", "--format=csv,noheader"]) if path else None
    return Finding("GPU", bool(names), names or "no NVIDIA driver that answers", "backend cuda", optional=True)


def _first_line(command: list[str]) -> str | None:
    """The first line that a program prints, or None where it fails or takes long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if lines else None
