"""The table of architectures: what it says is what the assembler accepts and what the hardware guide prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tilevm.arch import ARCHITECTURES, FEATURES, Arch, arch, arch_of_device
from tilevm.errors import Source, Span, UsageError

# One use of each feature, as the operands of an `asm volatile` statement.
ACCUMULATE_F32 = "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3}"
FOUR_FLOATS = '"+f"(f[0]),"+f"(f[1]),"+f"(f[2]),"+f"(f[3])'
FOUR_INTEGERS = '"+r"(r[6]),"+r"(r[7]),"+r"(r[8]),"+r"(r[9])'
SIX_REGISTERS = '"r"(r[0]),"r"(r[1]),"r"(r[2]),"r"(r[3]),"r"(r[4]),"r"(r[5])'


def mma(instruction: str, accumulator: str = FOUR_FLOATS) -> str:
    """A product with four accumulators, four registers of `a` and two of `b`."""
    return f'"{instruction} {ACCUMULATE_F32};" : {accumulator} : {SIX_REGISTERS}'


PROBES = {
    "mma_m16n8k8_f16": '"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};" : '
    + f'{FOUR_FLOATS} : "r"(r[0]),"r"(r[1]),"r"(r[2])',
    "mma_m16n8k16_f16": mma("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"),
    "mma_bf16": mma("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"),
    "mma_tf32": mma("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"),
    "mma_f64": '"mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1},{%2},{%3},{%0,%1};" : '
    '"+d"(d[0]),"+d"(d[1]) : "d"(d[2]),"d"(d[3])',
    "mma_m8n8k16_int8": '"mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1},{%2},{%3},{%0,%1};" : '
    '"+r"(r[0]),"+r"(r[1]) : "r"(r[2]),"r"(r[3])',
    "mma_int8": mma("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", FOUR_INTEGERS),
    "mma_m8n8k32_int4": '"mma.sync.aligned.m8n8k32.row.col.s32.s4.s4.s32 {%0,%1},{%2},{%3},{%0,%1};" : '
    '"+r"(r[0]),"+r"(r[1]) : "r"(r[2]),"r"(r[3])',
    "mma_int4": mma("mma.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32", FOUR_INTEGERS),
    "mma_b1": mma("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc", FOUR_INTEGERS),
    "mma_fp8": mma("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32"),
    "mma_f8f6f4": mma("mma.sync.aligned.kind::f8f6f4.m16n8k32.row.col.f32.e2m3.e2m1.f32"),
    "block_scaled_mma": '"mma.sync.aligned.kind::mxf4.block_scale.scale_vec::2X.m16n8k64.row.col.f32.e2m1.e2m1.f32'
    f'.ue8m0 {ACCUMULATE_F32}, %10, {{0,0}}, %11, {{0,0}};" : {FOUR_FLOATS} : {SIX_REGISTERS},"r"(r[6]),"r"(r[7])',
    "wgmma": '"wgmma.fence.sync.aligned; wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%0,%1,%2,%3}, '
    '{%4,%5,%6,%7}, %8, 1, 1, 1, 0; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;" : '
    f'{FOUR_FLOATS} : "r"(r[0]),"r"(r[1]),"r"(r[2]),"r"(r[3]),"l"(g)',
    "tcgen05": '"tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%0], 32; '
    'tcgen05.dealloc.cta_group::1.sync.aligned.b32 %1, 32;" :: "r"(s), "r"(r[0])',
    "ldmatrix": '"ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : '
    '"=r"(r[0]),"=r"(r[1]),"=r"(r[2]),"=r"(r[3]) : "r"(s)',
    "ldmatrix_b8": '"ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%0,%1}, [%2];" : "=r"(r[0]),"=r"(r[1]) : "r"(s)',
    "ldmatrix_unpack": '"ldmatrix.sync.aligned.m8n16.x1.shared.b8x16.b4x16_p64 {%0}, [%1];" : "=r"(r[0]) : "r"(s)',
    "stmatrix": '"stmatrix.sync.aligned.m8n8.x2.shared.b16 [%2], {%0,%1};" :: "r"(r[0]),"r"(r[1]),"r"(s)',
    "cp_async": '"cp.async.cg.shared.global [%0], [%1], 16; cp.async.ca.shared.global [%0], [%1], 4; '
    'cp.async.commit_group; cp.async.wait_group 0;" :: "r"(s),"l"(g)',
    "cp_async_bulk": '"cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], 128, [%2];" :: '
    '"r"(s),"l"(g),"r"(s)',
    "tma": '"cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2,%3}], [%4];" '
    ':: "r"(s),"l"(g),"r"(r[0]),"r"(r[1]),"r"(s)',
    "load_256": '"ld.global.v8.b32 {%0,%1,%2,%3,%4,%5,%6,%7}, [%8];" : "=r"(r[0]),"=r"(r[1]),"=r"(r[2]),"=r"(r[3]),'
    '"=r"(r[4]),"=r"(r[5]),"=r"(r[6]),"=r"(r[7]) : "l"(g)',
    "cache_policy": '"{.reg .b64 p; createpolicy.fractional.L2::evict_first.b64 p, 1.0; '
    'ld.global.L2::cache_hint.u32 %0, [%1], p;}" : "=r"(r[0]) : "l"(g)',
    "l2_prefetch": '"ld.global.L2::256B.b32 %0, [%1];" : "=r"(r[0]) : "l"(g)',
    "mbarrier": '"{.reg .b64 t; mbarrier.init.shared.b64 [%0], 1; mbarrier.arrive.shared.b64 t, [%0];}" :: "r"(s)',
    "mbarrier_transaction": '"mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], 128;" :: "r"(s)',
    "cluster": '"barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;" ::',
    "elect": '"{.reg .pred p; elect.sync %0|p, 0xffffffff;}" : "=r"(r[0]) :',
    "setmaxnreg": '"setmaxnreg.inc.sync.aligned.u32 232;" ::',
    "programmatic_launch": '"griddepcontrol.wait; griddepcontrol.launch_dependents;" ::',
    "redux": '"redux.sync.add.s32 %0, %1, 0xffffffff;" : "=r"(r[0]) : "r"(r[1])',
    "redux_f32": '"redux.sync.max.f32 %0, %1, 0xffffffff;" : "=f"(f[0]) : "f"(f[1])',
    "atomic_bf16x2": '"red.global.add.noftz.bf16x2 [%0], %1;" :: "l"(g),"r"(r[0])',
    "atomic_f32x4": '"red.global.add.v4.f32 [%0], {%1,%2,%3,%4};" :: "l"(g),"f"(f[0]),"f"(f[1]),"f"(f[2]),"f"(f[3])',
    "f16x2": '"fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(r[0]) : "r"(r[1]),"r"(r[2]),"r"(r[3])',
    "bf16x2": '"fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r[0]) : "r"(r[1]),"r"(r[2]),"r"(r[3])',
    "bf16x2_add": '"add.rn.bf16x2 %0, %1, %2; mul.rn.bf16x2 %0, %0, %2;" : "+r"(r[0]) : "r"(r[1]),"r"(r[2])',
    "f32x2": '"{.reg .b64 a; mov.b64 a, {%0,%1}; fma.rn.f32x2 a, a, a, a; mov.b64 {%0,%1}, a;}" : '
    '"+r"(r[0]),"+r"(r[1]) :',
    "exp2_f16x2": '"ex2.approx.f16x2 %0, %1;" : "=r"(r[0]) : "r"(r[1])',
    "exp2_bf16x2": '"ex2.approx.ftz.bf16x2 %0, %1;" : "=r"(r[0]) : "r"(r[1])',
    "tanh": '"tanh.approx.f32 %0, %1;" : "=f"(f[0]) : "f"(f[1])',
    "minmax_f16x2": '"min.f16x2 %0, %1, %2; max.bf16x2 %0, %0, %2;" : "+r"(r[0]) : "r"(r[1]),"r"(r[2])',
    "max_nan": '"max.NaN.f32 %0, %1, %2;" : "=f"(f[0]) : "f"(f[1]),"f"(f[2])',
    "max3": '"max.f32 %0, %1, %2, %3;" : "=f"(f[0]) : "f"(f[1]),"f"(f[2]),"f"(f[3])',
    "cvt_bf16": '"cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r[0]) : "f"(f[1]),"f"(f[2])',
    "cvt_tf32": '"cvt.rna.tf32.f32 %0, %1;" : "=r"(r[0]) : "f"(f[1])',
    "cvt_fp8": '"{.reg .b16 h; cvt.rn.satfinite.e4m3x2.f32 h, %1, %2; cvt.rn.f16x2.e5m2x2 %0, h;}" : '
    '"=r"(r[0]) : "f"(f[1]),"f"(f[2])',
    "cvt_fp6": '"{.reg .b16 h; cvt.rn.satfinite.e2m3x2.f32 h, %1, %2; cvt.rn.f16x2.e3m2x2 %0, h;}" : '
    '"=r"(r[0]) : "f"(f[1]),"f"(f[2])',
    "cvt_fp4": '"{.reg .b8 h; cvt.rn.satfinite.e2m1x2.f32 h, %1, %2; cvt.rn.f16x2.e2m1x2 %0, h;}" : '
    '"=r"(r[0]) : "f"(f[1]),"f"(f[2])',
    "cvt_ue8m0": '"{.reg .b16 h; cvt.rz.satfinite.ue8m0x2.f32 h, %1, %2; cvt.rn.bf16x2.ue8m0x2 %0, h;}" : '
    '"=r"(r[0]) : "f"(f[1]),"f"(f[2])',
    "cvt_stochastic": '"cvt.rs.f16x2.f32 %0, %1, %2, %3;" : "=r"(r[0]) : "f"(f[1]),"f"(f[2]),"r"(r[3])',
}
# The opcode of the unit that a product has where it is not emulated.
UNITS = {
    "mma_fp8": "QMMA",
    "mma_int8": "IMMA.16832.S8",
    "mma_int4": "IMMA.16864.S4",
    "mma_b1": "BMMA",
    "mma_f64": "DMMA",
}
UNITS |= {"mma_m8n8k32_int4": "IMMA.8832.S4", "mma_bf16": "HMMA.16816.F32.BF16", "mma_m16n8k8_f16": "HMMA.1688.F32"}

KERNEL = """extern "C" __global__ void __launch_bounds__(128) {name}(unsigned* __restrict__ g) {{
    __shared__ unsigned m[1024];
    unsigned s = (unsigned)__cvta_generic_to_shared(m), r[12];
    float f[4];
    double d[4];
    for (int i = 0; i < 12; i++) r[i] = g[i];
    for (int i = 0; i < 4; i++) {{ f[i] = g[i + 12]; d[i] = g[i + 20]; }}
    asm volatile({probe});
    for (int i = 0; i < 12; i++) g[i * 32] = r[i];
    for (int i = 0; i < 4; i++) {{ ((float*)g)[1000 + i] = f[i]; ((double*)g)[1000 + i] = d[i]; }}
    g[threadIdx.x] = m[threadIdx.x];
}}
"""
FOUND_BY_ASSEMBLER = re.compile(r"ptxas application ptx input, line (\d+); error")


def kernels(features: list[str]) -> str:
    return "".join(KERNEL.format(name=f"probe_{name}", probe=PROBES[name]) for name in features)


@pytest.fixture(scope="module")
def compile_cuda() -> Callable[..., Any]:
    pytest.importorskip("cupy", reason="CUDA is compiled through CuPy, which is not installed")
    from tilevm.runtime.nvrtc import compile_cuda, nvrtc_version

    try:
        version = nvrtc_version()
    except UsageError as error:
        pytest.skip(str(error))
    if version < (13, 0):
        pytest.skip(f"NVRTC {version} is older than some of the features; 13.0 knows all")
    return compile_cuda


def refused(architecture: Arch) -> set[str]:
    """The features whose kernels the assembler does not accept."""
    from cupy.cuda import nvrtc

    program = nvrtc.createProgram(kernels(list(PROBES)), "probes.cu", (), ())
    try:
        nvrtc.compileProgram(program, ("-std=c++17", "-default-device", f"-arch={architecture.name}"))
        return set()
    except nvrtc.NVRTCError:
        lines = [int(line) for line in FOUND_BY_ASSEMBLER.findall(nvrtc.getProgramLog(program))]
        ptx = nvrtc.getPTX(program).decode().splitlines()
    finally:
        nvrtc.destroyProgram(program)
    found = set()
    for line in lines:
        entries = re.findall(r"\.entry probe_(\w+)\(", "\n".join(ptx[:line]))
        found.add(entries[-1])
    assert found, "nothing but the features is refused"
    return found


def test_every_feature_is_probed() -> None:
    assert set(PROBES) == set(FEATURES)
    assert set(UNITS) <= set(FEATURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_an_architecture_has_exactly_the_features_that_the_assembler_accepts(
    architecture: Arch, compile_cuda: Callable[..., Any]
) -> None:
    lacking = set(FEATURES) - architecture.features
    assert refused(architecture) == lacking
    having = sorted(architecture.features)
    assert len(compile_cuda(kernels(having), architecture).resources) == len(having)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_what_is_emulated_is_what_has_no_unit_in_the_machine_code(
    architecture: Arch, compile_cuda: Callable[..., Any]
) -> None:
    from tilevm.runtime.cubin import disassemble, find_disassembler

    if find_disassembler() is None:
        pytest.skip("nvdisasm is not installed")
    having = [name for name in UNITS if architecture.has(name)]
    code = disassemble(compile_cuda(kernels(having), architecture).cubin)
    parts = dict(re.findall(r"\.text\.probe_(\w+)(.*?)(?=\.text\.probe_|\Z)", code, re.DOTALL))
    without_unit = {name for name in having if UNITS[name] not in parts[name]}
    assert without_unit == architecture.emulated


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_a_row_agrees_with_itself(architecture: Arch) -> None:
    assert architecture.features <= set(FEATURES)
    assert architecture.emulated <= architecture.features
    assert architecture.maximum_threads_per_multiprocessor % architecture.warp_threads == 0
    reserved = architecture.reserved_shared_per_block
    assert architecture.shared_memory_per_block + reserved == architecture.shared_memory_per_multiprocessor
    assert reserved == (0 if architecture.name == "sm_75" else 1024)
    assert architecture.shared_memory_without_opt_in <= architecture.shared_memory_per_block
    assert arch(architecture.name) is architecture
    assert arch_of_device(architecture.capability) is architecture
    assert architecture.runs_on(architecture.capability)


def test_limits_are_those_of_the_programming_guide() -> None:
    kib = [row.shared_memory_per_block // 1024 for row in ARCHITECTURES.values()]
    assert kib == [64, 163, 99, 99, 227, 227, 227, 99]
    resident = [
        (r.maximum_threads_per_multiprocessor, r.maximum_blocks_per_multiprocessor) for r in ARCHITECTURES.values()
    ]
    assert resident == [(1024, 16), (2048, 32), (1536, 16), (1536, 24), (2048, 32), (2048, 32), (2048, 32), (1536, 24)]


@pytest.mark.parametrize(
    ("capability", "name"), [((7, 5), "sm_75"), ((8, 7), "sm_86"), ((9, 0), "sm_90a"), ((10, 3), "sm_103a")]
)
def test_a_device_runs_the_newest_architecture_that_it_can(capability: tuple[int, int], name: str) -> None:
    assert arch_of_device(capability).name == name


@pytest.mark.parametrize("capability", [(7, 0), (9, 1), (12, 1), (13, 0)])
def test_a_device_without_an_architecture_is_refused_by_its_capability(capability: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"{capability[0]}\.{capability[1]}") as caught:
        arch_of_device(capability)
    assert caught.value.code == "F023"


def test_an_unknown_architecture_offers_the_nearest_and_lists_all() -> None:
    with pytest.raises(UsageError, match="did you mean `sm_100a`") as caught:
        arch("sm_100")
    assert caught.value.code == "F020"
    assert all(name in str(caught.value) for name in ARCHITECTURES)
    with pytest.raises(UsageError, match="There are sm_75") as caught:
        arch("turing")
    assert "did you mean" not in str(caught.value)


def test_an_unknown_feature_is_an_error_and_not_a_no() -> None:
    with pytest.raises(UsageError, match="did you mean `cp_async`") as caught:
        arch("sm_80").has("cp_asnyc")
    assert caught.value.code == "F021"
    with pytest.raises(UsageError, match="features are"):
        arch("sm_80").require("zzz")


def test_a_required_feature_names_what_needs_it_and_who_has_it() -> None:
    source = Source("a.tvm", "x = 1\ncopy_async(a, b)\n")
    arch("sm_80").require("cp_async", span=Span(source, 6, 16))
    with pytest.raises(UsageError) as caught:
        arch("sm_75").require("cp_async", span=Span(source, 6, 16))
    assert caught.value.code == "F022"
    text = str(caught.value)
    assert "sm_75 has no `cp_async`" in text
    assert "a.tvm:2:1" in text
    assert "sm_80, sm_86, sm_89, sm_90a, sm_100a, sm_103a, sm_120a" in text
