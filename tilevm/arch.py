"""GPU architectures as rows of data: what each can do, and how much of everything it has.

A row is found by the name that compilers use, and code asks it for a *feature* by name, never for a number:
``arch("sm_90a").has("wgmma")``. A feature is an instruction, or a few that come together, of the PTX ISA; ``FEATURES``
says which. An architecture has a feature where the assembler accepts the instruction for it. That does not make it
fast: where the hardware lacks the unit, the assembler writes a sequence of other instructions, and the feature is in
``emulated`` too.

The limits are those of the CUDA Programming Guide, "Compute Capabilities" (tables "Device and Streaming Multiprocessor
Information", "Memory Information"); the system's share of shared memory is the difference of its two shared-memory
rows. The features are those of the PTX ISA's target notes, and a test compiles each instruction for each architecture.

>>> arch("sm_86").shared_memory_per_block
101376
>>> [row.name for row in ARCHITECTURES.values() if row.has("block_scaled_mma")]
['sm_120a']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tilevm.errors import Span, UsageError, did_you_mean

__all__ = ["ARCHITECTURES", "FEATURES", "Arch", "arch", "arch_of_device"]

KIB = 1024

FEATURES: Mapping[str, str] = MappingProxyType(
    {
        # Matrix products of one warp, or of more
        "mma_m16n8k8_f16": "mma.sync m16n8k8 with f16 operands",
        "mma_m16n8k16_f16": "mma.sync m16n8k16 with f16 operands",
        "mma_bf16": "mma.sync m16n8k16 with bf16 operands",
        "mma_tf32": "mma.sync m16n8k8 with tf32 operands",
        "mma_f64": "mma.sync m8n8k4 with f64 operands",
        "mma_m8n8k16_int8": "mma.sync m8n8k16 with 8-bit integers",
        "mma_int8": "mma.sync m16n8k32 with 8-bit integers",
        "mma_m8n8k32_int4": "mma.sync m8n8k32 with 4-bit integers",
        "mma_int4": "mma.sync m16n8k64 with 4-bit integers",
        "mma_b1": "mma.sync m16n8k256 with single bits, and, popc",
        "mma_fp8": "mma.sync m16n8k32 with e4m3 and e5m2 operands",
        "mma_f8f6f4": "mma.sync kind::f8f6f4, 8-, 6- and 4-bit floats mixed",
        "block_scaled_mma": "mma.sync with block_scale (mxf8f6f4, mxf4, mxf4nvf4)",
        "wgmma": "wgmma.mma_async, products of a warpgroup",
        "tcgen05": "tcgen05, products in tensor memory",
        # Moving data
        "ldmatrix": "ldmatrix of 8x8 matrices of 16-bit elements, plain and transposed",
        "ldmatrix_b8": "ldmatrix of 16x16 matrices of 8-bit elements, transposed",
        "ldmatrix_unpack": "ldmatrix that widens 6- and 4-bit elements to bytes",
        "stmatrix": "stmatrix of 8x8 matrices of 16-bit elements",
        "cp_async": "cp.async of 4, 8 and 16 bytes from global to shared memory",
        "cp_async_bulk": "cp.async.bulk between global and shared memory",
        "tma": "cp.async.bulk.tensor, copies of tiles by a tensor map",
        "load_256": "ld.global of 32 bytes",
        "cache_policy": "createpolicy and the L2::cache_hint that takes it",
        "l2_prefetch": "ld.global with L2::64B, L2::128B or L2::256B",
        # Working together
        "mbarrier": "mbarrier in shared memory",
        "mbarrier_transaction": "mbarrier with expect_tx, which waits for bytes",
        "cluster": "clusters of blocks, barrier.cluster, distributed shared memory",
        "elect": "elect.sync",
        "setmaxnreg": "setmaxnreg, registers moved between warpgroups",
        "programmatic_launch": "griddepcontrol, a grid that starts before the last one ends",
        "redux": "redux.sync of 32-bit integers",
        "redux_f32": "redux.sync min and max of f32",
        "atomic_bf16x2": "red.global.add of two bf16",
        "atomic_f32x4": "red.global.add of up to four f32",
        # Arithmetic and conversion
        "f16x2": "fma of two f16",
        "minmax_f16x2": "min and max of two f16 or bf16",
        "bf16x2": "fma of two bf16",
        "bf16x2_add": "add and mul of two bf16",
        "f32x2": "fma of two f32",
        "exp2_f16x2": "ex2.approx of two f16",
        "exp2_bf16x2": "ex2.approx of two bf16",
        "tanh": "tanh.approx of f32",
        "max_nan": "min.NaN and max.NaN of f32",
        "max3": "min and max of three f32",
        "cvt_bf16": "cvt of two f32 to bf16",
        "cvt_tf32": "cvt.rna of f32 to tf32",
        "cvt_fp8": "cvt between two e4m3 or e5m2 and f16, and from f32",
        "cvt_fp6": "cvt of two f32 to e2m3 or e3m2, and back to f16",
        "cvt_fp4": "cvt of two f32 to e2m1, and back to f16",
        "cvt_ue8m0": "cvt of two f32 to ue8m0, and to bf16",
        "cvt_stochastic": "cvt.rs, which rounds by given random bits",
    }
)
"""Every feature, with the instructions of the PTX ISA that it stands for."""


@dataclass(frozen=True)
class Arch:
    """An architecture: its features and its limits. Memory is in bytes; a register has 32 bits."""

    name: str
    """As compilers write it: ``sm_90a``. A name that ends in ``a`` is for devices of exactly this capability."""

    capability: tuple[int, int]
    """Compute capability, major and minor."""

    features: frozenset[str]
    """Names from ``FEATURES`` that the assembler accepts."""

    emulated: frozenset[str]
    """Those among the features that are sequences of other instructions, for want of the unit."""

    shared_memory_per_block: int
    """The most that one block may ask for, after opting in."""

    shared_memory_per_multiprocessor: int
    """What all blocks of a multiprocessor share, the system's part included."""

    maximum_threads_per_multiprocessor: int
    maximum_blocks_per_multiprocessor: int

    reserved_shared_per_block: int = KIB
    """What the system takes for each block, beside what the block asks for."""

    shared_memory_without_opt_in: int = 48 * KIB
    """The most that a block may ask for without opting in; static shared memory is bound by it."""

    registers_per_multiprocessor: int = 64 * KIB
    registers_per_block: int = 64 * KIB
    maximum_registers_per_thread: int = 255
    maximum_threads_per_block: int = 1024
    warp_threads: int = 32
    shared_banks: int = 32
    """Banks of shared memory; each gives 4 bytes a clock."""

    l2_line: int = 128
    l2_sector: int = 32

    def has(self, feature: str) -> bool:
        """Whether the architecture has a feature. Raises ``UsageError`` F021 for a name that is no feature.

        >>> arch("sm_75").has("cp_async")
        False
        """
        if feature not in FEATURES:
            raise UsageError(
                "F021",
                f"there is no feature {feature!r} of GPU architectures",
                help=did_you_mean(feature, FEATURES) or f"features are {', '.join(sorted(FEATURES))}",
            )
        return feature in self.features

    def require(self, feature: str, *, span: Span | None = None) -> None:
        """Raises ``UsageError`` F022 where the architecture lacks a feature; ``span`` is what needs it.

        >>> arch("sm_75").require("wgmma")
        Traceback (most recent call last):
        tilevm.errors.UsageError: error[F022]: sm_75 has no `wgmma` (wgmma.mma_async, products of a warpgroup)
        help: it is in sm_90a
        """
        if not self.has(feature):
            having = [row.name for row in ARCHITECTURES.values() if feature in row.features]
            raise UsageError(
                "F022",
                f"{self.name} has no `{feature}` ({FEATURES[feature]})",
                span=span,
                help=f"it is in {', '.join(having)}",
            )

    def runs_on(self, capability: tuple[int, int]) -> bool:
        """Whether a device of that capability runs what is compiled for this architecture.

        Machine code runs on the same major version from its own minor version on; that of a name which ends in ``a``
        on its own capability only (CUDA Programming Guide, "Binary Compatibility", "Feature Set Compiler Targets").

        >>> arch("sm_80").runs_on((8, 7)), arch("sm_120a").runs_on((12, 1))
        (True, False)
        """
        if self.name.endswith("a"):
            return capability == self.capability
        return capability[0] == self.capability[0] and capability[1] >= self.capability[1]


_SM_75 = frozenset(
    ("mma_m16n8k8_f16", "mma_m8n8k16_int8", "mma_m8n8k32_int4", "ldmatrix", "f16x2", "exp2_f16x2", "tanh")
)
_SM_80 = _SM_75 | {
    *("mma_m16n8k16_f16", "mma_bf16", "mma_tf32", "mma_f64", "mma_int8", "mma_int4", "mma_b1"),
    *(
        "cp_async",
        "cache_policy",
        "l2_prefetch",
        "mbarrier",
        "redux",
        "bf16x2",
        "minmax_f16x2",
        "max_nan",
        "cvt_bf16",
        "cvt_tf32",
    ),
}
_SM_89 = _SM_80 | {"mma_fp8", "cvt_fp8"}
_SM_90 = _SM_89 | {
    *("stmatrix", "cp_async_bulk", "tma", "mbarrier_transaction", "cluster", "elect", "programmatic_launch"),
    *("atomic_bf16x2", "atomic_f32x4", "bf16x2_add", "exp2_bf16x2"),
}
_SM_90A = _SM_90 | {"wgmma", "setmaxnreg"}
_BLACKWELL = _SM_90 | {
    *("setmaxnreg", "ldmatrix_b8", "ldmatrix_unpack", "load_256", "f32x2", "max3"),
    *("cvt_fp6", "cvt_fp4", "cvt_ue8m0"),
}
_SM_100A = _BLACKWELL | {"tcgen05", "redux_f32", "cvt_stochastic"}
_SM_120A = _BLACKWELL | {"mma_f8f6f4", "block_scaled_mma"}

_INT4 = frozenset(("mma_m8n8k32_int4", "mma_int4"))
_NONE: frozenset[str] = frozenset()


def _row(
    name: str,
    features: frozenset[str],
    emulated: frozenset[str],
    kib_per_block: int,
    kib_per_multiprocessor: int,
    threads: int,
    blocks: int,
) -> Arch:
    number = int(name.removeprefix("sm_").removesuffix("a"))
    return Arch(
        name,
        divmod(number, 10),
        features,
        emulated,
        kib_per_block * KIB,
        kib_per_multiprocessor * KIB,
        threads,
        blocks,
        reserved_shared_per_block=(kib_per_multiprocessor - kib_per_block) * KIB,
    )


ARCHITECTURES: Mapping[str, Arch] = MappingProxyType(
    {
        row.name: row
        for row in (
            # name, features, emulated, KiB shared a block, KiB shared, threads and blocks a multiprocessor
            _row("sm_75", _SM_75, _NONE, 64, 64, 1024, 16),
            _row("sm_80", _SM_80, _NONE, 163, 164, 2048, 32),
            _row("sm_86", _SM_80, _NONE, 99, 100, 1536, 16),
            _row("sm_89", _SM_89, _NONE, 99, 100, 1536, 24),
            _row("sm_90a", _SM_90A, _INT4 | {"mma_fp8"}, 227, 228, 2048, 32),
            _row("sm_100a", _SM_100A, _INT4 | {"mma_fp8", "mma_b1"}, 227, 228, 2048, 32),
            _row("sm_103a", _SM_100A, _INT4 | {"mma_fp8", "mma_b1"}, 227, 228, 2048, 32),
            _row("sm_120a", _SM_120A, _INT4 | {"mma_b1"}, 99, 100, 1536, 24),
        )
    }
)
"""Every architecture that tilevm compiles for, by name, in order of age."""


def arch(name: str) -> Arch:
    """The architecture of that name. Raises ``UsageError`` F020 where there is none.

    >>> arch("sm_80").maximum_blocks_per_multiprocessor
    32
    >>> arch("sm_90")
    Traceback (most recent call last):
    tilevm.errors.UsageError: error[F020]: there is no architecture 'sm_90'
    help: did you mean `sm_90a`? There are sm_75, sm_80, sm_86, sm_89, sm_90a, sm_100a, sm_103a, sm_120a
    """
    if name not in ARCHITECTURES:
        near = did_you_mean(name, ARCHITECTURES)
        every = f"There are {', '.join(ARCHITECTURES)}"
        raise UsageError("F020", f"there is no architecture {name!r}", help=f"{near} {every}" if near else every)
    return ARCHITECTURES[name]


def arch_of_device(capability: tuple[int, int]) -> Arch:
    """The newest architecture whose machine code a device of that compute capability runs.

    Raises ``UsageError`` F023 where there is none.

    >>> arch_of_device((9, 0)).name, arch_of_device((8, 7)).name
    ('sm_90a', 'sm_86')
    """
    running = [row for row in ARCHITECTURES.values() if row.runs_on(capability)]
    if not running:
        major, minor = capability
        raise UsageError(
            "F023",
            f"tilevm has no architecture for a device of compute capability {major}.{minor}",
            help=f"it compiles for {', '.join(ARCHITECTURES)}; backend interpreter and backend simulator need no GPU",
        )
    return max(running, key=lambda row: row.capability)
