"""Who may import whom, and how the four folders become one package."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A module imports only from its own row and the rows above it. What is left of the first dot is `tilevm`.
ORDER = (
    ("errors", "version"),
    (
        *("dtypes", "numerics", "codec*", "packing", "packed_array", "philox", "quantization*", "files"),
        *("safetensors", "checkpoints*"),
        *(
            "digits",
            "xor_map",
            "fragment_order",
            "interleaving",
            "layout*",
            "memory_pattern",
            "memory_terms",
            "atoms",
            "access",
            "swizzle*",
        ),
        *("arch", "devices", "sizes", "multiples"),
        "synthesis*",
    ),
    ("values", "machine", "plan*", "instruction", "binding", "ir", "uses"),
    ("memory", "report", "watch", "watch", "shared_memory", "instructions*"),
    ("verify", "printer*", "batch", "interpreter", "passes*"),
    ("frontend*", "codegen*"),
    ("runtime*",),
    ("ops*",),
)
# Imported inside a function, against the order: so that `str(program)` prints the program.
DEFERRED = {("ir", "printer")}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package but the public face, by its name without `tilevm.`."""
    for folder, prefix in (
        ("tilevm", ""),
        ("frontend", "frontend."),
        ("codegen", "codegen."),
        ("runtime", "runtime."),
    ):
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT / folder)
            if relative.parts[0] in ("frontend", "codegen", "runtime") and folder == "tilevm":
                continue
            parts = [*relative.parts[:-1], relative.stem] if relative.stem != "__init__" else list(relative.parts[:-1])
            name = (prefix + ".".join(parts)).rstrip(".")
            if name:
                yield name, path


def row(name: str) -> int:
    """The row of ORDER that a module stands in."""
    rows = [number for number, names in enumerate(ORDER) if any(fnmatchcase(name, pattern) for pattern in names)]
    assert rows, f"tilevm.{name} has no place in the order: add it to ORDER in {Path(__file__).name}"
    return rows[0]


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """The modules of tilevm that a file imports, and whether it does so inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(node) for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) for node in ast.walk(each)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            whole = [f"{node.module}.{each.name}" for each in node.names]
            names = [name if name.removeprefix("tilevm.") in MODULES else node.module or "" for name in whole]
        else:
            continue
        for name in names:
            if name.startswith("tilevm."):
                yield name.removeprefix("tilevm."), id(node) in inside


MODULES = dict(modules())


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_what_stands_before_it(name: str) -> None:
    for other, deferred in imported(MODULES[name]):
        if deferred and (name, other) in DEFERRED:
            continue
        assert row(other) <= row(name), f"tilevm.{name} imports tilevm.{other}"
        folders = {name.partition(".")[0], other.partition(".")[0]}
        assert folders != {"frontend", "codegen"}, f"tilevm.{name} imports tilevm.{other}"


def test_no_module_imports_the_public_face() -> None:
    for name, path in MODULES.items():
        if name.startswith("runtime.commands") or name == "runtime.cli":
            continue  # the command line uses what a user would
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "tilevm":
                assert all(alias.name in MODULES for alias in node.names), f"{path.name}:{node.lineno}"
            if isinstance(node, ast.Import):
                assert all(alias.name != "tilevm" for alias in node.names), f"{path.name}:{node.lineno}"


def test_modules_import_each_other_in_no_circle() -> None:
    needs = {name: {other for other, deferred in imported(path) if not deferred} for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in sorted(needs.get(name, set())):
                visit(other, (*trail, name))
            done.add(name)

    for name in needs:
        visit(name, ())


def settings() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    return found


def test_package_list_equals_the_folders() -> None:
    folders = {
        ".".join(("tilevm", *path.parent.relative_to(ROOT / "tilevm").parts))
        for path in (ROOT / "tilevm").rglob("__init__.py")
    }
    for folder in ("frontend", "codegen", "runtime"):
        folders |= {
            ".".join(("tilevm", folder, *path.parent.relative_to(ROOT / folder).parts))
            for path in (ROOT / folder).rglob("__init__.py")
        }
    listed = settings()["packages"]
    assert isinstance(listed, list)
    assert len(set(listed)) == len(listed)
    assert set(listed) == folders


def test_relative_links_resolve_to_the_folders_that_are_packaged() -> None:
    mapped = settings()["package-dir"]
    assert isinstance(mapped, dict)
    for package in ("frontend", "codegen", "runtime"):
        link = ROOT / "tilevm" / package
        assert link.is_symlink()
        assert not link.readlink().is_absolute()
        assert link.resolve() == ROOT / package
        assert mapped[f"tilevm.{package}"] == package
