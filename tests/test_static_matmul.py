"""The table of the quantised product's machine code: what it counts, and what the page shows of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kernels import needs_compiler
from test_cost import needs_machine_code

import tilevm
from benchmarks import static_matmul
from benchmarks.static_matmul import Peer, Row, budget
from tilevm.devices import device
from tilevm.dtypes import dtype

ROOT = Path(__file__).parent.parent


def test_the_budget_is_what_the_bandwidth_leaves() -> None:
    h200 = device("h200")
    # 3.5 instructions at 4 bits, 1.8 at 2 bits and 0.9 at one, in round figures.
    assert [round(budget(h200, bits), 1) for bits in (4, 2, 1)] == [3.6, 1.8, 0.9]
    # So many weights arrive in the time of so many instructions of all lanes of all schedulers.
    assert budget(h200, 8) * 4.3e12 == pytest.approx(132 * 4 * 32 * 1.83e9)


def test_every_width_is_there_as_integers_and_floats() -> None:
    formats = [dtype(name) for name in static_matmul.FORMATS]
    assert {each.bits for each in formats if each.kind in ("int", "uint")} == set(range(1, 9))
    assert {each.bits for each in formats if each.kind == "float"} == set(range(3, 9))


@needs_machine_code
@needs_compiler
def test_a_row_is_what_machine_code_and_simulator_say() -> None:
    kernel = tilevm.load(ROOT / "examples" / "matmul_explicit.tvm").matmul_explicit
    on = device("a100")
    sizes = {"M": 16, "N": 8192, "K": 8192}
    (row,) = static_matmul.rows(kernel, {}, sizes, on, simulated=True, choose=False, formats=("u4",))
    assert (row.format, row.spilled_bytes, list(row.weight_widths)) == ("u4", 0, [16])
    assert row.instructions_per_weight == row.main_loop / 32
    assert row.budget == budget(on, 4)
    assert row.loads["LDGSTS.128"] == 2
    assert row.wavefronts == row.ideal_wavefronts > 0
    # 128 blocks for 108 multiprocessors: two of them on some.
    assert row.in_flight_bytes == 2 * (2 * (16 * 64 * 2 + 64 * 64 // 2) + 64 * 2)
    assert row.floor_us < row.predicted_us


def row(**changes: object) -> dict[str, object]:
    figures: dict[str, object] = {
        "format": "u3",
        "parameters": {"WN": 1, "STAGES": 4},
        "instructions_per_weight": 2.5,
        "budget": 2.7,
        "main_loop": 320.0,
        "loads": {"LDS.128": 3},
        "weight_widths": [16],
        "registers": 119,
        "spilled_bytes": 0,
        "wavefronts": 12,
        "ideal_wavefronts": 12,
        "in_flight_bytes": 26112.0,
        "predicted_us": 34.04,
        "bound": "latency",
        "floor_us": 6.2,
    }
    assert set(figures) == set(Row.__dataclass_fields__)
    return {**figures, **changes}


def test_the_section_is_the_table_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "static_matmul.json"
    assert "There is no result yet." in static_matmul.section(path)
    result = {
        "schema": static_matmul.SCHEMA,
        "kind": "static_matmul",
        "file": "tilevm/ops/matmul.tvm",
        "kernel": "matmul",
        "set": ["WN=1"],
        "sizes": {"M": 16, "N": 8192, "K": 8192},
        "device": "h200",
        "architecture": "sm_90a",
        "rows": [row(), row(format="u1", spilled_bytes=8, wavefronts=0, parameters={})],
        "peers": [
            Peer("Another 1.0, plain", "sm_80", 10.094, {"LDS.128": 9}).__dict__,
            Peer("Another", "", None, {}, "it is not installed").__dict__,
        ],
    }
    path.write_text(json.dumps(result), encoding="utf-8")
    section = static_matmul.section(path)
    assert "matmul of tilevm/ops/matmul.tvm with WN=1, M = 16, N = 8192, K = 8192, sm_90a:" in section
    assert (
        "| u3 | 2.50 | 2.70 | 16 | 119 | none | 12 : 12 | 25.5 KiB | 34.0 | latency | 6.2 | WN=1 STAGES=4 |" in section
    )
    assert "| u1 | 2.50 | 2.70 | 16 | 119 | 8 | not run | 25.5 KiB | 34.0 | latency | 6.2 | as given |" in section
    assert "- Another 1.0, plain, sm_80: 10.09 instructions a weight; 9 x LDS.128" in section
    assert "- Another: it is not installed" in section
    path.write_text(json.dumps({**result, "schema": 0}), encoding="utf-8")
    assert "of another version" in static_matmul.section(path)
