"""Modules: a text with its imports and definitions, and the kernels in it.

A name of a module means the same everywhere in it. Constants and layouts are computed when the module is loaded, in
order of the text; functions and layouts with parameters when they are used. Nothing is looked up in Python.

>>> module = load_text("const B = 32\\nkernel fill(out x: f32[N]):\\n    grid cdiv(N, B)\\n")
>>> list(module.kernels), module.names["B"].value
(['fill'], 32)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tilevm.errors import ProgramError, Related, Source, UsageError, did_you_mean
from tilevm.frontend import header, parameters, syntax
from tilevm.frontend.constants import shown
from tilevm.frontend.diagnostics import POISON, Diagnostics
from tilevm.frontend.evaluation import Function, LayoutFamily, State, constant, usable
from tilevm.frontend.kernels import KernelDefinition
from tilevm.frontend.parser import parse
from tilevm.frontend.scope import Binding, Gone, Scope
from tilevm.layout import Layout
from tilevm.memory_pattern import MemoryPattern

__all__ = ["Module", "load_file", "load_text"]


@dataclass(frozen=True, eq=False)
class Module:
    """A text whose definitions are in order: its kernels by name, and what every name of it stands for."""

    source: Source
    kernels: Mapping[str, KernelDefinition]
    names: Mapping[str, Binding | Gone] = field(repr=False)


def load_file(path: str | os.PathLike[str]) -> Module:
    """The module in a file. Paths of its imports are relative to its folder.

    Raises ``UsageError`` F002 where the file cannot be read, ``ProgramError`` with everything that is wrong with its
    definitions or with those of a file that it imports.
    """
    file = Path(path)
    try:
        text = _read(file)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("F002", f"cannot read {os.fspath(path)!r}: {_reason(error)}") from None
    return _Loader().load(Source(os.fspath(path), text), file.resolve())


def load_text(text: str, name: str = "<text>", folder: str | os.PathLike[str] | None = None) -> Module:
    """The module in a string. ``name`` stands for it in messages; imports are looked up in ``folder``.

    Raises ``ProgramError`` as ``load_file`` does; without a folder every import is an error (N007).
    """
    return _Loader(None if folder is None else Path(folder)).load(Source(name, text), None)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)


class _Loader:
    """Loads a module and what it imports, each file once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.loaded: dict[Path, Module] = {}
        self.active: list[Path] = []

    def load(self, source: Source, file: Path | None) -> Module:
        """The module of a text; ``file`` is where it comes from, None for a string."""
        tree = parse(source)
        folder = self.folder if file is None else file.parent
        if file is not None:
            self.active.append(file)
        builder = _Builder(self, tree, folder)
        if file is not None:
            self.active.pop()
        builder.state.diagnostics.check()
        return Module(source, builder.kernels, builder.names)

    def imported(self, path: syntax.String, folder: Path | None) -> Module:
        """The module that an import names. Raises ``ProgramError`` N007, N008, and what is wrong with that module."""
        if folder is None:
            raise ProgramError(
                "N007",
                "a program in a string has no folder to import from",
                span=path.span,
                help="load it from a file, or say folder=…",
            )
        file = (folder / path.value).resolve()
        if file in self.loaded:
            return self.loaded[file]
        if file in self.active:
            chain = " → ".join(each.name for each in (*self.active[self.active.index(file) :], file))
            raise ProgramError("N008", f"the imports go in a circle: {chain}", span=path.span)
        try:
            text = _read(file)
        except (OSError, UnicodeDecodeError) as error:
            raise ProgramError("N007", f"cannot import {path.value!r}: {_reason(error)}", span=path.span) from None
        module = self.load(Source(str(folder / path.value), text), file)
        self.loaded[file] = module
        return module


class _Builder:
    """Goes through the definitions of one text."""

    def __init__(self, loader: _Loader, tree: syntax.Module, folder: Path | None) -> None:
        self.loader = loader
        self.folder = folder
        self.names: dict[str, Binding | Gone] = {
            name.text: Gone(name.span, "it is defined further down")
            for definition in tree.definitions
            for name in _defined(definition)
        }
        self.kernels: dict[str, KernelDefinition] = {}
        self.state = State(Diagnostics(), self.names, Scope())
        for definition in tree.definitions:
            self.define(definition)

    def define(self, node: syntax.Definition) -> None:
        """Adds what a definition defines."""
        if isinstance(node, syntax.Import | syntax.FromImport):
            self.add_imported(node)
        elif isinstance(node, syntax.Const):
            value = constant(self.state, node.value, f"`{node.name.text}`")
            self.add(node.name, value, "constant")
        elif isinstance(node, syntax.LayoutDefinition):
            self.add(node.name, self.layout(node), "layout")
        elif isinstance(node, syntax.Function):
            self.check_distinct([parameter.name for parameter in node.parameters])
            self.add(node.name, Function(node, self.names), "function")
        else:
            self.add_kernel(node)

    def add(self, name: syntax.Name, value: Any, kind: str) -> None:
        """Binds a name of the module; records N002 where it has a meaning already."""
        before = self.names.get(name.text)
        if isinstance(before, Binding):
            self.twice(name, before.span)
        else:
            self.names[name.text] = Binding(value, name.span, kind)

    def twice(self, name: syntax.Name, first: Any) -> None:
        self.state.report(
            "N002",
            f"`{name.text}` is defined twice",
            name.span,
            related=(Related(first, "the first definition"),),
            help="choose another name for one of the two",
        )

    def check_distinct(self, names: list[syntax.Name]) -> None:
        """Records N002 for names of one list that are the same."""
        first: dict[str, syntax.Name] = {}
        for name in names:
            if first.setdefault(name.text, name) is not name:
                self.twice(name, first[name.text].span)

    # Imports

    def add_imported(self, node: syntax.Import | syntax.FromImport) -> None:
        names = (node.name,) if isinstance(node, syntax.Import) else node.names
        try:
            module = self.loader.imported(node.path, self.folder)
        except ProgramError as error:
            here = Related(node.span, "imported here")
            self.state.diagnostics.absorb(
                ProgramError.of(
                    each
                    if each.span is not None and each.span.source == node.span.source
                    else replace(each, related=(*each.related, here))
                    for each in error.diagnostics
                ),
                node.span,
            )
            for name in names:
                self.add(name, POISON, "import")
            return
        if isinstance(node, syntax.Import):
            self.add(node.name, dict(_exported(module)), "module")
            return
        for name in names:
            self.add_from(node, name, module)

    def add_from(self, node: syntax.FromImport, name: syntax.Name, module: Module) -> None:
        exported = dict(_exported(module))
        if name.text not in exported:
            kernel = name.text in module.kernels
            self.state.report(
                "N009",
                f"{node.path.value!r} "
                + (
                    f"has a kernel `{name.text}`, which cannot be imported"
                    if kernel
                    else f"does not define `{name.text}`"
                ),
                name.span,
                help="kernels are called from Python; a `func` can be shared"
                if kernel
                else did_you_mean(name.text, exported),
            )
        found = module.names.get(name.text)
        kind = found.kind if isinstance(found, Binding) else "import"
        self.add(name, exported.get(name.text, POISON), kind)

    # Layouts and kernels

    def layout(self, node: syntax.LayoutDefinition) -> Any:
        """The layout that a definition gives, or the family of one with parameters, whose names are checked here."""
        if node.parameters is None:
            value = constant(self.state, node.value, f"`{node.name.text}`")
            if value is not POISON and not isinstance(value, Layout | MemoryPattern):
                self.state.report("L044", f"`{node.name.text}` is a layout, not {shown(value)}", node.value.span)
                return POISON
            return value
        self.check_distinct(list(node.parameters))
        scope = Scope()
        for parameter in node.parameters:
            scope.bind(parameter.text, POISON, parameter.span, "argument")
        with self.state.within(scope=scope, block=None):
            usable(self.state, node.value)
        return LayoutFamily(node, self.names)

    def add_kernel(self, node: syntax.Kernel) -> None:
        header.check_name(self.state, node.name, "a kernel")
        self.add(node.name, node, "kernel")
        kernel = KernelDefinition(node, self.names)
        self.kernels.setdefault(node.name.text, kernel)
        named = [*(each.name for each in node.compile_time), *(each.name for each in node.parameters)]
        self.check_distinct(named)
        taken = {parameter.name.text: parameter.name for parameter in node.parameters}
        for parameter in node.parameters:
            for extent in parameter.shape or ():
                if isinstance(extent, syntax.Name) and extent.text in taken:
                    self.twice(extent, taken[extent.text].span)
        self.state.scope = Scope()
        parameters.check_declarations(self.state, node)
        self.state.scope = Scope()
        header.check_clauses(self.state, node, {each.name: each.kind for each in kernel.compile_time})


def _defined(node: syntax.Definition) -> tuple[syntax.Name, ...]:
    return node.names if isinstance(node, syntax.FromImport) else (node.name,)


def _exported(module: Module) -> Iterator[tuple[str, Any]]:
    """What other modules may use of a module: all but its kernels."""
    for name, found in module.names.items():
        if isinstance(found, Binding) and found.kind != "kernel":
            yield name, found.value
