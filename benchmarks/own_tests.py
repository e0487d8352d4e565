"""This repository's folder ``tests``, where an installed package has brought a ``tests`` of its own.

The folder is no package: it has no ``__init__.py``. Python prefers a package of that name, wherever it lies.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

__all__ = ["find_own_tests"]

FOLDER = Path(__file__).parent.parent / "tests"


def find_own_tests() -> None:
    """Has ``import tests.…`` find this repository's folder, in this process."""
    if "tests" in sys.modules:
        return
    found = find_spec("tests")
    if found is None or found.origin is not None:
        module = ModuleType("tests")
        module.__path__ = [str(FOLDER)]
        sys.modules["tests"] = module
