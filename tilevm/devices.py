"""GPUs as rows of data: how much each moves, multiplies and issues in a second, for the cost model.

An architecture (``tilevm.arch``) says what may be compiled; a device says how fast it runs. A row holds what its maker
publishes, what was measured where that is known, and where a figure comes from: ``sources`` names every one of them.
A figure that nobody publishes is assumed, and its source says "assumed".

The *floor* of a piece of work is the least time in which a device can do it: every byte moved once at the bandwidth of
its memory, every product made at the rate of its tensor cores. Nothing that is written for the device can be faster.

>>> weights, scales, activations = 8192 * 8192 // 2, 64 * 8192 * 2, 2 * 8192 * 2
>>> floor = device("h200").floor(weights + scales + activations, 2 * 8192 * 8192)
>>> round(floor.microseconds, 1), floor.bound
(8.1, 'DRAM')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tilevm.arch import Arch, arch
from tilevm.errors import UsageError, did_you_mean

__all__ = ["DEFAULT_DEVICE", "DEVICES", "PIPES", "Device", "Floor", "device", "device_for"]

PIPES: Mapping[str, str] = MappingProxyType(
    {
        "fma": "f32 multiply and add",
        "heavy": "integer multiply-add, which shares half of the fma pipe",
        "half": "two f16 or bf16 at once: multiply and add",
        "alu": "logic, shifts, prmt, integer add, compare, select",
        "xu": "special functions, conversions between formats",
        "fp64": "f64 multiply and add",
        "lsu": "loads, stores, shuffles, ldmatrix: instructions, whatever they move",
        "uniform": "what a warp computes once for all lanes",
        "branch": "branches and barriers",
    }
)
"""The pipes of a multiprocessor, beside the tensor cores, and what runs on each."""


@dataclass(frozen=True)
class Floor:
    """The least time that a device can take for so many bytes of its memory and so many operations."""

    bytes: float
    operations: float
    memory_microseconds: float
    compute_microseconds: float

    @property
    def microseconds(self) -> float:
        """The longer of the two."""
        return max(self.memory_microseconds, self.compute_microseconds)

    @property
    def bound(self) -> str:
        """Which of the two: ``DRAM`` or ``tensor cores``."""
        return "DRAM" if self.memory_microseconds >= self.compute_microseconds else "tensor cores"


@dataclass(frozen=True)
class Device:
    """One GPU. Bandwidths are in GB/s (10^9 bytes), rates in TFLOP/s (10^12, a multiply-add counts two), dense."""

    name: str
    """As commands take it: ``h200``."""

    title: str
    """As its maker calls it."""

    arch: Arch
    multiprocessors: int
    clock_ghz: float
    """The clock at which the published rates hold."""

    dram_spec_gbps: float
    dram_measured_gbps: float | None
    """What a copy reaches, where it was measured."""

    l2_bytes: int
    l2_gbps: float
    fill_bytes_a_clock: int
    """What one multiprocessor takes from the L2 in a clock."""

    tensor_tflops: Mapping[str, float]
    """By the format of the factors, with sums in f32 (i32 of integers)."""

    tensor_measured_tflops: Mapping[str, float]
    warp_mma_share: float
    """What part of that rate ``mma.sync``, the products of a single warp, can reach."""

    lanes: Mapping[str, int]
    """Lanes that a multiprocessor serves in a clock, by the pipe of ``PIPES``."""

    latency_us: float
    """From a load that misses the caches to its data, with memory busy."""

    launch_us: float
    """From one kernel to the next in a CUDA graph, without the work: launch, first blocks, last blocks."""

    sources: Mapping[str, str]

    @property
    def dram_gbps(self) -> float:
        """The bandwidth to reckon with: measured where it was, else published."""
        return self.dram_measured_gbps or self.dram_spec_gbps

    def tensor_rate(self, name: str, *, warp: bool = False) -> float | None:
        """Operations a second, in TFLOP/s, of tensor cores on factors of a format: measured where they were, else
        published; ``warp``: of ``mma.sync``. None where the device multiplies no such format.

        >>> device("a100").tensor_rate("f16"), device("a100").tensor_rate("f8e4m3"), device("a100").tensor_rate("u8")
        (312.0, None, 624.0)
        """
        name = {"u8": "i8", "u4": "i4"}.get(name, name)
        spec = self.tensor_tflops.get(name)
        if spec is None:
            return None
        measured = self.tensor_measured_tflops.get(name, spec)
        return min(measured, spec * self.warp_mma_share) if warp else measured

    def floor(self, bytes: float, operations: float, format: str = "f16") -> Floor:
        """The floor of so many bytes of memory and so many operations on tensor cores, on factors of a format.

        Where no tensor core multiplies the format, operations are those of the fma pipe.
        """
        rate = self.tensor_rate(format) or self.fma_tflops
        return Floor(bytes, operations, bytes / self.dram_gbps / 1e3, operations / rate / 1e6)

    @property
    def fma_tflops(self) -> float:
        """The rate of f32 multiply-adds outside of the tensor cores."""
        return 2 * self.lanes["fma"] * self.multiprocessors * self.clock_ghz / 1e3

    def microseconds(self, cycles: float) -> float:
        """Clocks as a time."""
        return cycles / self.clock_ghz / 1e3


_GUIDE = 'CUDA C++ Programming Guide, "Arithmetic Instructions", table of throughputs'
_LSU = "assumed: one instruction of a warp a clock, as the 32 load and store units of the whitepapers"
_LATENCY = "assumed 0.75 µs, with which 24 KB in flight on each of 132 multiprocessors reach 4.2 TB/s"
_LAUNCH = "assumed: what kernels in one CUDA graph are apart"
_NOT_MEASURED = "not measured"
_AS_A100 = "assumed: 5120 bytes a clock, as the A100 whitepaper gives for A100"
_HOPPER_WARP = "Luo et al. 2024 (arXiv 2402.13499): mma.sync reaches about 63% of the peak of wgmma"

_LANES_80 = {"fma": 64, "heavy": 64, "half": 128, "alu": 64, "xu": 16, "fp64": 32}
_LANES_89 = {"fma": 128, "heavy": 64, "half": 64, "alu": 64, "xu": 16, "fp64": 2}
_LANES_90 = {"fma": 128, "heavy": 64, "half": 128, "alu": 64, "xu": 16, "fp64": 64}
_COMMON_LANES = {"lsu": 32, "uniform": 64, "branch": 64}

_HOPPER = {"f16": 989.4, "bf16": 989.4, "tf32": 494.7, "i8": 1978.9, "f8e4m3": 1978.9, "f8e5m2": 1978.9, "f64": 66.9}
_H100_PAPER = "NVIDIA H100 whitepaper, table of SXM5, dense"


def _device(
    name: str,
    title: str,
    architecture: str,
    *,
    multiprocessors: int,
    clock_ghz: float,
    dram_spec_gbps: float,
    l2_mib: float,
    l2_bytes_a_clock: int,
    tensor: Mapping[str, float],
    lanes: Mapping[str, int],
    sources: Mapping[str, str],
    dram_measured_gbps: float | None = None,
    tensor_measured: Mapping[str, float] | None = None,
    warp_mma_share: float = 1.0,
    launch_us: float = 2.0,
) -> Device:
    common = {
        "dram_measured_gbps": _NOT_MEASURED,
        "tensor_measured_tflops": _NOT_MEASURED,
        "warp_mma_share": "mma.sync is how tensor cores are reached",
        "lanes": f"{_GUIDE}; lsu, uniform and branch {_LSU}",
        "fill_bytes_a_clock": "assumed: 64 bytes, half of what the first-level cache gives",
        "latency_us": _LATENCY,
        "launch_us": _LAUNCH,
    }
    return Device(
        name,
        title,
        arch(architecture),
        multiprocessors=multiprocessors,
        clock_ghz=clock_ghz,
        dram_spec_gbps=dram_spec_gbps,
        dram_measured_gbps=dram_measured_gbps,
        l2_bytes=int(l2_mib * 2**20),
        l2_gbps=l2_bytes_a_clock * clock_ghz,
        fill_bytes_a_clock=64,
        tensor_tflops=MappingProxyType(dict(tensor)),
        tensor_measured_tflops=MappingProxyType(dict(tensor_measured or {})),
        warp_mma_share=warp_mma_share,
        lanes=MappingProxyType({**lanes, **_COMMON_LANES}),
        latency_us=0.75,
        launch_us=launch_us,
        sources=MappingProxyType({**common, **sources}),
    )


DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        row.name: row
        for row in (
            _device(
                "h200",
                "NVIDIA H200 SXM",
                "sm_90a",
                multiprocessors=132,
                clock_ghz=1.83,
                dram_spec_gbps=4800,
                dram_measured_gbps=4300,
                l2_mib=60,
                l2_bytes_a_clock=5120,
                tensor=_HOPPER,
                tensor_measured={"f16": 790, "bf16": 790},
                warp_mma_share=0.63,
                lanes=_LANES_90,
                sources={
                    "multiprocessors": "NVIDIA H200 datasheet: GH100 as in H100 SXM5",
                    "clock_ghz": "989.4 TFLOP/s in f16 divided by 132 multiprocessors of 4096 operations a clock",
                    "dram_spec_gbps": "NVIDIA H200 datasheet",
                    "dram_measured_gbps": "measured: a copy on the device, 4.3 TB/s",
                    "l2_bytes": "what cudaDeviceProp reports",
                    "l2_gbps": _AS_A100,
                    "tensor_tflops": _H100_PAPER,
                    "tensor_measured_tflops": "measured: bf16 products of 770 to 800 TFLOP/s",
                    "warp_mma_share": _HOPPER_WARP,
                },
            ),
            _device(
                "h100",
                "NVIDIA H100 SXM5",
                "sm_90a",
                multiprocessors=132,
                clock_ghz=1.83,
                dram_spec_gbps=3350,
                l2_mib=50,
                l2_bytes_a_clock=5120,
                tensor=_HOPPER,
                warp_mma_share=0.63,
                lanes=_LANES_90,
                sources={
                    "multiprocessors": _H100_PAPER,
                    "clock_ghz": "989.4 TFLOP/s in f16 divided by 132 multiprocessors of 4096 operations a clock",
                    "dram_spec_gbps": "NVIDIA H100 datasheet, SXM",
                    "l2_bytes": _H100_PAPER,
                    "l2_gbps": _AS_A100,
                    "tensor_tflops": _H100_PAPER,
                    "warp_mma_share": _HOPPER_WARP,
                },
            ),
            _device(
                "a100",
                "NVIDIA A100 SXM 80 GB",
                "sm_80",
                multiprocessors=108,
                clock_ghz=1.41,
                dram_spec_gbps=2039,
                l2_mib=40,
                l2_bytes_a_clock=5120,
                tensor={"f16": 312.0, "bf16": 312.0, "tf32": 156.0, "i8": 624.0, "i4": 1248.0, "f64": 19.5},
                lanes=_LANES_80,
                sources={
                    "multiprocessors": "NVIDIA A100 whitepaper",
                    "clock_ghz": "NVIDIA A100 whitepaper, boost clock",
                    "dram_spec_gbps": "NVIDIA A100 datasheet, 80 GB SXM",
                    "l2_bytes": "NVIDIA A100 whitepaper",
                    "l2_gbps": "NVIDIA A100 whitepaper: 5120 bytes a clock",
                    "tensor_tflops": "NVIDIA A100 whitepaper, dense",
                },
            ),
            _device(
                "l40s",
                "NVIDIA L40S",
                "sm_89",
                multiprocessors=142,
                clock_ghz=2.52,
                dram_spec_gbps=864,
                l2_mib=96,
                l2_bytes_a_clock=5120,
                tensor={"f16": 362.1, "bf16": 362.1, "tf32": 183.2, "i8": 733.0, "f8e4m3": 733.0, "f8e5m2": 733.0},
                lanes=_LANES_89,
                sources={
                    "multiprocessors": "NVIDIA L40S datasheet: 18176 CUDA cores, 128 a multiprocessor",
                    "clock_ghz": "NVIDIA L40S datasheet: 91.6 TFLOP/s in f32",
                    "dram_spec_gbps": "NVIDIA L40S datasheet",
                    "l2_bytes": "NVIDIA Ada whitepaper: AD102 has 96 MB",
                    "l2_gbps": _AS_A100,
                    "tensor_tflops": "NVIDIA L40S datasheet, dense",
                },
            ),
            _device(
                "rtx4090",
                "NVIDIA GeForce RTX 4090",
                "sm_89",
                multiprocessors=128,
                clock_ghz=2.52,
                dram_spec_gbps=1008,
                l2_mib=72,
                l2_bytes_a_clock=5120,
                tensor={"f16": 165.2, "bf16": 165.2, "tf32": 82.6, "i8": 660.6, "f8e4m3": 330.3, "f8e5m2": 330.3},
                lanes=_LANES_89,
                sources={
                    "multiprocessors": "NVIDIA Ada whitepaper, appendix",
                    "clock_ghz": "NVIDIA Ada whitepaper, appendix: boost clock",
                    "dram_spec_gbps": "NVIDIA Ada whitepaper, appendix",
                    "l2_bytes": "NVIDIA Ada whitepaper, appendix",
                    "l2_gbps": _AS_A100,
                    "tensor_tflops": "NVIDIA Ada whitepaper, appendix: dense, sums in f32",
                },
            ),
            _device(
                "b200",
                "NVIDIA B200 SXM",
                "sm_100a",
                multiprocessors=148,
                clock_ghz=1.86,
                dram_spec_gbps=8000,
                l2_mib=126,
                l2_bytes_a_clock=5120,
                tensor={
                    "f16": 2250.0,
                    "bf16": 2250.0,
                    "tf32": 1125.0,
                    "i8": 4500.0,
                    "f8e4m3": 4500.0,
                    "f8e5m2": 4500.0,
                },
                warp_mma_share=0.25,
                lanes={**_LANES_90, "fp64": 64},
                sources={
                    "multiprocessors": "what cudaDeviceProp reports",
                    "clock_ghz": "2250 TFLOP/s in f16 divided by 148 multiprocessors of 8192 operations a clock",
                    "dram_spec_gbps": "NVIDIA DGX B200 datasheet, an eighth of it",
                    "l2_bytes": "what cudaDeviceProp reports",
                    "l2_gbps": _AS_A100,
                    "tensor_tflops": "NVIDIA DGX B200 datasheet, an eighth of it, dense",
                    "warp_mma_share": "assumed: mma.sync runs at the rate of an A100's multiprocessor, a quarter",
                },
            ),
        )
    }
)
"""Every device of the cost model, by name."""

DEFAULT_DEVICE = "h200"
"""What is reckoned with where nothing else is said."""


def device(name: str) -> Device:
    """The device of that name. Raises ``UsageError`` F029 where there is none.

    >>> device("RTX4090").title
    'NVIDIA GeForce RTX 4090'
    >>> device("h20")
    Traceback (most recent call last):
    tilevm.errors.UsageError: error[F029]: the cost model knows no device 'h20'
    help: did you mean `h200`? It knows h200, h100, a100, l40s, rtx4090, b200
    """
    found = DEVICES.get(name.lower())
    if found is None:
        near = did_you_mean(name.lower(), DEVICES)
        every = f"It knows {', '.join(DEVICES)}"
        raise UsageError("F029", f"the cost model knows no device {name!r}", help=f"{near} {every}" if near else every)
    return found


def device_for(architecture: Arch) -> Device:
    """The device to reckon with where only an architecture is named: the first that runs its code, else the nearest
    in capability.

    >>> device_for(arch("sm_90a")).name, device_for(arch("sm_80")).name, device_for(arch("sm_86")).name
    ('h200', 'a100', 'l40s')
    """
    running = [row for row in DEVICES.values() if architecture.runs_on(row.arch.capability)]
    if running:
        return running[0]
    major, minor = architecture.capability
    return min(
        DEVICES.values(), key=lambda row: abs(row.arch.capability[0] * 10 + row.arch.capability[1] - major * 10 - minor)
    )
