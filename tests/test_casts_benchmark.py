"""The tables of casts are made of the file of figures, which are counted in machine code."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import casts
from tilevm.runtime.sass import read_sass

CODE = """
.text.tile_0:
        /*0000*/                   S2R R0, SR_TID.X ;
        /*0010*/                   IMAD.SHL.U32 R2, R0, 0x4, RZ ;
        /*0020*/                   IMAD.WIDE.U32 R2, R2, R5, c[0x0][0x160] ;
        /*0030*/                   LDG.E R4, [R2.64] ;
        /*0040*/                   IMAD.MOV.U32 R6, RZ, RZ, 0x64006400 ;
        /*0050*/                   HFMA2.MMA R7, -RZ, RZ, 0, 0 ;
        /*0060*/                   LOP3.LUT R4, R4, 0xf000f, R6, 0x6a, !PT ;
        /*0070*/                   HADD2 R4, R4, -1032, -1032 ;
        /*0080*/                   STG.E [R2.64], R4 ;
        /*0090*/                   EXIT ;
"""


def test_what_computes_is_counted() -> None:
    """Neither the place of a thread, nor constants, nor what is moved: the mask and the sum."""
    assert casts.computing(read_sass(CODE)["tile_0"].instructions) == 2


def test_the_section_is_the_tables_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "casts.json"
    assert "There is no result yet." in casts.section(path)
    result = {
        "schema": casts.SCHEMA,
        "kind": "casts",
        "widened": [["u4", [1.5, 1.125], [1.625, 1.625], [2.125, 2.125], [None, None], [None, None]]],
        "converted": [["f8e4m3", "sm_89", 0.75, 2.25, 1.75]],
        "narrowed": [["i8", *(float(each) for each in range(9))]],
    }
    path.write_text(json.dumps(result), encoding="utf-8")
    section = casts.section(path)
    assert "| u4 | 1.50, 1.12 | 1.62 | 2.12 | – | – |" in section
    assert "| f8e4m3 | sm_89 | 0.75 | 2.25 | 1.75 |" in section
    assert "| i8 | 0.00, 3.00, 6.00 | 1.00, 4.00, 7.00 | 2.00, 5.00, 8.00 |" in section
    path.write_text(json.dumps({**result, "schema": 0}), encoding="utf-8")
    assert "of another version" in casts.section(path)
