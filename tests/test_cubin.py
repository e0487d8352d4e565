"""A cubin is read by its own words, and nothing that it says is believed before it is checked."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilevm.errors import UsageError
from tilevm.runtime import cubin as module
from tilevm.runtime.cubin import complete, disassemble, find_disassembler, read_cubin

ENTRY, FUNCTION, NO_BITS = 0x10, 2, 8


def sized(attribute: int, *words: int) -> bytes:
    return struct.pack("<BBH", 4, attribute, 4 * len(words)) + struct.pack(f"<{len(words)}I", *words)


def short(attribute: int, value: int) -> bytes:
    return struct.pack("<BBH", 3, attribute, value)


def strings(names: list[str]) -> tuple[bytes, dict[str, int]]:
    table, at = b"\0", {}
    for name in names:
        at[name] = len(table)
        table += name.encode() + b"\0"
    return table, at


def build(
    sections: dict[str, tuple[int, bytes | int]], symbols: list[tuple[str, int, int]], flags: int, abi: int
) -> bytes:
    """An ELF file: sections by name, with their kind and content (or size without content), then symbols."""
    symbol_names, symbol_at = strings([name for name, _, _ in symbols])
    table = b"".join(struct.pack("<IBBHQQ", symbol_at[n], kind, other, 1, 0, 0) for n, kind, other in symbols)
    everything: dict[str, tuple[int, bytes | int]] = {"": (0, b""), ".strtab": (3, symbol_names), ".symtab": (2, table)}
    everything |= sections
    names, name_at = strings([*everything, ".shstrtab"])
    everything[".shstrtab"] = (3, names)
    body, rows = b"", b""
    for name, (kind, content) in everything.items():
        data, size = (b"", content) if isinstance(content, int) else (content, len(content))
        link = list(everything).index(".strtab") if name == ".symtab" else 0
        rows += struct.pack("<IIQQQQIIQQ", name_at[name], kind, 0, 0, 64 + len(body), size, link, 0, 1, 0)
        body += data
    programs = struct.pack("<IIQQQQQQ", 6, 5, 0, 0, 0, 0, 0, 8)
    at = 64 + len(body)
    identity = b"\x7fELF\x02\x01\x01" + bytes((65, abi)) + bytes(7)
    counts = (64, 56, 1, 64, len(everything), len(everything) - 1)
    header = struct.pack("<16sHHIQQQIHHHHHH", identity, 2, 190, 1, 0, at + len(rows), at, flags, *counts)
    return header + body + rows + programs


def sample(flags: int = 0x9005A04, abi: int = 8, shared: int = 1024 + 512) -> bytes:
    common = sized(0x2F, 1, 40) + sized(0x11, 1, 16) + sized(0x12, 1, 24) + sized(0x2F, 2, 7)
    own = sized(0x66, 3) + short(0x19, 20) + short(0x1B, 255) + sized(0x05, 64, 2, 1)
    return build(
        {
            ".nv.info": (0x70000000, common),
            ".nv.info.gemm": (0x70000000, own),
            ".text.gemm": (1, bytes(384)),
            ".nv.shared.gemm": (NO_BITS, shared),
            ".nv.constant0.gemm": (1, bytes(548)),
        },
        [("", 0, 0), ("gemm", 0x10 | FUNCTION, ENTRY), ("helper", FUNCTION, 0)],
        flags,
        abi,
    )


def refused(data: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read_cubin(data)
    assert caught.value.code == "F027"
    return str(caught.value)


def test_what_a_cubin_says_about_a_kernel_is_read() -> None:
    read = read_cubin(sample())
    assert read.architecture == "sm_90"
    assert list(read.kernels) == ["gemm"]
    kernel = read.kernels["gemm"]
    assert (kernel.registers, kernel.stack_bytes, kernel.frame_bytes) == (40, 24, 16)
    assert (kernel.shared_bytes, kernel.constant_bytes, kernel.code_bytes) == (512, 548, 384)
    assert (kernel.parameter_bytes, kernel.maximum_threads) == (20, 128)


@pytest.mark.parametrize(
    ("flags", "abi", "name"),
    [(0x9004B04, 8, "sm_75"), (0x9007802, 8, "sm_120"), (0x004B054B, 7, "sm_75"), (0x0056055A, 7, "sm_90")],
)
def test_the_architecture_stands_where_the_version_of_the_format_puts_it(flags: int, abi: int, name: str) -> None:
    assert read_cubin(sample(flags, abi)).architecture == name


def test_shared_memory_counts_the_part_of_the_system_from_sm_90_on() -> None:
    assert read_cubin(sample(0x9005904, shared=1536)).kernels["gemm"].shared_bytes == 1536
    assert read_cubin(sample(0x9006402, shared=1536)).kernels["gemm"].shared_bytes == 512


def test_the_last_byte_is_put_back_and_only_that() -> None:
    whole = sample()
    assert whole.endswith(b"\0")
    assert complete(whole[:-1]) == whole
    assert complete(whole) == whole
    with pytest.raises(UsageError, match="2 bytes early") as caught:
        complete(whole[:-2])
    assert caught.value.code == "F027"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "does not begin"),
        (lambda data: data[:40], "cut short"),
        (lambda data: data[:-1], "cut short"),
        (lambda data: data[:4] + b"\x01" + data[5:], "another machine"),
        (lambda data: data[:18] + b"\x3e\x00" + data[20:], "another machine"),
        (lambda data: data[:58] + b"\x28\x00" + data[60:], "rows of another size"),
        (lambda data: data[:62] + b"\xff\x00" + data[64:], "names of sections"),
        (lambda data: data.replace(b".text.gemm", b".text.gexx"), "no code"),
        (lambda data: data.replace(sized(0x2F, 1, 40), sized(0x2E, 1, 40)), "no register count"),
        (lambda data: data.replace(sized(0x05, 64, 2, 1), b"\x04\x05\x0d\x00" + bytes(12)), "cut short"),
        (lambda data: data.replace(b"helper\0", b"help\xff\xfe\0"), "not text"),
    ],
)
def test_a_damaged_cubin_is_refused_with_what_is_wrong(damage, reason: str) -> None:  # type: ignore[no-untyped-def]
    assert reason in refused(damage(sample()))


def test_a_section_or_a_name_beyond_the_end_is_refused() -> None:
    data = sample()
    first_row = struct.unpack_from("<Q", data, 40)[0] + 64
    assert "beyond its end" in refused(data[: first_row + 24] + struct.pack("<Q", 1 << 60) + data[first_row + 32 :])
    assert "beyond its table" in refused(data[:first_row] + struct.pack("<I", 1 << 30) + data[first_row + 4 :])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_changed_bytes_are_read_or_refused_and_never_anything_else(data: st.DataObject) -> None:
    changed = bytearray(sample())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(4, len(changed) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.one_of(st.just(len(changed)), st.integers(0, len(changed))))
    cut = bytes(changed[:length])
    try:
        refusal, kernels = None, read_cubin(cut).kernels.values()
    except UsageError as error:
        refusal, kernels = error.code, {}.values()
    assert refusal in (None, "F027")
    assert all(kernel.code_bytes + kernel.constant_bytes <= 2 * len(cut) for kernel in kernels)


def test_without_a_disassembler_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_disassembler", lambda: None)
    with pytest.raises(UsageError, match="pip install nvidia-cuda-nvdisasm") as caught:
        disassemble(sample())
    assert caught.value.code == "F028"


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for nvdisasm is a shell script")
def test_a_disassembler_that_fails_is_reported_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvdisasm"
    tool.write_text("#!/bin/sh\necho 'fatal: unknown image' >&2\nexit 3\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert find_disassembler() == str(tool)
    with pytest.raises(UsageError, match="fatal: unknown image") as caught:
        disassemble(sample())
    assert caught.value.code == "F028"
    tool.write_text("#!/nowhere/interpreter\n")
    with pytest.raises(UsageError, match="does not run"):
        disassemble(sample())


def test_what_is_no_cubin_is_not_given_to_the_disassembler() -> None:
    with pytest.raises(UsageError) as caught:
        disassemble(b"#!/bin/sh")
    assert caught.value.code == "F027"
