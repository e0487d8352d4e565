"""CUDA compiles without a GPU for every architecture, and what is wrong is said where it was written."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tilevm.arch import ARCHITECTURES, Arch, arch
from tilevm.errors import Source, TilevmError, UsageError
from tilevm.runtime import nvrtc as module
from tilevm.runtime.cache import Cache
from tilevm.runtime.cubin import disassemble, find_disassembler, read_cubin
from tilevm.runtime.nvrtc import Compiled, compile_cuda, nvrtc_version

SOURCE = """
extern "C" __global__ void __launch_bounds__(128) reverse(const float* __restrict__ x, float* __restrict__ y, int n) {
    __shared__ float s[128];
    s[threadIdx.x] = x[blockIdx.x * 128 + threadIdx.x];
    __syncthreads();
    if (threadIdx.x < n) y[threadIdx.x] = s[127 - threadIdx.x];
}
extern "C" __global__ void __launch_bounds__(1024) spill(float* x, int n) {
    float a[96];
    #pragma unroll
    for (int i = 0; i < 96; i++) a[i] = x[i * n];
    for (int j = 0; j < n; j++) {
        #pragma unroll
        for (int i = 0; i < 96; i++) a[i] = a[i] * a[(i + 7) % 96] + x[j];
    }
    #pragma unroll
    for (int i = 0; i < 96; i++) x[i * n] = a[i];
}
extern "C" __global__ void indexed(float* x, int n) {
    float a[20];
    for (int i = 0; i < 20; i++) a[i] = x[i];
    x[n] = a[n];
    for (int i = 0; i < n; i++) a[i] = n;
    x[2] = a[x[3] > 0];
}
"""
TEXT = Source("gemm.tvm", "\n" * 13 + "  a = load(x)\n    b = dot(a)\n  c = store(b)\n")


@pytest.fixture(scope="module", autouse=True)
def _in_an_empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("nvrtc"))
        yield


@pytest.fixture(scope="module")
def nvrtc() -> tuple[int, int]:
    """The version of NVRTC, where there is one."""
    try:
        return nvrtc_version()
    except UsageError as error:
        pytest.skip(error.diagnostics[0].message)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_resources_are_those_of_the_cubin_and_the_log(architecture: Arch, nvrtc: tuple[int, int]) -> None:
    compiled = compile_cuda(SOURCE, architecture)
    assert compiled.architecture == architecture.name
    assert sorted(compiled.resources) == ["indexed", "reverse", "spill"]
    reverse, spill, indexed = (compiled.resources[name] for name in ("reverse", "spill", "indexed"))
    assert (reverse.shared_bytes, reverse.stack_bytes) == (512, 0)
    assert (reverse.spill_store_bytes, reverse.spill_load_bytes) == (0, 0)
    assert 0 < reverse.registers < 32
    assert spill.registers == 64
    assert spill.stack_bytes > 0
    assert spill.spill_store_bytes
    assert spill.spill_load_bytes
    assert (indexed.stack_bytes, indexed.spill_store_bytes) == (80, 0)
    for name, resources in compiled.resources.items():
        log = compiled.log.partition(f"Compiling entry function '{name}'")[2]
        assert f"Used {resources.registers} registers" in log.partition("Compiling")[0]
    kernel = read_cubin(compiled.cubin).kernels["reverse"]
    assert (kernel.maximum_threads, kernel.parameter_bytes) == (128, 20)
    assert f".target {architecture.name}" in compiled.ptx
    assert "\0" not in compiled.ptx + compiled.log


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a", "sm_120a"])
def test_the_whole_cubin_comes_back(architecture: str, nvrtc: tuple[int, int]) -> None:
    if find_disassembler() is None:
        pytest.skip("nvdisasm is not installed")
    code = disassemble(compile_cuda(SOURCE, arch(architecture)).cubin)
    assert code.count("EXIT") >= 3
    assert "BAR.SYNC" in code


def complaints(source: str, architecture: str = "sm_80", sources: tuple[Source, ...] = (TEXT,)) -> TilevmError:
    with pytest.raises(TilevmError) as caught:
        compile_cuda(source, arch(architecture), sources=sources)
    assert caught.value.code == "F026"
    return caught.value


def test_a_complaint_of_the_compiler_stands_at_the_line_of_the_program(nvrtc: tuple[int, int]) -> None:
    source = '#line 15 "gemm.tvm"\nextern "C" __global__ void k(int* x) { *x = foo;\n *x = bar(1); }'
    error = complaints(source)
    assert [diagnostic.span.line for diagnostic in error.diagnostics if diagnostic.span] == [15, 16]
    assert 'identifier "foo" is undefined' in error.diagnostics[0].message
    assert 'identifier "bar" is undefined' in error.diagnostics[1].message
    assert "15 |     b = dot(a)\n   |     ^^^^^^^^^^\n" in str(error)
    assert "2 errors detected" in str(error.diagnostics[0].help)
    assert error.diagnostics[1].help is None


def test_a_complaint_about_a_text_that_was_not_given_names_file_and_line(nvrtc: tuple[int, int]) -> None:
    source = '#line 15 "gemm.tvm"\nextern "C" __global__ void k(int* x) { *x = foo; }'
    assert complaints(source, sources=()).diagnostics[0].message.startswith("gemm.tvm(15): ")
    assert complaints(source.replace("15", "999")).diagnostics[0].message.startswith("gemm.tvm(999): ")


def test_a_complaint_of_the_assembler_is_followed_back_to_the_line_of_the_program(nvrtc: tuple[int, int]) -> None:
    source = """__device__ void intrinsic(int& x) { asm volatile("redux.sync.add.s32 %0, %0, -1;" : "+r"(x)); }
#line 14 "gemm.tvm"
extern "C" __global__ void k(int* x) {
    intrinsic(x[0]);
    asm volatile("cp.async.wait_all;"); }
"""
    error = complaints(source, "sm_75")
    assert [diagnostic.span.line for diagnostic in error.diagnostics if diagnostic.span] == [15, 16]
    assert "Feature 'redux' requires .target sm_80" in error.diagnostics[0].message
    outside = complaints(source, "sm_75", sources=())
    assert "kernel.cu(1): " in outside.diagnostics[0].message
    assert "gemm.tvm(16): " in outside.diagnostics[1].message


def test_a_complaint_without_a_line_is_reported_with_its_text(nvrtc: tuple[int, int]) -> None:
    body = "__shared__ int s[30000]; s[x[0]] = 1; __syncthreads(); x[1] = s[x[3]];"
    error = complaints(f'extern "C" __global__ void k(int* x) {{ {body} }}')
    assert "uses too much shared data (0x1d4c0 bytes, 0xc000 max)" in error.diagnostics[0].message


def test_a_header_that_is_not_there_is_a_complaint(nvrtc: tuple[int, int]) -> None:
    assert "cannot open source file" in complaints('#include "nowhere.h"\n').diagnostics[0].message


def test_an_option_that_is_not_one_is_refused(nvrtc: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="unrecognized option -zork") as caught:
        compile_cuda(SOURCE, arch("sm_80"), options=("-zork",))
    assert caught.value.code == "F025"
    assert caught.value.diagnostics[0].help is None
    with pytest.raises(UsageError, match="a newer one knows more architectures") as caught:
        compile_cuda(SOURCE, arch("sm_80"), options=("-arch=sm_999",))
    assert caught.value.code == "F025"


def test_options_reach_the_compiler(nvrtc: tuple[int, int]) -> None:
    source = 'extern "C" __global__ void k(int* x) { *x = VALUE; }'
    assert "1234567" in compile_cuda(source, arch("sm_80"), options=("-DVALUE=1234567",)).ptx


def test_what_was_compiled_comes_from_the_cache(
    nvrtc: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)
    first = compile_cuda(SOURCE, arch("sm_80"), cache=cache)
    compiled: list[str] = []
    compile_parts = module._compile

    def counted(*arguments: Any) -> dict[str, bytes]:
        compiled.append(arguments[2])
        return compile_parts(*arguments)

    monkeypatch.setattr(module, "_compile", counted)
    assert compile_cuda(SOURCE, arch("sm_80"), cache=cache) == first
    assert compiled == []
    others = (
        lambda: compile_cuda(SOURCE + " ", arch("sm_80"), cache=cache),
        lambda: compile_cuda(SOURCE, arch("sm_86"), cache=cache),
        lambda: compile_cuda(SOURCE, arch("sm_80"), options=("-DX",), cache=cache),
        lambda: compile_cuda(SOURCE, arch("sm_80"), name="other.cu", cache=cache),
    )
    for other in others:
        other()
    assert len(compiled) == len(others)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert compile_cuda(SOURCE, arch("sm_80"), cache=cache).resources == first.resources
    assert len(compiled) == len(others) + 1
    assert compile_cuda(SOURCE, arch("sm_80"), cache=cache).cubin[:4] == b"\x7fELF"
    assert len(compiled) == len(others) + 1


def test_without_cupy_the_error_says_what_to_install_and_what_works_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setitem(sys.modules, "cupy.cuda", None)
    for call in (nvrtc_version, lambda: compile_cuda(SOURCE, arch("sm_80"))):
        with pytest.raises(UsageError, match="pip install 'tilevm\\[cuda13\\]'") as caught:
            call()
        assert caught.value.code == "F024"
        assert "backend interpreter" in str(caught.value)


class Refusal(RuntimeError):
    """What a binding raises."""

    status = 6


def stand_in(**functions: Any) -> types.ModuleType:
    """A module that stands for CuPy's binding of NVRTC."""
    binding = types.ModuleType("cupy.cuda.nvrtc")
    for name, function in functions.items():
        setattr(binding, name, function)
    return binding


def put_in_place(monkeypatch: pytest.MonkeyPatch, binding: types.ModuleType) -> None:
    for name in ("cupy", "cupy.cuda"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(sys.modules["cupy.cuda"], "nvrtc", binding, raising=False)


def test_cupy_without_nvrtc_is_the_same_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> tuple[int, int]:
        raise RuntimeError('Failure finding "libnvrtc.so.13"\nand more')

    put_in_place(monkeypatch, stand_in(getVersion=absent))
    with pytest.raises(UsageError, match=r'Failure finding "libnvrtc\.so\.13"') as caught:
        nvrtc_version()
    assert caught.value.code == "F024"
    assert "and more" not in str(caught.value)


def test_a_log_without_a_reason_is_shown_whole_and_the_program_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = []

    def refuse(program: str, options: tuple[str, ...]) -> None:
        raise Refusal

    binding = stand_in(
        NVRTCError=Refusal,
        getVersion=lambda: (13, 0),
        createProgram=lambda *arguments: "program",
        compileProgram=refuse,
        getProgramLog=lambda program: "something else\0",
        getPTX=lambda program: b"",
        destroyProgram=given_back.append,
    )
    put_in_place(monkeypatch, binding)
    with pytest.raises(TilevmError, match="no reason was found") as caught:
        compile_cuda(SOURCE, arch("sm_80"))
    assert caught.value.code == "F026"
    assert "something else" in str(caught.value)
    assert given_back == ["program"]


def test_what_is_compiled_can_be_compared() -> None:
    one = Compiled("sm_80", b"", "", "", {})
    assert one == Compiled("sm_80", b"", "", "", {})
