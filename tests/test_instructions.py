"""What holds for every instruction."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from batches import ORACLES

import tilevm.instructions  # noqa: F401 (fills the registry)
from tilevm.dtypes import F32, I32
from tilevm.instruction import INSTRUCTIONS, OPERATORS, Instruction
from tilevm.values import Literal, TensorType, TileType, Value, Window

EVERY = [*INSTRUCTIONS.values(), *OPERATORS.values()]
each_instruction = pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.name)


@each_instruction
def test_every_instruction_says_how_it_is_written_and_what_it_means(cls: type[Instruction]) -> None:
    text = cls.__dict__.get("__doc__") or ""
    assert text.startswith("``")
    assert cls.spelling in text.partition("``:")[0] or f"``{cls.spelling}" in text
    assert len(text.split()) > 8


@each_instruction
def test_every_instruction_has_an_oracle(cls: type[Instruction]) -> None:
    for file in Path(__file__).parent.glob("test_instructions_*.py"):
        importlib.import_module(file.stem)
    assert cls in ORACLES


@each_instruction
def test_every_instruction_defines_its_type_and_its_meaning(cls: type[Instruction]) -> None:
    assert cls.infer is not Instruction.infer
    assert cls.evaluate is not Instruction.evaluate


def test_an_instruction_says_what_memory_it_reads_and_writes() -> None:
    x = Value(TensorType(F32, (8,), "inout"), "x")
    tile, index, at = Value(TileType(F32, (8,))), Value(TileType(I32, (8,))), Window(x, (Literal(0, I32),), (8,))
    calls = {
        INSTRUCTIONS["load"](at): ([x], []),
        INSTRUCTIONS["store"](at, tile): ([], [x]),
        INSTRUCTIONS["atomic_add"](at, tile): ([x], [x]),
        INSTRUCTIONS["gather"](x, (index,)): ([x], []),
        INSTRUCTIONS["scatter"](x, tile, (index,)): ([], [x]),
        INSTRUCTIONS["exp"](tile): ([], []),
    }
    for call, (read, written) in calls.items():
        assert list(call.memory(written=False)) == read, call.name
        assert list(call.memory(written=True)) == written, call.name
