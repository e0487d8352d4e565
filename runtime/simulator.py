"""Emitted CUDA run on the host: compiled as C++ with another intrinsics library, one fiber for each GPU thread.

``compile_host`` makes a shared object of a source by the C++ compiler that it finds; ``launch`` runs a grid of blocks
over NumPy arrays. What a GPU would do silently wrong is found, with the lines of the ``.tvm`` text: accesses outside
of a buffer, missing barriers and waits, reads of what nobody wrote, misaligned accesses, threads that wait for ever.
For each line it is counted how often the banks of shared memory collide and how many bytes of global memory move.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tilevm.codegen.library import host_headers
from tilevm.errors import Diagnostic, ExecutionError, Source, TilevmError, UsageError
from tilevm.runtime.findings import Finding, diagnostic
from tilevm.runtime.printed import PIECE, printed_lines

__all__ = ["HostModule", "LineCounts", "Simulation", "compile_host", "find_compiler"]

OPTIONS = ("-std=c++17", "-fPIC", "-ffp-contract=off", "-fno-strict-aliasing", "-fvisibility=hidden")
"""Options of every compilation. Sums are not contracted: the source says where an fma is meant."""

FINDINGS, LINES, BUFFER_SHIFT = 64, 1 << 16, 40
KEPT = 256
"""Compiled sources that a process keeps."""


@dataclass(frozen=True)
class LineCounts:
    """What the accesses of one line cost, over the whole grid. A request is one instruction of a warp."""

    shared_requests: int
    wavefronts: int
    """Passes through the banks of shared memory."""
    ideal_wavefronts: int
    """Passes that the words touched would take without a conflict."""
    global_requests: int
    sectors: int
    """Sectors of 32 bytes that the requests touch."""
    useful_bytes: int
    """Different bytes that were asked for, in global memory."""

    @property
    def moved_bytes(self) -> int:
        """Bytes that global memory moves for them: whole sectors."""
        return 32 * self.sectors


@dataclass(frozen=True)
class Simulation:
    """What came of a launch: findings, the gravest of which ended it, and the cost of each line that touches memory."""

    findings: tuple[Diagnostic, ...]
    lines: Mapping[int, LineCounts]
    printed: str = ""
    """What the blocks print, each line ended, in order of the blocks: the lines that the interpreter prints."""

    def check(self) -> None:
        """Raises ``ExecutionError`` with every finding, R040 to R048, R013 or R014, if there is one."""
        if self.findings:
            raise ExecutionError.of(self.findings)


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("bytes", ctypes.c_uint64), ("writable", ctypes.c_uint64))


class _Launch(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint32 * 3),
        ("buffer_count", ctypes.c_uint32),
        ("buffers", ctypes.POINTER(_Buffer)),
        ("arguments", ctypes.POINTER(ctypes.c_uint64)),
        ("argument_count", ctypes.c_uint32),
        ("finding_capacity", ctypes.c_uint32),
        ("finding_count", ctypes.c_uint32),
        ("line_count", ctypes.c_uint32),
        ("findings", ctypes.POINTER(Finding)),
        ("counts", ctypes.c_void_p),
        ("dropped", ctypes.c_uint64),
        ("order", ctypes.c_void_p),
        ("shuffle", ctypes.c_uint64),
        ("resident", ctypes.c_uint64),
        ("printed", ctypes.c_void_p),
        ("printed_count", ctypes.c_uint64),
    )


@cache
def find_compiler() -> tuple[str, ...]:
    """The command of a C++ compiler: ``$CXX`` if it is set, else ``c++``, ``clang++``, ``g++`` or ``ziglang``'s.

    Raises ``UsageError`` F030 where there is none, or not the one that ``$CXX`` names.
    """
    given = os.environ.get("CXX", "").split()
    for command in (given,) if given else (["c++"], ["clang++"], ["g++"]):
        if shutil.which(command[0]):
            return tuple(command)
    if given:
        raise UsageError(
            "F030",
            f"the simulator needs a C++ compiler, and {given[0]}, which $CXX names, is not there",
            help="correct $CXX, or unset it to take the c++, clang++ or g++ on PATH; backend interpreter needs none",
        )
    if importlib.util.find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang", "c++")
    raise UsageError(
        "F030",
        "the simulator needs a C++ compiler, and c++ or clang++ is not there",
        help="install g++ or clang++, or `pip install ziglang`, or name one in $CXX; backend interpreter needs none",
    )


class HostModule:
    """A compiled source. Launches of one module run one after another."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._lock = threading.Lock()

    def launch(
        self,
        kernel: str,
        grid: int | Sequence[int],
        arguments: Sequence[Any],
        *,
        source: Source | None = None,
        order: int | None = None,
        resident: int | None = None,
    ) -> Simulation:
        """Runs a kernel over a grid of up to three extents, and returns what was found.

        ``arguments``: a contiguous array for each pointer (one that is not writeable must only be read), an integer
        for each integer parameter, a NumPy scalar for each parameter of another type. ``source`` is the text whose
        lines ``TV_LINE`` names. Blocks run one after another in the order of their numbers, each until it ends or
        waits. With the seed ``order`` they begin in a shuffled order, and a few at a time run in turns, which change
        after barriers, atomics and flags. At most ``resident`` blocks have begun and not ended.

        Raises ``UsageError`` F032 for a kernel that is not in the module, F033 for arguments that do not fit it.
        """
        entry = getattr(self._library, f"tv_launch_{kernel}", None)
        if entry is None:
            raise UsageError("F032", f"the compiled source has no kernel {kernel!r}")
        extents = (grid,) if isinstance(grid, int) else tuple(grid)
        if not 1 <= len(extents) <= 3 or any(extent < 0 for extent in extents):
            raise UsageError("F033", f"{grid!r} is not a grid", help="give one to three extents, none negative")
        buffers, words = _arguments(arguments)
        findings = (Finding * FINDINGS)()
        counts = np.zeros((LINES, 6), np.uint64)
        random = None if order is None else np.random.default_rng(order)
        begins = None if random is None else random.permutation(np.arange(math.prod(extents)))
        launch = _Launch(
            grid=(ctypes.c_uint32 * 3)(*extents, *[1] * (3 - len(extents))),
            buffer_count=len(buffers),
            buffers=(_Buffer * max(1, len(buffers)))(*buffers),
            arguments=(ctypes.c_uint64 * max(1, len(words)))(*words),
            argument_count=len(words),
            finding_capacity=FINDINGS,
            line_count=LINES,
            findings=findings,
            counts=counts.ctypes.data,
            order=None if begins is None else begins.ctypes.data,
            shuffle=0 if random is None else int(random.integers(1, 1 << 63)),
            resident=resident or 0,
        )
        with self._lock:
            wanted = entry(ctypes.byref(launch))
            pieces = b"" if wanted else ctypes.string_at(launch.printed or 0, launch.printed_count * PIECE.itemsize)
            printed = printed_lines(np.frombuffer(pieces, PIECE), extents)
        if wanted:
            raise UsageError("F033", f"kernel {kernel!r} takes {wanted - 1} arguments, {len(words)} were given")
        touched = np.flatnonzero(counts.any(axis=1)).tolist()
        return Simulation(
            tuple(diagnostic(found, source) for found in findings[: launch.finding_count]),
            {line: LineCounts(*counts[line].tolist()) for line in touched},
            printed,
        )


def _arguments(arguments: Iterable[Any]) -> tuple[list[_Buffer], list[int]]:
    """The buffers behind the arguments, and each argument as the 64 bits that the kernel takes it from."""
    buffers: list[_Buffer] = []
    words: list[int] = []
    for number, value in enumerate(arguments):
        if isinstance(value, np.ndarray):
            if not value.flags.c_contiguous:
                raise UsageError("F033", f"argument {number} is an array that is not contiguous")
            buffers.append(_Buffer(value.ctypes.data, value.nbytes, value.flags.writeable))
            words.append(len(buffers) << BUFFER_SHIFT)
        elif isinstance(value, np.generic) and value.nbytes <= 8:
            words.append(int.from_bytes(value.tobytes(), sys.byteorder))
        elif isinstance(value, int) and -(1 << 63) <= value < 1 << 64:
            words.append(value & ((1 << 64) - 1))
        else:
            raise UsageError(
                "F033",
                f"argument {number} is {value!r}",
                help="give an array for a pointer, an integer of 64 bits, or a NumPy scalar such as np.float32(0.5)",
            )
    return buffers, words


def compile_host(source: str, *, name: str = "kernel.cu", options: Sequence[str] = (), optimise: int = 1) -> HostModule:
    """Compiles an emitted source, without the device's library, for this machine. ``optimise`` is 0, 1, 2 or 3.

    What was compiled is kept in the process, for the sources that came last, and nowhere else: a shared object is code,
    and nothing that is read from a cache is executed.

    Raises ``UsageError`` F030 where there is no C++ compiler, ``TilevmError`` F031 where the source does not compile.
    """
    return _compile(find_compiler(), source, name, (f"-O{optimise}", *options))


@lru_cache(maxsize=KEPT)
def _compile(compiler: tuple[str, ...], source: str, name: str, options: tuple[str, ...]) -> HostModule:
    machine = _machine(compiler, tuple(option for option in options if _concerns_machine(option)))
    with tempfile.TemporaryDirectory(prefix="tilevm-", ignore_cleanup_errors=True) as folder:
        written, object, built = (Path(folder) / f"kernel.{suffix}" for suffix in ("cpp", "o", "so"))
        written.write_text(f'#include "host.h"\n#line 1 "{name}"\n{source}', encoding="utf-8")
        _run(_command(compiler, options, "-c", str(written), "-o", str(object)))
        _run([*compiler, *OPTIONS, "-shared", str(object), str(machine.result()), "-o", str(built)])
        # A shared object that is loaded stays usable when its file is gone.
        return HostModule(ctypes.CDLL(str(built)))


def _concerns_machine(option: str) -> bool:
    """Whether the machine is compiled with it too: not how the kernel is optimised, nor names that its text uses."""
    return not option.startswith("-O") and (not option.startswith("-D") or option.startswith("-DTV_"))


@cache
def _machine(compiler: tuple[str, ...], options: tuple[str, ...]) -> Future[Path]:
    """The object file of the machine, which is compiled once in a process, beside its first kernel."""
    folder = tempfile.TemporaryDirectory(prefix="tilevm-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    built = Path(folder.name) / "machine.o"
    source = host_headers() / "host" / "machine" / "machine.cpp"
    command = _command(compiler, ("-O2", *options), "-c", str(source), "-o", str(built))

    def compiled() -> Path:
        _run(command)
        return built

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(compiled)
    finally:
        pool.shutdown(wait=False)


def _command(compiler: Sequence[str], options: Sequence[str], *files: str) -> list[str]:
    native = "-mcpu=native" if platform.machine().lower() in ("arm64", "aarch64") else "-march=native"
    return [*compiler, *OPTIONS, native, *options, f"-I{host_headers()}", *files]


def _run(command: Sequence[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        first = next((line for line in result.stderr.splitlines() if "error" in line), "no reason was given")
        raise TilevmError(
            "F031", f"the source does not compile for the host: {first}", help=f"{command[0]}:\n{result.stderr}"
        )
