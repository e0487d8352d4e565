"""What a cubin says about its kernels: registers, stack, shared memory, code. No tool and no GPU is needed.

A cubin is an ELF file. Each kernel has a symbol that is marked as an entry, its code in the section ``.text.NAME``,
its static shared memory in ``.nv.shared.NAME``, its parameters in ``.nv.constant0.NAME``; attributes stand in
``.nv.info`` (for all kernels, by symbol) and ``.nv.info.NAME``, each a format byte, an attribute byte and a value. The
attributes' numbers are those that ``nvdisasm`` prints with their names, ``EIATTR_REGCOUNT`` and so on.

Nothing that is read is trusted: every offset and size is checked against the bytes there are, and a file that does not
hold what it says is refused with ``UsageError`` F027. What a cubin does not say is how much is spilled: only the
assembler's log does (``tilevm.runtime.nvrtc``).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tilevm.errors import UsageError

__all__ = ["Cubin", "KernelImage", "complete", "disassemble", "find_disassembler", "read_cubin"]

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
PROGRAM_HEADER_BYTES = 56

MACHINE_CUDA = 190
SYMBOL_TABLE, NO_BITS = 2, 8
FUNCTION, ENTRY = 2, 0x10

# In .nv.info, a value of format 4 is preceded by its size; that of every other format is two bytes.
SIZED = 4
MAX_THREADS, FRAME_SIZE, MIN_STACK_SIZE, PARAMETER_SIZE, REGISTER_COUNT = 0x05, 0x11, 0x12, 0x19, 0x2F

# From sm_90 on, the size of a kernel's shared memory counts what the system reserves.
RESERVING_FROM, RESERVED_SHARED = 90, 1024


@dataclass(frozen=True)
class KernelImage:
    """What a cubin says about one kernel. Sizes are in bytes, registers have 32 bits."""

    name: str
    registers: int
    """Registers of a thread."""
    stack_bytes: int
    """Local memory of a thread, functions that are called included: its arrays, spilled registers, return addresses."""
    frame_bytes: int
    """The kernel's own part of the stack."""
    shared_bytes: int
    """Static shared memory of a block, without what the system reserves."""
    constant_bytes: int
    """Constant bank 0: the parameters, and what the driver puts before them."""
    parameter_bytes: int
    code_bytes: int
    maximum_threads: int | None
    """Threads of a block that ``__launch_bounds__`` names, or None."""


@dataclass(frozen=True)
class Cubin:
    """A cubin that was read: what it was compiled for, ``sm_90`` (never with the ``a``), and its kernels by name."""

    architecture: str
    kernels: Mapping[str, KernelImage]


class _Header(NamedTuple):
    """The fields of ``Elf64_Ehdr`` in order: where the tables begin, and the size and number of their rows."""

    identity: bytes
    kind: int
    machine: int
    version: int
    entry: int
    programs: int
    sections: int
    flags: int
    header_bytes: int
    program_bytes: int
    program_count: int
    section_bytes: int
    section_count: int
    names: int

    @property
    def end(self) -> int:
        """The number of bytes up to the end of the last table."""
        return max(
            self.programs + self.program_bytes * self.program_count,
            self.sections + self.section_bytes * self.section_count,
        )


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    size: int
    link: int
    data: bytes


def complete(cubin: bytes) -> bytes:
    """A cubin with its last byte, which CuPy's ``getCUBIN`` takes for the end of a string and drops.

    The header says where the file ends, in a table whose last field is an alignment of eight bytes, so the byte is a
    zero. A cubin that is whole is returned as it is; one that lacks more is refused with ``UsageError`` F027.
    """
    missing = _header(cubin).end - len(cubin)
    if missing > 1:
        raise _damaged(f"it ends {missing} bytes early")
    return cubin + b"\0" * missing


def read_cubin(cubin: bytes) -> Cubin:
    """The kernels of a cubin. Raises ``UsageError`` F027 for what is not a whole one.

    >>> read_cubin(b"not ELF at all")
    Traceback (most recent call last):
    tilevm.errors.UsageError: error[F027]: this is no cubin that can be read: it does not begin as an ELF file does
    """
    header = _header(cubin)
    if header.end > len(cubin):
        raise _damaged("it is cut short")
    sections = _sections(cubin, header)
    by_name = {section.name: section for section in sections}
    symbols = list(_symbols(sections))
    number = header.flags >> 8 & 0xFF if header.identity[8] >= 8 else header.flags & 0xFF
    common = _by_symbol(by_name[".nv.info"]) if ".nv.info" in by_name else {}
    kernels = {}
    for index, name, is_entry in symbols:
        if is_entry:
            kernels[name] = _kernel(name, common.get(index, {}), by_name, number)
    return Cubin(f"sm_{number}", kernels)


def _damaged(reason: str) -> UsageError:
    return UsageError("F027", f"this is no cubin that can be read: {reason}")


def _header(cubin: bytes) -> _Header:
    if not cubin.startswith(b"\x7fELF"):
        raise _damaged("it does not begin as an ELF file does")
    if len(cubin) < HEADER.size:
        raise _damaged("it is cut short")
    header = _Header(*HEADER.unpack_from(cubin))
    if header.identity[4:6] != b"\x02\x01" or header.machine != MACHINE_CUDA:
        raise _damaged("it is for another machine")
    if header.program_bytes not in (0, PROGRAM_HEADER_BYTES) or header.section_bytes != SECTION.size:
        raise _damaged("its tables have rows of another size")
    return header


def _sections(cubin: bytes, header: _Header) -> list[_Section]:
    start, count = header.sections, header.section_count
    rows = [SECTION.unpack_from(cubin, start + i * SECTION.size) for i in range(count)]
    if header.names >= count:
        raise _damaged("it has no names of sections")

    def content(row: tuple[int, ...]) -> bytes:
        kind, offset, size = row[1], row[4], row[5]
        if kind == NO_BITS:
            return b""
        if offset + size > len(cubin):
            raise _damaged("a section reaches beyond its end")
        return cubin[offset : offset + size]

    names = content(rows[header.names])
    return [_Section(_text(names, row[0]), row[1], row[5], row[6], content(row)) for row in rows]


def _text(strings: bytes, start: int) -> str:
    """The string that begins at an offset of a table of strings."""
    end = strings.find(b"\0", start)
    if start > len(strings) or end < 0:
        raise _damaged("a name reaches beyond its table")
    try:
        return strings[start:end].decode()
    except UnicodeDecodeError:
        raise _damaged("a name is not text") from None


def _symbols(sections: list[_Section]) -> Iterator[tuple[int, str, bool]]:
    """Index and name of every symbol, and whether it is a kernel's."""
    for section in sections:
        if section.kind != SYMBOL_TABLE:
            continue
        if section.link >= len(sections) or len(section.data) % SYMBOL.size:
            raise _damaged("its symbols cannot be told apart")
        names = sections[section.link].data
        for index, (name, info, other, _, _, _) in enumerate(SYMBOL.iter_unpack(section.data)):
            yield index, _text(names, name), info & 0xF == FUNCTION and bool(other & ENTRY)


def _attributes(info: _Section) -> Iterator[tuple[int, bytes]]:
    """Number and value of every attribute of an ``.nv.info`` section."""
    data, at = info.data, 0
    while at < len(data):
        if at + 4 > len(data):
            raise _damaged(f"an attribute in {info.name} is cut short")
        size = struct.unpack_from("<H", data, at + 2)[0] if data[at] == SIZED else 0
        value = data[at + 4 : at + 4 + size] if data[at] == SIZED else data[at + 2 : at + 4]
        if data[at] == SIZED and len(value) != size:
            raise _damaged(f"an attribute in {info.name} is cut short")
        yield data[at + 1], value
        at += 4 + size


def _by_symbol(info: _Section) -> dict[int, dict[int, int]]:
    """The attributes that are a symbol and a number: for each symbol, numbers by attribute."""
    found: dict[int, dict[int, int]] = {}
    for attribute, value in _attributes(info):
        if attribute in (REGISTER_COUNT, FRAME_SIZE, MIN_STACK_SIZE):
            if len(value) != 8:
                raise _damaged(f"an attribute in {info.name} has {len(value)} bytes in place of 8")
            symbol, number = struct.unpack("<II", value)
            found.setdefault(symbol, {})[attribute] = number
    return found


def _kernel(name: str, common: Mapping[int, int], sections: Mapping[str, _Section], number: int) -> KernelImage:
    if REGISTER_COUNT not in common or f".text.{name}" not in sections:
        raise _damaged(f"it has no code or no register count for {name!r}")
    parameter_bytes, maximum_threads = 0, None
    info = sections.get(f".nv.info.{name}")
    for attribute, value in _attributes(info) if info else ():
        if attribute == PARAMETER_SIZE and len(value) == 2:
            parameter_bytes = int.from_bytes(value, "little")
        if attribute == MAX_THREADS and len(value) == 12:
            x, y, z = struct.unpack("<III", value)
            maximum_threads = x * y * z
    shared = sections[f".nv.shared.{name}"].size if f".nv.shared.{name}" in sections else 0
    constants = sections.get(f".nv.constant0.{name}")
    if number >= RESERVING_FROM:
        shared = max(0, shared - RESERVED_SHARED)
    return KernelImage(
        name,
        registers=common[REGISTER_COUNT],
        stack_bytes=common.get(MIN_STACK_SIZE, 0),
        frame_bytes=common.get(FRAME_SIZE, 0),
        shared_bytes=shared,
        constant_bytes=len(constants.data) if constants else 0,
        parameter_bytes=parameter_bytes,
        code_bytes=len(sections[f".text.{name}"].data),
        maximum_threads=maximum_threads,
    )


def disassemble(cubin: bytes, *, options: tuple[str, ...] = ("-c",)) -> str:
    """The machine code of a cubin as text, by NVIDIA's ``nvdisasm``; ``-c`` leaves out what is not code.

    Raises ``UsageError`` F027 for what is not a cubin, F028 where there is no ``nvdisasm`` or it fails.
    """
    import subprocess
    import tempfile

    read_cubin(cubin)
    tool = find_disassembler()
    if tool is None:
        raise UsageError(
            "F028",
            "machine code is shown by NVIDIA's nvdisasm, which is not on this machine",
            help="pip install nvidia-cuda-nvdisasm",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel.cubin")
        with open(path, "wb") as file:
            file.write(cubin)
        try:
            done = subprocess.run([tool, *options, path], capture_output=True, text=True, timeout=60, check=True)
        except subprocess.CalledProcessError as error:
            reason = error.stderr.strip() or f"exit status {error.returncode}"
            raise UsageError("F028", f"nvdisasm does not read this cubin: {reason}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError("F028", f"{tool} does not run: {error}") from None
    return done.stdout


def find_disassembler() -> str | None:
    """The path of ``nvdisasm``: on ``PATH``, else in the wheel ``nvidia-cuda-nvdisasm``, else None."""
    import shutil
    from importlib import metadata

    found = shutil.which("nvdisasm")
    if found is not None:
        return found
    try:
        files = metadata.files("nvidia-cuda-nvdisasm") or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name in ("nvdisasm", "nvdisasm.exe"):
            path = str(file.locate())
            return path if os.access(path, os.X_OK) else None
    return None
