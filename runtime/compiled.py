"""A kernel compiled for an architecture: CUDA text, PTX, machine code, resources.

    c = mm.compile(target="sm_90a", W="u4", BM=32, K=8192)
    c.ir   c.remarks   c.cuda          need nothing but tilevm
    c.ptx  c.cubin  c.resources        need CuPy and NVRTC, and no GPU
    c.sass                             needs NVIDIA's nvdisasm as well
    c.cost({"M": 16, "N": 8192})       says more where there is nvdisasm
    c.host                             needs a C++ compiler: what the simulator runs

What a backend runs is one of these too, so that what is shown is what runs. Cubins are kept on disk
(``tilevm.runtime.cache``); passes and emission run again in each process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tilevm.arch import Arch
from tilevm.codegen.emit import Emitted, emit
from tilevm.codegen.library import device_library
from tilevm.errors import Source
from tilevm.ir import Program
from tilevm.passes import Lowered, Remark, run_passes
from tilevm.runtime.cache import Cache
from tilevm.runtime.cubin import disassemble
from tilevm.runtime.nvrtc import Compiled, Resources, compile_cuda
from tilevm.runtime.occupancy import Occupancy, check_fits, occupancy
from tilevm.runtime.simulator import HostModule, compile_host
from tilevm.runtime.specialisation import Specialisation

if TYPE_CHECKING:
    from tilevm.runtime.cost.model import Cost
    from tilevm.runtime.sass import SassKernel

__all__ = ["CompiledKernel", "KernelResources"]


@dataclass(frozen=True)
class KernelResources(Resources):
    """What a kernel takes, with what only the launch decides. ``shared_bytes`` is static shared memory."""

    dynamic_shared_bytes: int
    """Shared memory of a block that the launch asks for."""
    threads: int
    """Threads of a block."""
    occupancy: Occupancy
    """Blocks on one multiprocessor."""


class CompiledKernel:
    """A program specialised for an architecture, sizes that are known to divide and pointers that are aligned.

    ``program`` is the one before specialisation. The passes run at once and raise ``LayoutError``, ``UsageError`` F022
    and ``OutOfResources`` F040. What compilers make is made when it is first asked for, and kept; each part raises what
    making it raises: F024 to F026 and F030, F031.
    """

    def __init__(self, program: Program, specialisation: Specialisation, cache: Cache | None = None) -> None:
        self.program = program
        self.specialisation = specialisation
        self.lowered: Lowered = run_passes(
            specialisation.apply(program), specialisation.arch, alignment=dict(specialisation.alignments)
        )
        """The program after the passes."""
        self._cache = cache

    def __repr__(self) -> str:
        known = "".join(f", {name} % {divisor} == 0" for name, divisor in self.specialisation.divisors)
        return f"<compiled kernel {self.program.name} for {self.arch.name}{known}>"

    @property
    def name(self) -> str:
        """The name of the kernel in its text."""
        return self.program.name

    @property
    def arch(self) -> Arch:
        """The architecture."""
        return self.lowered.arch

    @property
    def begins_early(self) -> bool:
        """Whether a launch may begin before those before it have ended: it waits for them itself, by ``depend``."""
        return self.program.awaits_launches and self.arch.has("programmatic_launch")

    @cached_property
    def emitted(self) -> Emitted:
        """The CUDA source with what a launch must know of it."""
        return emit(self.lowered)

    @property
    def ir(self) -> str:
        """The text of the program after the passes."""
        return str(self.lowered.program)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What the passes have to say, in order of the text; what is spilled too, once machine code was made."""
        if "_compiled" not in vars(self):
            return self.lowered.remarks
        taken = self._compiled.resources[self.emitted.kernel]
        if not taken.spill_store_bytes and not taken.spill_load_bytes:
            return self.lowered.remarks
        text = (
            f"each thread has {taken.registers} registers, spills {taken.spill_store_bytes} bytes and loads "
            f"{taken.spill_load_bytes} back: smaller tiles or more warps need fewer"
        )
        return (*self.lowered.remarks, Remark(text, self.program.span))

    @property
    def cuda(self) -> str:
        """The CUDA source, without the library of intrinsics that stands before it."""
        return self.emitted.text

    @property
    def cache_entry(self) -> tuple[str, dict[str, bytes]]:
        """The name and the parts under which a cache of this or another machine keeps what NVRTC made."""
        return self._compiled.entry, self._compiled.parts

    @property
    def ptx(self) -> str:
        """What NVRTC made of the source."""
        return self._compiled.ptx

    @property
    def cubin(self) -> bytes:
        """The machine code, an ELF file."""
        return self._compiled.cubin

    @cached_property
    def sass(self) -> str:
        """The machine code as text. Raises ``UsageError`` F028 where there is no ``nvdisasm``."""
        return disassemble(self.cubin)

    @cached_property
    def machine_code(self) -> SassKernel:
        """The instructions and loops of the machine code, with their lines of the text. Raises as ``sass``."""
        from tilevm.runtime.sass import read_sass

        return read_sass(disassemble(self.cubin, options=("-c", "-gi")))[self.emitted.kernel]

    def cost(
        self,
        sizes: Mapping[str, int],
        device: str | None = None,
        *,
        machine_code: bool | None = None,
        weights: str | None = None,
        scratch: Collection[str] = (),
    ) -> Cost:
        """What a launch costs: bytes by level, instructions, occupancy, bounds and a predicted time. Nothing is run.

        ``sizes`` has every size that was not bound when the kernel was compiled. ``device`` is a name of
        ``tilevm.devices.DEVICES``; left out, it is the first that runs this architecture. ``machine_code`` False counts
        the program alone, which takes some milliseconds, and True insists on machine code; left out, it is read where
        NVRTC and ``nvdisasm`` are there. ``weights`` names the tensor to whose elements instructions are related;
        ``scratch`` those that only hold what blocks tell each other, which the floor leaves out.

        Raises ``UsageError`` F029 for a device that is not known or does not run the code; ``ArgumentError`` A001,
        A008, A013, A018, A019 or A020 for sizes that do not fit; and with ``machine_code`` what ``sass`` raises.
        """
        from tilevm.runtime.cost.compiled_cost import cost_of

        return cost_of(self, sizes, device, machine_code=machine_code, weights=weights, scratch=scratch)

    @cached_property
    def resources(self) -> KernelResources:
        """Registers, memory and occupancy.

        Raises ``OutOfResources`` F042 or F043 for a kernel of which not one block can run.
        """
        taken, emitted = self._compiled.resources[self.emitted.kernel], self.emitted
        check_fits(self.name, self.arch, threads=emitted.threads, registers=taken.registers)
        shared = taken.shared_bytes + emitted.shared_bytes
        filled = occupancy(self.arch, threads=emitted.threads, registers=taken.registers, shared_bytes=shared)
        return KernelResources(
            **asdict(taken), dynamic_shared_bytes=emitted.shared_bytes, threads=emitted.threads, occupancy=filled
        )

    @cached_property
    def host(self) -> HostModule:
        """The same source compiled for the simulator."""
        return compile_host(self.emitted.source, name=f"{self.name}.cu")

    @property
    def text(self) -> Source | None:
        """The ``.tvm`` text that the kernel is from."""
        return None if self.program.span is None else self.program.span.source

    @cached_property
    def _compiled(self) -> Compiled:
        return compile_cuda(
            device_library() + self.emitted.source,
            self.arch,
            name=f"{self.name}.cu",
            sources=() if self.text is None else (self.text,),
            cache=self._cache,
        )
