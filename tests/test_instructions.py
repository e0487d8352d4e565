"""What holds for every instruction."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from batches import ORACLES

import tilevm.instructions  # noqa: F401 (fills the registry)
from tilevm.instruction import INSTRUCTIONS, OPERATORS, Instruction

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
