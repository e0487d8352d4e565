"""CUDA source to machine code, in this process and without a GPU, by NVRTC through CuPy's binding of it.

The binding, ``cupy.cuda.nvrtc``, needs neither a driver nor a toolkit, and is imported when something is compiled. The
result is a cubin for one architecture, its PTX, what the assembler said, and for each kernel the resources that it
takes: from the cubin where it says them, from the assembler's log what only that knows.

A source that does not compile is a ``TilevmError`` F026 with one diagnostic for each complaint, placed in the ``.tvm``
text where ``#line`` leads there. The assembler names lines of PTX; they are followed back by the PTX's own line table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tilevm.arch import Arch
from tilevm.errors import Diagnostic, Source, Span, TilevmError, UsageError
from tilevm.runtime.cache import Cache, key
from tilevm.runtime.cubin import complete, read_cubin
from tilevm.version import __version__

__all__ = ["OPTIONS", "Compiled", "Resources", "compile_cuda", "nvrtc_version"]

OPTIONS = ("-std=c++17", "-default-device", "-lineinfo", "--ptxas-options=-v")
"""Options of every compilation, beside the architecture. The last has the assembler say what it spills."""

INVALID_OPTION = 5

SPILLS = re.compile(
    r"Function properties for (?P<name>\S+)\n"
    r"[^\n]*?\d+ bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads"
)
REFUSED = re.compile(
    r"^(?P<file>[^\n(]+)\((?P<line>\d+)\): (?:catastrophic )?error(?: #[\w-]+)?: (?P<text>.*)$", re.MULTILINE
)
REFUSED_BY_ASSEMBLER = re.compile(
    r"^ptxas (?:application ptx input, line (?P<line>\d+); )?error +: (?P<text>.*)$", re.MULTILINE
)
PTX_FILE = re.compile(r'^\s*\.file\s+(?P<number>\d+)\s+"(?P<name>[^"]*)"', re.MULTILINE)
PTX_PLACE = re.compile(r"(?:^\s*\.loc|inlined_at)\s+(?P<number>\d+)\s+(?P<line>\d+)")


@dataclass(frozen=True)
class Resources:
    """What a kernel takes. Sizes are in bytes; a register has 32 bits."""

    registers: int
    """Registers of a thread."""
    spill_store_bytes: int | None
    """Stores of a thread to local memory for want of registers, by instruction; None where the log does not say."""
    spill_load_bytes: int | None
    """Loads likewise."""
    stack_bytes: int
    """Local memory of a thread: spilled registers, and arrays that are not indexed by constants."""
    shared_bytes: int
    """Static shared memory of a block, without what the system reserves."""
    constant_bytes: int
    """Constant bank 0: the parameters, and what the driver puts before them."""
    code_bytes: int


@dataclass(frozen=True)
class Compiled:
    """A source that was compiled for one architecture, with the resources of each kernel by name."""

    architecture: str
    cubin: bytes
    ptx: str
    log: str
    resources: Mapping[str, Resources]
    entry: str = ""
    """The name under which a cache keeps it, from everything that it depends on."""

    @property
    def parts(self) -> dict[str, bytes]:
        """What a cache keeps of it."""
        return {"cubin": self.cubin, "ptx": self.ptx.encode(), "log": self.log.encode()}


def nvrtc_version() -> tuple[int, int]:
    """Major and minor version of NVRTC. Raises ``UsageError`` F024 where CuPy or NVRTC is not there."""
    major, minor = _binding().getVersion()
    return major, minor


def compile_cuda(
    source: str,
    architecture: Arch,
    *,
    name: str = "kernel.cu",
    options: tuple[str, ...] = (),
    sources: Iterable[Source] = (),
    cache: Cache | None = None,
) -> Compiled:
    """Compiles CUDA C++ for an architecture, or takes the result from the cache.

    ``name`` is what NVRTC calls the source, ``options`` are added to ``OPTIONS``, and ``sources`` are the texts that
    ``#line`` in the source names, for diagnostics with carets.

    Raises ``UsageError`` F024 where CuPy or NVRTC is not there, F025 for an architecture or an option that this NVRTC
    does not take; ``TilevmError`` F026 where the source does not compile.
    """
    binding = _binding()
    version = "{}.{}".format(*binding.getVersion())
    every = (*OPTIONS, f"-arch={architecture.name}", *options)
    entry = key(f"tilevm {__version__}", f"NVRTC {version}", *every, name, source)
    parts = None if cache is None else cache.get(entry)
    if parts is None:
        parts = _compile(binding, source, name, every, tuple(sources), f"NVRTC {version}")
        if cache is not None:
            cache.put(entry, parts)
    log = parts["log"].decode()
    resources = _resources(parts["cubin"], log)
    return Compiled(architecture.name, parts["cubin"], parts["ptx"].decode(), log, resources, entry)


def _binding() -> Any:
    """CuPy's binding of NVRTC, which has found the library."""
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except (ImportError, RuntimeError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            "F024",
            f"compiling CUDA needs CuPy and NVRTC: {reason}",
            help="pip install 'tilevm[cuda13]', or 'tilevm[cuda12]' for a driver older than 580. Without them, "
            "backend interpreter runs every kernel, and with a C++ compiler backend simulator runs the emitted CUDA",
        ) from None
    return nvrtc


def _compile(
    binding: Any, source: str, name: str, options: tuple[str, ...], sources: tuple[Source, ...], nvrtc: str
) -> dict[str, bytes]:
    """The parts of a cache entry: the cubin, its PTX and the log."""
    program = binding.createProgram(source, name, (), ())
    try:
        try:
            binding.compileProgram(program, options)
        except binding.NVRTCError as error:
            log = _log(binding, program)
            if error.status == INVALID_OPTION:
                raise _refused_option(log, nvrtc) from None
            raise TilevmError.of(_complaints(log, binding.getPTX(program).decode(), sources)) from None
        return {
            "cubin": complete(binding.getCUBIN(program)),
            "ptx": binding.getPTX(program),
            "log": _log(binding, program).encode(),
        }
    finally:
        binding.destroyProgram(program)


def _log(binding: Any, program: Any) -> str:
    """What compiler and assembler wrote, without the zeros between the two."""
    log: str = binding.getProgramLog(program)
    return log.replace("\0", "").strip()


def _refused_option(log: str, nvrtc: str) -> UsageError:
    reason = log.removeprefix("nvrtc: error: ")
    return UsageError(
        "F025",
        f"{nvrtc} does not take an option: {reason}",
        help="a newer one knows more architectures: pip install --upgrade 'tilevm[cuda13]'"
        if "architecture" in reason
        else None,
    )


def _resources(cubin: bytes, log: str) -> dict[str, Resources]:
    spills = {found["name"]: (int(found["stores"]), int(found["loads"])) for found in SPILLS.finditer(log)}
    resources = {}
    for name, kernel in read_cubin(cubin).kernels.items():
        stores, loads = spills.get(name, (None, None))
        resources[name] = Resources(
            registers=kernel.registers,
            spill_store_bytes=stores,
            spill_load_bytes=loads,
            stack_bytes=kernel.stack_bytes,
            shared_bytes=kernel.shared_bytes,
            constant_bytes=kernel.constant_bytes,
            code_bytes=kernel.code_bytes,
        )
    return resources


def _complaints(log: str, ptx: str, sources: tuple[Source, ...]) -> Iterator[Diagnostic]:
    """One diagnostic for each thing that the compiler or the assembler refuses; the first has the whole log."""
    texts = {source.name: source for source in sources}
    help: str | None = "the compiler wrote:\n" + log
    for found in REFUSED.finditer(log):
        yield _complaint(found["text"], (found["file"], int(found["line"])), texts, help)
        help = None
    for found in REFUSED_BY_ASSEMBLER.finditer(log):
        place = _place_of_ptx(ptx, int(found["line"]), texts) if found["line"] else None
        yield _complaint(found["text"], place, texts, help)
        help = None
    if help is not None:
        yield _complaint("no reason was found in the log", None, texts, help)


def _complaint(text: str, place: tuple[str, int] | None, texts: Mapping[str, Source], help: str | None) -> Diagnostic:
    message = f"the CUDA source does not compile: {text}"
    if place is None:
        return Diagnostic("F026", message, help=help)
    source, line = texts.get(place[0]), place[1]
    if source is None or line > len(source.line_starts):
        return Diagnostic("F026", f"{place[0]}({line}): {message}", help=help)
    written = source.line(line)
    start = source.line_starts[line - 1] + len(written) - len(written.lstrip())
    return Diagnostic("F026", message, Span(source, start, start + len(written.strip())), help=help)


def _place_of_ptx(ptx: str, line: int, texts: Mapping[str, Source]) -> tuple[str, int] | None:
    """File and line that a line of PTX comes from, rather one of ``texts`` than what was inlined there."""
    here = os.path.join(os.getcwd(), "")  # which NVRTC puts before names that are not absolute
    files = {found["number"]: found["name"].removeprefix(here) for found in PTX_FILE.finditer(ptx)}
    nearest = None
    for written in reversed(ptx.splitlines()[:line]):
        if written.startswith((".visible", ".entry", ".func")):
            break
        for found in PTX_PLACE.finditer(written):
            place = files.get(found["number"], ""), int(found["line"])
            if place[0] in texts:
                return place
            nearest = nearest or place
    return nearest
