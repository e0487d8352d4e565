"""Machine code read from the text that ``nvdisasm`` writes: instructions, loops, and the pipes that instructions go to.

A loop is a branch to a label that stands before it, and all instructions in between; ptxas lays loops out in one piece.
What stands behind the last ``EXIT`` (the branch to itself that pads a kernel, slow paths that are called) is no part of
one. With line information (``-gi``) each instruction knows the line of the source it is from, which is that of the
``.tvm`` text where the intrinsics were inlined there.

>>> kernel = read_sass(EXAMPLE)["copy"]
>>> [loop.count for loop in kernel.loops], kernel.loops[0].loads()
([4], {'LDG.128': 1})
>>> {pipe: n for pipe, n in kernel.loops[0].by_pipe().items()}
{'lsu': 2, 'alu': 1, 'branch': 1}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

__all__ = ["MatrixShape", "SassInstruction", "SassKernel", "SassLoop", "pipe_of", "read_sass"]

EXAMPLE = """
.text.copy:
        /*0000*/                   S2R R0, SR_TID.X ;
.L_x_0:
        /*0010*/                   LDG.E.128.CONSTANT R4, desc[UR4][R2.64] ;
        /*0020*/                   STG.E.128 desc[UR4][R8.64], R4 ;
        /*0030*/                   ISETP.GE.AND P0, PT, R0, 0x40, PT ;
        /*0040*/              @!P0 BRA `(.L_x_0) ;
        /*0050*/                   EXIT ;
.L_x_1:
        /*0060*/                   BRA `(.L_x_1);
"""

KERNEL = re.compile(r"^\.text\.(?P<name>[^\s:]+):", re.MULTILINE)
LABEL = re.compile(r"^(?P<name>\.L_[\w.]+):")
PLACE = re.compile(r'^\s*//## File "(?P<file>[^"]*)", line (?P<line>\d+)')
INSTRUCTION = re.compile(
    r"^\s*/\*(?P<address>[0-9a-f]{4,})\*/\s+(?:\{\s*)?(?P<predicate>@!?U?P\w+\s+)?(?P<opcode>[A-Z][\w.]*)(?P<operands>[^;]*);"
)
TARGET = re.compile(r"`\((?P<label>\.L_[\w.]+)\)")


class MatrixShape(NamedTuple):
    """The product that a matrix instruction makes."""

    m: int
    n: int
    k: int

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.m * self.n * self.k


SHAPES = {
    "884": MatrixShape(8, 8, 4),
    "8816": MatrixShape(8, 8, 16),
    "8832": MatrixShape(8, 8, 32),
    "1684": MatrixShape(16, 8, 4),
    "1688": MatrixShape(16, 8, 8),
    "16816": MatrixShape(16, 8, 16),
    "16832": MatrixShape(16, 8, 32),
    "16864": MatrixShape(16, 8, 64),
    "168128": MatrixShape(16, 8, 128),
    "168256": MatrixShape(16, 8, 256),
}
"""The shapes of matrix instructions as opcodes spell them."""

TENSOR = frozenset(("HMMA", "IMMA", "DMMA", "BMMA", "QMMA", "OMMA", "HGMMA", "IGMMA", "QGMMA", "BGMMA"))
LOADS = frozenset(("LD", "LDG", "LDGSTS", "LDS", "LDSM", "LDL"))
_GROUPS: Mapping[str, str] = {
    "fma": "FADD FMUL FFMA FSWZADD FADD32I FMUL32I FFMA32I FADD2 FMUL2 FFMA2 FHADD FHFMA",
    "heavy": "IMAD IMUL IDP IDP4A XMAD",
    "half": "HADD2 HMUL2 HFMA2 HSET2 HSETP2 HMNMX2 HADD2_32I HMUL2_32I HFMA2_32I",
    "alu": (
        "LOP LOP3 LOP32I PLOP3 SHF SHL SHR PRMT IADD IADD3 IADD32I LEA ISETP ICMP IMNMX VIMNMX VIMNMX3 VIADD "
        "VIADDMNMX SEL FSEL FSET FSETP FMNMX FMNMX3 FCMP MOV MOV32I SGXT BMSK IABS I2I F2FP I2FP I2IP P2R R2P CS2R "
        "S2R VOTE VOTEU FCHK VABSDIFF VABSDIFF4 ISCADD PSETP CSET CSETP MOVM GETLMEMBASE LEPC PREEXIT PMTRIG"
    ),
    "xu": "MUFU F2F F2I I2F FRND POPC FLO BREV F2IP",
    "fp64": "DADD DMUL DFMA DSETP DMNMX",
    "lsu": (
        "LD LDG LDS LDL LDC LDSM LDGSTS LDT LDTM ST STG STS STL STSM STT STTM ATOM ATOMS ATOMG RED REDG REDS SHFL "
        "REDUX MATCH UTMALDG UTMASTG UTMAREDG UBLKCP UBLKPF SYNCS CCTL CCTLL SUATOM SULD SUST TEX TLD LDCU"
    ),
    "branch": (
        "BRA BRX JMP JMX JMXU CALL RET EXIT BSSY BSYNC BREAK BMOV BAR WARPSYNC NANOSLEEP YIELD DEPBAR LDGDEPBAR MEMBAR "
        "ERRBAR CGAERRBAR NOP KILL BPT RPCMOV ACQBULK ENDCOLLECTIVE UCGABAR_ARV UCGABAR_WAIT ELECT WARPGROUP ARRIVES "
        "FENCE"
    ),
}
_PIPES = {opcode: pipe for pipe, opcodes in _GROUPS.items() for opcode in opcodes.split()}


def pipe_of(opcode: str) -> str:
    """The pipe of ``tilevm.devices.PIPES`` that an opcode goes to, ``tensor`` for tensor cores; ``other`` where it is
    not known.

    >>> [pipe_of(each) for each in ("HMMA.16816.F32", "LOP3.LUT", "UIADD3", "IMAD.WIDE", "LDGSTS.E.BYPASS.128")]
    ['tensor', 'alu', 'uniform', 'heavy', 'lsu']
    """
    name = opcode.partition(".")[0]
    if name in TENSOR or (name.startswith("UTC") and name.endswith("MMA")):
        return "tensor"
    if name in _PIPES:
        return _PIPES[name]
    # What a warp computes once has the name of what lanes compute, with a U before it.
    return "uniform" if name.startswith("U") or name in ("R2UR", "S2UR", "REDUX", "CS2UR") else "other"


@dataclass(frozen=True)
class SassInstruction:
    """One instruction."""

    address: int
    opcode: str
    """With its modifiers: ``LDG.E.128.CONSTANT``."""
    operands: str
    predicate: str
    place: tuple[str, int] | None
    """File and line that it is from."""
    target: int | None = None
    """The address that a branch leads to."""

    @property
    def name(self) -> str:
        """The opcode without modifiers."""
        return self.opcode.partition(".")[0]

    @property
    def never(self) -> bool:
        """Whether no lane ever executes it: what ptxas puts before ``LDGDEPBAR`` is issued, and nothing more."""
        return self.predicate == "@!PT"

    @property
    def pipe(self) -> str:
        """Where it goes; what is never executed takes no more than its issue, as a branch does."""
        return "branch" if self.never else pipe_of(self.opcode)

    @property
    def width(self) -> int:
        """Bits that a lane moves, for what moves data; 32 where the opcode says nothing else."""
        parts = self.opcode.split(".")[1:]
        if self.name in ("LDSM", "STSM"):
            return 32 * int(parts[-1]) if parts[-1] in ("2", "4") else 32
        for part in reversed(parts):
            number = part.lstrip("USB")
            if number in ("8", "16", "32", "64", "128", "256"):
                return int(number)
        return 32

    @property
    def shape(self) -> MatrixShape | None:
        """The product of a matrix instruction; None for any other, and for those of a warpgroup."""
        if self.name not in TENSOR:
            return None
        return next((SHAPES[part] for part in self.opcode.split(".") if part in SHAPES), None)


@dataclass(frozen=True)
class SassLoop:
    """A loop: its own instructions, and the loops inside."""

    start: int
    """The address of the first instruction."""
    end: int
    """That of the branch back."""
    instructions: tuple[SassInstruction, ...] = field(repr=False)
    """Those that are in no inner loop."""
    inner: tuple[SassLoop, ...] = ()

    @property
    def count(self) -> int:
        """Instructions of an iteration, without inner loops."""
        return len(self.instructions)

    def by_pipe(self) -> dict[str, int]:
        """Instructions of an iteration, by pipe, without inner loops."""
        return dict(Counter(each.pipe for each in self.instructions))

    def opcodes(self) -> dict[str, int]:
        """Instructions of an iteration by opcode without modifiers, the most frequent first."""
        return dict(Counter(each.name for each in self.instructions).most_common())

    def loads(self) -> dict[str, int]:
        """Instructions that load, by what they are and the bits of a lane: ``LDG.128``."""
        loads = (each for each in self.instructions if each.name in LOADS and not each.never)
        return dict(Counter(f"{each.name}.{each.width}" for each in loads))

    def spills(self) -> int:
        """Instructions that access local memory."""
        return sum(each.name in ("LDL", "STL") for each in self.instructions)

    def skipped(self) -> Iterator[tuple[SassInstruction, ...]]:
        """What each branch forward leaves out, if it is taken: the loop's own instructions up to its target."""
        for branch in self.instructions:
            if branch.name == "BRA" and branch.target is not None and branch.address < branch.target <= self.end:
                between = (each for each in self.instructions if branch.address < each.address < branch.target)
                yield tuple(between)

    def walk(self) -> Iterator[SassLoop]:
        """This loop and all inside of it."""
        yield self
        for each in self.inner:
            yield from each.walk()


@dataclass(frozen=True)
class SassKernel:
    """The machine code of one function."""

    name: str
    instructions: tuple[SassInstruction, ...] = field(repr=False)
    loops: tuple[SassLoop, ...]
    """The outermost ones, in order."""

    def every_loop(self) -> Iterator[SassLoop]:
        """All loops, an outer one before those inside."""
        for each in self.loops:
            yield from each.walk()

    def outside(self) -> tuple[SassInstruction, ...]:
        """Instructions up to the last ``EXIT`` that are in no loop."""
        ends = [each.address for each in self.instructions if each.name == "EXIT"]
        last = max(ends, default=0)
        return tuple(
            each
            for each in self.instructions
            if each.address <= last and not any(loop.start <= each.address <= loop.end for loop in self.loops)
        )

    def main_loop(self) -> SassLoop | None:
        """The loop with the most work: matrix instructions, else multiply-adds, else loads, else instructions."""

        def work(loop: SassLoop) -> tuple[int, ...]:
            pipes = loop.by_pipe()
            math = pipes.get("fma", 0) + pipes.get("half", 0)
            return (pipes.get("tensor", 0), math, sum(loop.loads().values()), loop.count)

        return max(self.every_loop(), key=work, default=None)


def read_sass(text: str) -> dict[str, SassKernel]:
    """The functions of a disassembly, by name. What is no instruction is passed over."""
    found: dict[str, SassKernel] = {}
    starts = list(KERNEL.finditer(text))
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        found[start["name"]] = _kernel(start["name"], text[start.end() : end])
    return found


def _kernel(name: str, text: str) -> SassKernel:
    instructions: list[SassInstruction] = []
    waiting: list[str] = []
    labels: dict[str, int] = {}
    place: tuple[str, int] | None = None
    for line in text.splitlines():
        if match := INSTRUCTION.match(line):
            address = int(match["address"], 16)
            labels.update(dict.fromkeys(waiting, address))
            waiting = []
            predicate = (match["predicate"] or "").strip()
            instructions.append(SassInstruction(address, match["opcode"], match["operands"].strip(), predicate, place))
        elif match := PLACE.match(line):
            # Of several places one after another the last is the outermost: where all was inlined.
            place = match["file"], int(match["line"])
        elif match := LABEL.match(line):
            waiting.append(match["name"])
    placed = [replace(each, target=_target(each, labels)) for each in instructions]
    return SassKernel(name, tuple(placed), tuple(_loops(placed)))


def _target(instruction: SassInstruction, labels: Mapping[str, int]) -> int | None:
    found = TARGET.search(instruction.operands) if instruction.pipe == "branch" else None
    return None if found is None else labels.get(found["label"])


def _loops(instructions: list[SassInstruction]) -> list[SassLoop]:
    last = max((each.address for each in instructions if each.name == "EXIT"), default=0)
    spans: dict[int, int] = {}
    for each in instructions:
        if each.name not in ("BRA", "BRX", "JMP") or each.address > last:
            continue
        if each.target is not None and each.target <= each.address:
            spans[each.target] = max(spans.get(each.target, 0), each.address)
    return list(_nested(sorted(spans.items(), key=lambda span: (span[0], -span[1])), instructions))


def _nested(spans: list[tuple[int, int]], instructions: Iterable[SassInstruction]) -> Iterator[SassLoop]:
    """Spans as loops, each with those that lie within it."""
    held = list(instructions)
    while spans:
        (start, end), rest = spans[0], spans[1:]
        inside = [span for span in rest if span[0] <= end]
        spans = [span for span in rest if span[0] > end]
        whole = max([end, *(span[1] for span in inside)])
        own = [each for each in held if start <= each.address <= whole]
        inner = tuple(_nested([span for span in inside if span[0] > start or span[1] < whole], own))
        free = tuple(each for each in own if not any(loop.start <= each.address <= loop.end for loop in inner))
        yield SassLoop(start, whole, free, inner)
