"""``tilevm compile``: a kernel to CUDA, PTX, machine code or what it takes, for any architecture and without a GPU."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tilevm.frontend import KernelDefinition
    from tilevm.runtime.compiled import CompiledKernel

__all__ = ["command"]

SHOWN = ("resources", "remarks", "ir", "cuda", "ptx", "sass")
DIVISOR = re.compile(r"\s*(?P<name>\w+)\s*%\s*(?P<divisor>\d+)\s*")


@click.command("compile", short_help="Compile a kernel; no GPU is needed.")
@click.argument("file", type=click.Path())
@click.argument("words", nargs=-1, metavar="[KERNEL] [NAME=VALUE | SIZE%DIVISOR]...")
@click.option("--target", default=None, metavar="NAME", help="The architecture, sm_75 to sm_120a; default: sm_80.")
@click.option("--show", default=None, type=click.Choice(SHOWN), help="What to show; default: resources.")
@click.option("--output", default=None, metavar="FILE", help="Write it to a file; without --show, the machine code.")
def command(file: str, words: tuple[str, ...], target: str | None, show: str | None, output: str | None) -> None:
    """Compile a kernel of FILE. KERNEL is needed where the file has several.

    NAME=VALUE binds a compile-time parameter or a size; SIZE%DIVISOR says what divides a size that stays open.

    \b
    tilevm compile matmul.tvm matmul --target sm_90a W=u4 K%128 N%128
    tilevm compile matmul.tvm matmul W=u4 K=8192 --show cuda
    tilevm compile matmul.tvm matmul W=u4 --output matmul.cubin
    """
    from tilevm.files import replacing
    from tilevm.runtime.kernel import load
    from tilevm.runtime.terminal import write_line

    names = [word for word in words if "=" not in word and "%" not in word]
    kernel = load(file).choose(_only(names), "tilevm compile FILE KERNEL")
    compiled = kernel.compile(target, **_bindings(kernel.definition, words))
    if show is None and output is not None:
        with replacing(output) as written:
            written.write(compiled.cubin)
        return
    text = _shown(compiled, show or "resources")
    if output is None:
        write_line(text)
        return
    with replacing(output) as written:
        written.write(text.encode() + b"\n")


def _only(names: list[str]) -> str | None:
    from tilevm.errors import UsageError

    if len(names) > 1:
        raise UsageError("F009", f"{names[1]!r} is not of the form NAME=VALUE, and {names[0]!r} is the kernel")
    return names[0] if names else None


def _bindings(definition: KernelDefinition, words: tuple[str, ...]) -> dict[str, Any]:
    """The compile-time parameters, sizes and divisors among the words."""
    from tilevm.errors import UsageError
    from tilevm.runtime.command_input import assignments, compile_time

    divisible = {}
    for word in words:
        if "=" not in word and "%" in word:
            found = DIVISOR.fullmatch(word)
            if found is None:
                raise UsageError("F009", f"{word!r} is not of the form SIZE%DIVISOR")
            divisible[found["name"]] = int(found["divisor"])
    texts = assignments("tilevm compile", (word for word in words if "=" in word))
    known = {each.name for each in definition.compile_time}
    parameters = compile_time(definition, {name: text for name, text in texts.items() if name in known})
    sizes = {name: int(text) if text.isdecimal() else text for name, text in texts.items() if name not in known}
    return {**parameters, **sizes, "divisible": divisible}


def _shown(compiled: CompiledKernel, what: str) -> str:
    if what == "resources":
        return _resources(compiled)
    if what == "remarks":
        return "\n".join(str(remark) for remark in compiled.remarks)
    text: str = getattr(compiled, what)
    return text.rstrip("\n")


def _resources(compiled: CompiledKernel) -> str:
    """What the kernel takes, a line for each thing."""
    taken, arch = compiled.resources, compiled.arch
    filled = taken.occupancy
    most = arch.maximum_threads_per_multiprocessor // arch.warp_threads
    unknown = taken.spill_store_bytes is None
    spills = "not known" if unknown else f"{taken.spill_store_bytes} bytes stored, {taken.spill_load_bytes} loaded"
    rows = {
        "architecture": arch.name,
        "threads a block": f"{taken.threads}",
        "registers a thread": f"{taken.registers} of {arch.maximum_registers_per_thread}",
        "spilled": spills,
        "local memory a thread": f"{taken.stack_bytes} bytes",
        "shared memory a block": f"{taken.shared_bytes + taken.dynamic_shared_bytes} "
        f"of {arch.shared_memory_per_block} bytes",
        "blocks a multiprocessor": f"{filled.blocks}, limited by {filled.limit}",
        "warps a multiprocessor": f"{filled.warps} of {most}",
        "code": f"{taken.code_bytes} bytes",
    }
    width = max(map(len, rows))
    return "\n".join([f"{compiled.name}", *(f"  {name:<{width}}  {value}" for name, value in rows.items())])
