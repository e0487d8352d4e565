"""The table of GPUs: every figure has a source, and floors are those that are published for the shapes of LLMs."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tilevm.arch import ARCHITECTURES, arch
from tilevm.devices import DEVICES, PIPES, Device, device, device_for
from tilevm.errors import UsageError

FLOORS = {
    # n, k: bits, scales in groups of 128: microseconds for m of 1, 16, 64, 256, 4096, M memory- and C compute-bound
    (8192, 8192): {
        (4, True): "8.1M 8.2M 10.9C 43.5C 696C",
        (6, False): "11.7M 11.8M 12.2M 43.5C 696C",
        (8, False): "15.6M 15.7M 16.1M 43.5C 696C",
        (16, False): "31.2M 31.3M 31.7M 43.5C 696C",
    },
    (57344, 8192): {
        (4, True): "56.4M 56.8M 76.1C 304C 4871C",
        (6, False): "82.0M 82.4M 83.9M 304C 4871C",
        (8, False): "109M 110M 111M 304C 4871C",
        (16, False): "218M 219M 220M 304C 4871C",
    },
}
ROWS = (1, 16, 64, 256, 4096)


@pytest.mark.parametrize(("shape", "row"), [(shape, row) for shape, rows in FLOORS.items() for row in rows.items()])
def test_floors_of_an_h200_are_those_of_the_table(shape: tuple[int, int], row: tuple[tuple[int, bool], str]) -> None:
    (n, k), ((bits, grouped), text) = shape, row
    for m, expected in zip(ROWS, text.split(), strict=True):
        scales = k // 128 * n * 2 if grouped else 0
        floor = device("h200").floor(n * k * bits / 8 + scales + 2 * m * (n + k), 2.0 * m * n * k)
        figure, letter = expected[:-1], expected[-1]
        digits = len(figure.partition(".")[2])
        assert abs(floor.microseconds - float(figure)) <= 0.6 * 10**-digits, (m, floor)
        assert floor.bound == {"M": "DRAM", "C": "tensor cores"}[letter]


@pytest.mark.parametrize("row", DEVICES.values(), ids=DEVICES)
def test_every_figure_has_a_source(row: Device) -> None:
    figures = {each.name for each in fields(Device)} - {"name", "title", "arch", "sources"}
    assert set(row.sources) == figures
    assert all(row.sources.values())
    assert ("not measured" in row.sources["dram_measured_gbps"]) == (row.dram_measured_gbps is None)
    assert ("not measured" in row.sources["tensor_measured_tflops"]) == (not row.tensor_measured_tflops)


@pytest.mark.parametrize("row", DEVICES.values(), ids=DEVICES)
def test_figures_agree_with_each_other(row: Device) -> None:
    assert set(row.lanes) == set(PIPES)
    assert row.arch.name in ARCHITECTURES
    assert row.dram_gbps <= row.dram_spec_gbps < row.l2_gbps
    # A multiprocessor makes a power of two of operations a clock on its tensor cores.
    a_clock = row.tensor_tflops["f16"] * 1e3 / row.multiprocessors / row.clock_ghz
    power = 1 << round(a_clock).bit_length() - (a_clock < 1 << round(a_clock).bit_length() - 1)
    near = min((power, power // 2), key=lambda each: abs(each - a_clock))
    assert a_clock == pytest.approx(near, rel=0.02)
    assert (
        row.tensor_tflops["f16"] == row.tensor_tflops["bf16"] == pytest.approx(2 * row.tensor_tflops["tf32"], rel=0.02)
    )


def test_a_warp_reaches_a_part_of_the_tensor_cores() -> None:
    h200, a100 = device("h200"), device("a100")
    assert h200.tensor_rate("f16") == 790
    assert h200.tensor_rate("f16", warp=True) == pytest.approx(0.63 * 989.4)
    assert a100.tensor_rate("f16", warp=True) == a100.tensor_rate("f16")
    assert h200.tensor_rate("f6e3m2") is None
    assert h200.floor(0, 1e9, "f32").compute_microseconds == pytest.approx(1e9 / h200.fma_tflops / 1e6)


def test_a_name_that_is_unknown_is_refused() -> None:
    with pytest.raises(UsageError, match="knows no device 'rtx409'") as caught:
        device("rtx409")
    assert caught.value.code == "F029"
    assert "did you mean `rtx4090`?" in str(caught.value)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_a_device_to_reckon_with(name: str) -> None:
    row = device_for(arch(name))
    assert row.arch.capability >= (8, 0)
    if any(arch(name).runs_on(each.arch.capability) for each in DEVICES.values()):
        assert arch(name).runs_on(row.arch.capability)


@pytest.mark.parametrize(
    ("on", "n", "k", "microseconds", "share"),
    [
        # Machete on an H100, reported at 81% of the bandwidth; the best published for an H200, Marlin in vLLM.
        ("h100", 73728, 12288, 172.0, 0.81),
        ("h200", 8192, 8192, 20.3, 0.40),
    ],
)
def test_published_times_are_above_the_floor(on: str, n: int, k: int, microseconds: float, share: float) -> None:
    floor = device(on).floor(n * k / 2 + k // 128 * n * 2 + 2 * (n + k), 2.0 * n * k)
    assert floor.bound == "DRAM"
    assert floor.microseconds / microseconds == pytest.approx(share, abs=0.01)
