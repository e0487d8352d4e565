"""The arguments of a call: what is taken, what is refused, and what the refusal says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

import tilevm
from tilevm import ArgumentError, PackedArray

TEXT = """
kernel double(x: f32[N], out y: f32[N]):
    grid cdiv(N, 32)
    warps 1
    i = block_index(0) * 32
    store(y[i :+ 32], load(x[i :+ 32]) * 2.0)

kernel matmul[W: dtype, A: dtype = f16, GROUP = 32](x: A[M, K], w: W[K, N], scale: A[K // GROUP, N], out y: A[M, N]):
    grid cdiv(M, 16), cdiv(N, 16)
    warps 1
    require K % GROUP == 0, "groups are whole"
    m = block_index(0) * 16
    n = block_index(1) * 16
    acc = zeros(f32, [16, 16])
    for k in range(0, K, GROUP):
        b = cast(load(w[k :+ GROUP, n :+ 16]), A) * load(scale[k // GROUP :+ 1, n :+ 16])
        acc = dot(load(x[m :+ 16, k :+ GROUP]), b, acc)
    store(y[m :+ 16, n :+ 16], cast(acc, A))

kernel copy[T: dtype](x: T[M, N], out y: T[M, N]):
    grid cdiv(M, 8), cdiv(N, 8)
    warps 1
    i = block_index(0) * 8
    j = block_index(1) * 8
    store(y[i :+ 8, j :+ 8], load(x[i :+ 8, j :+ 8]))

kernel increment[T: dtype](inout x: T[N]):
    grid cdiv(N, 8)
    warps 1
    i = block_index(0) * 8
    store(x[i :+ 8], load(x[i :+ 8]) + cast(1, T))

kernel fill(out y: f32[N], value: f32, count: i32, small: u4, flag: u1, half: f16):
    grid 1
    warps 1
    store(y[0 :+ 8], full(f32, [8], value + cast(count, f32) + cast(half, f32)))

kernel two(x: f32[N], out a: f32[N], out b: f32[N]):
    grid 1
    warps 1
    store(a[0 :+ 8], load(x[0 :+ 8]))
    store(b[0 :+ 8], load(x[0 :+ 8]) + 1.0)

kernel last(x: u8[M, N], out y: u8[1]):
    grid 1
    warps 1
    store(y[0 :+ 1], load(x[M - 1, N - 1 :+ 1]))

kernel ratio(x: f32[M], y: f32[N], out z: f32[M // N]):
    grid 1
    warps 1
    store(z[0 :+ 8], load(x[0 :+ 8]))

kernel shrink(x: f32[N], out y: f32[4]):
    grid N - 8
    warps 1
    store(y[0 :+ 4], load(x[0 :+ 4]))
"""


@pytest.fixture(scope="module")
def kernels() -> dict[str, tilevm.Kernel]:
    """Every kernel of TEXT."""
    names = ("double", "matmul", "copy", "increment", "fill", "two", "last", "ratio", "shrink")
    return {name: tilevm.kernel(TEXT, name=name) for name in names}


def refused(code: str, call: Callable[[], Any]) -> ArgumentError:
    """The error with which a call is refused."""
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.code == code, str(caught.value)
    return caught.value


def ones(*shape: int, dtype: Any = np.float32) -> Any:
    return np.ones(shape, dtype)


# Which argument is which


def test_unknown_keyword_offers_the_nearest_name(kernels: dict[str, tilevm.Kernel]) -> None:
    error = refused("A001", lambda: kernels["double"](ones(4), z=ones(4)))
    assert "`double` has no parameter `z`" in str(error)
    matmul = kernels["matmul"]
    error = refused("A001", lambda: matmul(ones(1, 32, dtype=np.float16), ones(32, 1), ones(1, 1), GROUPS=32, A="f32"))
    assert "did you mean `GROUP`?" in str(error)


def test_too_many_positional_arguments_are_told_about_out(kernels: dict[str, tilevm.Kernel]) -> None:
    error = refused("A002", lambda: kernels["double"](ones(4), ones(4)))
    assert "takes 1 positional arguments (x), 2 were given" in str(error)
    assert "y=…" in str(error)


def test_argument_given_twice_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    assert "`x` is given twice" in str(refused("A002", lambda: kernels["double"](ones(4), x=ones(4))))


def test_every_missing_argument_is_named(kernels: dict[str, tilevm.Kernel]) -> None:
    error = refused("A003", lambda: kernels["matmul"](ones(1, 32), scal=ones(1, 1)))
    assert [each.argument for each in error.diagnostics] == ["w", "scale"]
    assert "did you mean `scale`?" in str(error)


# What is an array


class GpuArray:
    __cuda_array_interface__: ClassVar[dict[str, Any]] = {}


class GpuTensor:
    def __dlpack__(self, **_: Any) -> Any:
        raise AssertionError("a tensor on a GPU is not asked for its memory")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)


class HostTensor:
    """What torch gives for a tensor on the CPU."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


class Wrapper:
    """An object that only hands out a copy."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.arange(4, dtype=np.float32)


class BrokenWrapper:
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise RuntimeError("it needs grad")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([1.0, 2.0], "numpy.asarray"),
        (3.0, "not a float"),
        (np.float32(3), "not a float32"),
        ("x.npy", "not a str"),
        (None, "not a NoneType"),
        (np.array([1, None], object), "array of object"),
        (np.array([1j]), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.zeros(2, [("a", "f4")]), "no number format"),
        (np.array(["2020-01-01"], "M8[D]"), "datetime64"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "MaskedArray"),
        (np.ones((2, 2), np.float32).view(np.matrix), "matrix"),
        (BrokenWrapper(), "it needs grad"),
        (tilevm.quantize(np.ones((32, 2)), "u4", group=32), "its codes and its scales"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(kernels: dict[str, tilevm.Kernel], given: Any, says: str) -> None:
    error = refused("A004", lambda: kernels["double"](given))
    assert error.diagnostics[0].argument == "x"
    assert says in str(error)


@pytest.mark.parametrize("array", [GpuArray(), GpuTensor()])
def test_array_on_a_gpu_is_refused(kernels: dict[str, tilevm.Kernel], array: Any) -> None:
    assert "lies on a GPU" in str(refused("A017", lambda: kernels["double"](array, backend="interpreter")))


def test_objects_with_dlpack_or_array_are_read(kernels: dict[str, tilevm.Kernel]) -> None:
    assert kernels["double"](Wrapper()).tolist() == [0, 2, 4, 6]
    assert kernels["double"](HostTensor(np.arange(4, dtype=np.float32))).tolist() == [0, 2, 4, 6]


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="NumPy before 2.1 only reads through DLPack")
def test_dlpack_output_is_written_in_its_own_memory(kernels: dict[str, tilevm.Kernel]) -> None:
    target = HostTensor(np.zeros(4, np.float32))
    assert kernels["double"](ones(4), y=target) is target
    assert target.array.tolist() == [2, 2, 2, 2]


def test_object_that_hands_out_copies_is_no_output(kernels: dict[str, tilevm.Kernel]) -> None:
    assert "as a copy" in str(refused("A015", lambda: kernels["double"](ones(4), y=Wrapper())))


# Formats


def test_wrong_format_says_what_is_expected_and_how_to_convert(kernels: dict[str, tilevm.Kernel]) -> None:
    error = refused("A005", lambda: kernels["double"](np.ones(4)))
    assert "`x` holds f64, the kernel takes f32" in str(error)
    assert "x.astype(numpy.float32)" in str(error)
    codes = np.ones((32, 4), np.uint8)
    error = refused(
        "A005", lambda: kernels["matmul"](ones(1, 32, dtype=np.float16), codes, ones(1, 4), W="u4", A="f16")
    )
    assert 'PackedArray.from_codes(w, "u4")' in str(error)
    assert [each.argument for each in error.diagnostics] == ["w", "scale"]


def test_formats_are_inferred_from_the_arrays(kernels: dict[str, tilevm.Kernel]) -> None:
    weights = PackedArray.from_codes(np.arange(32 * 4).reshape(32, 4) % 16, "u4")
    for kind in (np.float16, ml_dtypes.bfloat16):
        y = kernels["matmul"](ones(2, 32, dtype=kind), weights, ones(1, 4, dtype=kind))
        assert y.dtype == kind
        assert (
            y.astype(np.float32).tolist() == np.broadcast_to(weights.numpy().sum(0, dtype=np.float32), (2, 4)).tolist()
        )


def test_format_has_one_name_however_it_is_written(kernels: dict[str, tilevm.Kernel]) -> None:
    x = np.ones((2, 3), ml_dtypes.float8_e4m3fn)
    for name in ("f8e4m3", "f8e4m3fn"):
        assert kernels["copy"](x, T=name).dtype == x.dtype


def test_two_arrays_that_disagree_about_a_format_are_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    weights = PackedArray.from_codes(np.zeros((32, 4), np.uint8), "u4")
    error = refused("A012", lambda: kernels["matmul"](ones(2, 32, dtype=np.float16), weights, ones(1, 4)))
    assert "A is f16 in `x` but f32 in `scale`" in str(error)


def test_format_that_no_array_gives_and_that_is_not_written_is_missing(kernels: dict[str, tilevm.Kernel]) -> None:
    assert "`copy` needs a value" in str(refused("A031", lambda: kernels["copy"].specialise()))


@pytest.mark.parametrize(
    "kind",
    [
        *(np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
        *(np.float16, np.float32, np.float64, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
        *(ml_dtypes.float8_e8m0fnu, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e3m4, ml_dtypes.float8_e4m3),
    ],
)
def test_outputs_are_numpy_arrays_where_numpy_has_the_format(kernels: dict[str, tilevm.Kernel], kind: Any) -> None:
    x = (np.arange(60).reshape(6, 10) % 7).astype(kind)
    y = kernels["copy"](x)
    assert type(y) is np.ndarray
    assert y.dtype == x.dtype
    assert y.tobytes() == x.tobytes()


@pytest.mark.parametrize("name", ["u3", "i5", "f6e3m2", "f4e2m1", "nf4", "ue5m3", "f5e2m2", "f12e5m6"])
def test_outputs_in_other_formats_are_packed_arrays(kernels: dict[str, tilevm.Kernel], name: str) -> None:
    codes = np.random.default_rng(0).integers(0, 1 << tilevm.dtype(name).bits, (6, 11))
    y = kernels["copy"](PackedArray.from_codes(codes, name))
    assert isinstance(y, PackedArray)
    assert y.dtype is tilevm.dtype(name)
    assert np.array_equal(y.codes(), codes)


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "float4_e2m1fn", "float6_e3m2fn"])
def test_ml_dtypes_of_less_than_a_byte_are_read_and_written(kernels: dict[str, tilevm.Kernel], name: str) -> None:
    kind = getattr(ml_dtypes, name)
    x = np.arange(-8, 8).reshape(2, 8).astype(kind)
    y = np.zeros((2, 8), kind)
    kernels["copy"](x, y=y)
    assert y.astype(np.float32).tolist() == x.astype(np.float32).tolist()
    # The bits of a byte that such an element leaves free do not count.
    dirty = (x.view(np.uint8) | 0x80).view(kind) if name != "float6_e3m2fn" else x
    assert kernels["copy"](dirty).numpy().tolist() == x.astype(np.float32).tolist()


def test_packed_output_is_written_in_place_in_its_layout(kernels: dict[str, tilevm.Kernel]) -> None:
    layout = tilevm.memory_pattern("column_major").bind((6, 8), 4)
    codes = np.arange(48).reshape(6, 8) % 16
    target = PackedArray.from_codes(np.zeros((6, 8), np.uint8), "u4", layout)
    data = target.data
    assert kernels["copy"](PackedArray.from_codes(codes, "u4"), y=target) is target
    assert target.data is data
    assert np.array_equal(target.codes(), codes)
    assert np.array_equal(data, PackedArray.from_codes(codes, "u4", layout).data)


# Shapes and sizes


def test_wrong_rank_shows_the_declaration(kernels: dict[str, tilevm.Kernel]) -> None:
    error = refused("A006", lambda: kernels["double"](ones(2, 2)))
    assert "`x` has 2 dimensions, shape [2, 2]; the kernel takes 1 dimension: x: f32[N]" in str(error)
    refused("A006", lambda: kernels["double"](np.array(1.0, np.float32)))


def test_sizes_that_clash_name_both_arrays(kernels: dict[str, tilevm.Kernel]) -> None:
    half = np.float16
    x, w, scale = ones(2, 4096, dtype=half), ones(2048, 8, dtype=half), ones(64, 8, dtype=half)
    error = refused("A007", lambda: kernels["matmul"](x, w, scale))
    assert "K is 4096 in `x` but 2048 in `w`" in str(error)
    assert error.diagnostics[0].argument == "w"


def test_extent_that_is_an_expression_is_checked(kernels: dict[str, tilevm.Kernel]) -> None:
    half = np.float16
    x, w, scale = ones(2, 64, dtype=half), ones(64, 8, dtype=half), ones(3, 8, dtype=half)
    error = refused("A007", lambda: kernels["matmul"](x, w, scale))
    assert "dimension 0 of `scale` is 3, but the kernel takes K // 32 = 2, where K is 64 in `x`" in str(error)


def test_given_output_of_the_wrong_shape_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    assert "N is 4 in `x` but 5 in `y`" in str(refused("A007", lambda: kernels["double"](ones(4), y=ones(5))))


def test_size_of_an_output_alone_is_given_by_name(kernels: dict[str, tilevm.Kernel]) -> None:
    scalars: dict[str, Any] = {"value": 1.5, "count": 2, "small": 3, "flag": True, "half": 0.5}
    error = refused("A008", lambda: kernels["fill"](**scalars))
    assert "N=…" in str(error)
    assert kernels["fill"](**scalars, N=3).tolist() == [4, 4, 4]
    assert kernels["fill"](1.5, 2, 3, True, 0.5, N=np.int64(3)).tolist() == [4, 4, 4]
    assert kernels["double"](ones(4), N=4).shape == (4,)
    assert "N is 5 in the call but 4 in `x`" in str(refused("A007", lambda: kernels["double"](ones(4), N=5)))
    refused("A013", lambda: kernels["fill"](**scalars, N=3.0))
    refused("A020", lambda: kernels["fill"](**scalars, N=-1))


def test_size_that_divides_by_zero_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    assert "M // N divides by zero" in str(refused("A009", lambda: kernels["ratio"](ones(4), ones(0))))


def test_require_is_checked_with_the_sizes(kernels: dict[str, tilevm.Kernel]) -> None:
    half = np.float16
    error = refused(
        "A018", lambda: kernels["matmul"](ones(2, 40, dtype=half), ones(40, 8, dtype=half), ones(1, 8, dtype=half))
    )
    assert "requires K % 32 == 0; here K = 40" in str(error)
    assert "groups are whole" in str(error)
    assert "require K % GROUP == 0" in str(error)


def test_grid_out_of_range_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    assert "N - 8 = -4 blocks" in str(refused("A019", lambda: kernels["shrink"](ones(4))))


def test_compile_time_text_that_is_no_format_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    error = refused("A010", lambda: kernels["copy"].specialise(T="f6e3m3"))
    assert error.diagnostics[0].argument == "T"
    assert "1 + 3 + 3 = 7 bits" in str(error)


# Empty and huge


def test_empty_arrays_give_empty_outputs(kernels: dict[str, tilevm.Kernel]) -> None:
    assert kernels["double"](ones(0)).shape == (0,)
    assert kernels["copy"](np.ones((0, 5), np.float16)).shape == (0, 5)
    assert kernels["copy"](PackedArray.from_codes(np.zeros((3, 0), np.uint8), "u3")).shape == (3, 0)


def test_loads_from_an_empty_array_read_zero(kernels: dict[str, tilevm.Kernel]) -> None:
    half = np.float16
    y = kernels["matmul"](ones(2, 0, dtype=half), ones(0, 3, dtype=half), ones(0, 3, dtype=half))
    assert y.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_output_that_an_empty_grid_would_leave_unwritten_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    error = refused("A019", lambda: kernels["shrink"](ones(8)))
    assert "nothing writes `y`, which has 4 elements" in str(error)
    assert kernels["shrink"](ones(8), y=np.full(4, 7, np.float32)).tolist() == [7, 7, 7, 7]


def test_array_of_more_than_two_to_the_31_elements_is_read_without_a_copy(kernels: dict[str, tilevm.Kernel]) -> None:
    huge = np.broadcast_to(np.array([5], np.uint8), (1 << 20, 1 << 20))
    assert kernels["last"](huge).tolist() == [5]


def test_extent_above_two_to_the_31_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    huge = as_strided(np.zeros(1, np.uint8), (1 << 31, 1), (0, 0))
    error = refused("A020", lambda: kernels["last"](huge))
    assert f"dimension 0 of `x` is {1 << 31}" in str(error)


def test_output_for_which_there_is_no_memory_is_refused() -> None:
    kernel = tilevm.kernel(
        "kernel outer(x: u8[M], out y: f64[M, M, M]):\n    grid 1\n    store(y[0, 0, 0 :+ 8], zeros(f64, [8]))\n"
    )
    huge = np.broadcast_to(np.array([5], np.uint8), (1 << 21,))
    assert "no memory for `y`" in str(refused("A020", lambda: kernel(huge)))


# Memory of the arguments


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_arrays_of_any_strides_are_read_and_written(data: st.DataObject) -> None:
    kernel = tilevm.kernel(TEXT, name="copy")
    steps = st.sampled_from([1, 2, 3, -1, -2])
    index = tuple(slice(None, None, data.draw(steps)) for _ in range(2))
    transposed = data.draw(st.booleans())
    kind = data.draw(st.sampled_from([np.float16, np.float32, np.int8, ml_dtypes.bfloat16]))
    whole = np.random.default_rng(0).integers(-9, 9, (12, 10)).astype(kind)
    x = whole.T[index] if transposed else whole[index]
    before = whole.copy()
    space = np.zeros((12, 10), kind)
    y = space.T[index] if transposed else space[index]
    kernel(x, y=y)
    assert np.array_equal(x, y)
    assert np.array_equal(whole, before)
    assert np.count_nonzero(space) == np.count_nonzero(x)


def test_byte_swapped_array_is_converted_for_reading_and_refused_for_writing(kernels: dict[str, tilevm.Kernel]) -> None:
    swapped = np.arange(4, dtype=">f4")
    assert kernels["double"](swapped).tolist() == [0, 2, 4, 6]
    assert "byte-swapped" in str(refused("A015", lambda: kernels["double"](ones(4), y=np.zeros(4, ">f4"))))


def test_read_only_array_is_no_output(kernels: dict[str, tilevm.Kernel]) -> None:
    frozen = np.zeros(4, np.float32)
    frozen.flags.writeable = False
    assert kernels["double"](frozen).tolist() == [0, 0, 0, 0]
    assert "read-only" in str(refused("A015", lambda: kernels["double"](ones(4), y=frozen)))
    packed = PackedArray(np.frombuffer(b"\0\0", np.uint8), "u4", (1, 4))
    source = PackedArray.from_codes([[1, 2, 3, 4]], "u4")
    refused("A015", lambda: kernels["copy"](source, y=packed))


def test_output_whose_elements_share_memory_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    base = np.zeros(8, np.float32)
    for strides in ((0, 4), (4, 4), (8, 4)):
        with pytest.raises(ArgumentError, match="share memory") as caught:
            kernels["copy"](ones(2, 3), y=as_strided(base, (2, 3), strides))
        assert caught.value.code == "A015"
    fine = as_strided(base, (2, 3), (12, 4))
    kernels["copy"](ones(2, 3), y=fine)
    assert base.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]


def test_output_that_overlaps_another_argument_is_refused(kernels: dict[str, tilevm.Kernel]) -> None:
    x = ones(8)
    error = refused("A016", lambda: kernels["double"](x, y=x))
    assert "`y`, which the kernel writes, shares memory with `x`" in str(error)
    refused("A016", lambda: kernels["double"](x[:6], y=x[2:]))
    refused("A016", lambda: kernels["two"](ones(8), a=x, b=x[::-1]))
    packed = PackedArray.from_codes([[1, 2, 3, 4]], "u4")
    refused("A016", lambda: kernels["copy"](packed, y=packed))
    assert x.tolist() == [1] * 8


def test_interleaved_arrays_do_not_overlap(kernels: dict[str, tilevm.Kernel]) -> None:
    both = np.arange(8, dtype=np.float32)
    kernels["double"](both[::2], y=both[1::2])
    assert both.tolist() == [0, 0, 2, 4, 4, 8, 6, 12]


def test_inout_is_written_in_place(kernels: dict[str, tilevm.Kernel]) -> None:
    x = np.arange(5, dtype=np.int32)
    assert kernels["increment"](x) is None
    assert x.tolist() == [1, 2, 3, 4, 5]


def test_refused_call_has_written_nothing(kernels: dict[str, tilevm.Kernel]) -> None:
    a = np.zeros(8, np.float32)
    refused("A007", lambda: kernels["two"](ones(8), a=a, b=ones(7)))
    assert not a.any()


# Scalars


SCALARS: dict[str, Any] = {"value": 0.0, "count": 0, "small": 0, "flag": False, "half": 0.0}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("count", 2.5, "A013"),
        ("count", 2.0, "A013"),
        ("count", np.float32(2), "A013"),
        ("count", True, "A013"),
        ("count", "3", "A013"),
        ("count", None, "A013"),
        ("count", np.arange(2), "A013"),
        ("count", 2**31, "A014"),
        ("count", -(2**31) - 1, "A014"),
        ("small", 16, "A014"),
        ("small", -1, "A014"),
        ("flag", 2, "A014"),
        ("flag", 0.0, "A013"),
        ("value", 1e39, "A014"),
        pytest.param("value", 10**400, "A014", id="value-huge"),
        ("value", True, "A013"),
        ("value", 1j, "A013"),
        ("half", 70000, "A014"),
    ],
)
def test_scalar_that_does_not_fit_is_refused(
    kernels: dict[str, tilevm.Kernel], name: str, value: Any, code: str
) -> None:
    error = refused(code, lambda: kernels["fill"](**{**SCALARS, name: value}, N=1))
    assert error.diagnostics[0].argument == name


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("value", 3, 3.0),
        ("value", np.float64(0.1), float(np.float32(0.1))),
        ("value", np.array(2.0), 2.0),
        ("value", math.inf, math.inf),
        ("value", math.nan, math.nan),
        ("count", np.uint8(200), 200.0),
        ("half", 0.1, float(np.float16(0.1))),
        ("flag", 1, 0.0),
        ("flag", np.bool_(True), 0.0),
        ("small", 15, 0.0),
    ],
)
def test_scalar_that_fits_is_rounded_to_its_format(
    kernels: dict[str, tilevm.Kernel], name: str, value: Any, result: float
) -> None:
    y = kernels["fill"](**{**SCALARS, name: value}, N=1)
    assert np.array_equal(y, np.array([result], np.float32), equal_nan=True)
