"""What this machine is and has: device, driver, versions, clocks; and which packages are missing.

    python -m benchmarks.machine        prints one JSON object

It imports nothing at the top that may be missing, and everything it asks may fail: then the reason stands in place of
the answer. It runs in a process of its own, since finding a GPU can end a process.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["NEEDED", "OPTIONAL", "describe", "find_sanitizer", "missing"]

ROOT = Path(__file__).parent.parent

NEEDED = ("numpy", "lark", "jinja2", "ml_dtypes", "platformdirs", "filelock", "rich", "click", "cupy")
"""Modules without which nothing can be launched: tilevm's own dependencies, and CuPy."""

OPTIONAL = ("pytest", "hypothesis", "torch", "triton")
"""Modules without which a part is left out."""

DISTRIBUTIONS = {"cupy": ("cupy-cuda13x", "cupy-cuda12x", "cupy"), "ml_dtypes": ("ml_dtypes", "ml-dtypes")}

CLOCKS = "name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.limit,temperature.gpu"


def missing(modules: tuple[str, ...] = NEEDED) -> list[str]:
    """Those of the modules that cannot be found. Nothing is imported.

    >>> missing(("json", "no_such_module"))
    ['no_such_module']
    """
    return [each for each in modules if importlib.util.find_spec(each) is None]


def find_sanitizer() -> str | None:
    """The path of NVIDIA's compute-sanitizer: on PATH, or where toolkits are installed."""
    places = sorted(Path("/usr/local").glob("cuda*/bin"), reverse=True)
    return shutil.which("compute-sanitizer") or next(
        (found for place in places if (found := shutil.which("compute-sanitizer", path=str(place)))), None
    )


def describe() -> dict[str, Any]:
    """Everything that is known of the machine, by name; a text that begins with ``not known`` where asking failed."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _answer(_processor),
        "packages": {name: _version(name) for name in (*NEEDED, *OPTIONAL)},
        "missing": missing(),
        "left_out": missing(OPTIONAL),
        "revision": _answer(_revision),
        "compute_sanitizer": find_sanitizer(),
        "nvidia_smi": _answer(_clocks),
        **(_device() if not missing(("cupy",)) else {"device": None, "no_device": "CuPy is not installed"}),
    }


def _answer(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as error:  # whatever a library or a tool raises, the reason is the answer
        return f"not known: {type(error).__name__}: {str(error).strip()[:200]}"


def _version(module: str) -> str | None:
    for name in DISTRIBUTIONS.get(module, (module,)):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, cwd=ROOT)
    return done.stdout.strip()


def _revision() -> str:
    changed = _output("git", "status", "--porcelain", "--untracked-files=no")
    return _output("git", "rev-parse", "HEAD") + (" with changes" if changed else "")


def _clocks() -> dict[str, str]:
    values = _output("nvidia-smi", f"--query-gpu={CLOCKS}", "--format=csv,noheader").splitlines()[0].split(",")
    return dict(zip(CLOCKS.split(","), (value.strip() for value in values), strict=True))


def _device() -> dict[str, Any]:
    """The GPU and the versions of CUDA, or why there is none."""
    try:
        import cupy

        runtime = cupy.cuda.runtime
        count = runtime.getDeviceCount()
        found = runtime.getDeviceProperties(runtime.getDevice())
        cupy.zeros(1).get()  # a device that cannot be used is none; this compiles nothing
    except Exception as error:  # CuPy raises many kinds, ImportError for a missing library among them
        return {"device": None, "no_device": f"{type(error).__name__}: {str(error).strip()[:300]}"}
    name = found["name"]
    return {
        "device": name.decode() if isinstance(name, bytes) else name,
        "devices": count,
        "capability": f"{found['major']}.{found['minor']}",
        "memory_bytes": found["totalGlobalMem"],
        "multiprocessors": found["multiProcessorCount"],
        "l2_bytes": found["l2CacheSize"],
        "driver": _answer(runtime.driverGetVersion),
        "cuda_runtime": _answer(runtime.runtimeGetVersion),
        "nvrtc": _answer(lambda: list(cupy.cuda.nvrtc.getVersion())),
    }


if __name__ == "__main__":
    json.dump(describe(), sys.stdout, indent=1)
