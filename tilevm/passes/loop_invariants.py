"""Loop-invariant code motion: what is the same in every iteration is computed once, before the loop.

An instruction moves if it is pure and all that it uses is defined outside of the loop. One that reads memory moves only
from a tensor that nothing in the loop may change: an input of the kernel, or any tensor where the loop does no more
than store to others. Reads of shared memory stay, because what they see depends on barriers and waits, and a read
outside of a shared tile is an error that a loop without iterations does not make.
"""

from __future__ import annotations

from dataclasses import replace

from tilevm.arch import Arch
from tilevm.ir import For, If, Let, Program, Statement, While, bodies, walk
from tilevm.passes.remarks import Remark
from tilevm.passes.rewriting import with_bodies
from tilevm.uses import defined_within, used
from tilevm.values import TensorType, Value

__all__ = ["hoist_loop_invariants", "stays_the_same"]


def hoist_loop_invariants(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Moves pure instructions, and loads of what nothing changes, in front of the loops they do not depend on."""
    remarks: list[Remark] = []
    return replace(program, body=_body(program.body, remarks)), tuple(remarks)


def _body(statements: tuple[Statement, ...], remarks: list[Remark]) -> tuple[Statement, ...]:
    result: list[Statement] = []
    for statement in statements:
        if isinstance(statement, If):
            result.append(
                replace(statement, then=_body(statement.then, remarks), otherwise=_body(statement.otherwise, remarks))
            )
        elif isinstance(statement, For | While):
            hoisted, loop = _hoisted(statement, remarks)
            result += [*hoisted, loop]
        else:
            result.append(statement)
    return tuple(result)


def _hoisted(loop: For | While, remarks: list[Remark]) -> tuple[list[Let], Statement]:
    """What moves in front of a loop, and the loop without it. Inner loops go first, so that code leaves several."""
    parts = {"body": _body(loop.body, remarks)}
    if isinstance(loop, While):
        parts["test"] = _body(loop.test, remarks)
    loop = _loop(loop, **parts)
    inside = [each for part in bodies(loop) for each in walk(part)]
    changes = {value for each in (loop, *inside) for value in defined_within(each)}
    changes -= {carry.result for carry in loop.carried}
    moved: list[Let] = []
    kept: dict[str, tuple[Statement, ...]] = {}
    for name in ("test", "body") if isinstance(loop, While) else ("body",):
        stays: list[Statement] = []
        for statement in getattr(loop, name):
            if isinstance(statement, Let) and _is_invariant(statement, changes, inside):
                assert statement.result is not None
                changes.discard(statement.result)
                moved.append(statement)
                if any(True for _ in statement.instruction.memory(written=False)):
                    remarks.append(Remark("loaded once, before the loop", statement.span))
            else:
                stays.append(statement)
        kept[name] = tuple(stays)
    return moved, _loop(loop, **kept)


def _loop(loop: For | While, **parts: tuple[Statement, ...]) -> For | While:
    changed = with_bodies(loop, **parts)
    assert not isinstance(changed, If)
    return changed


def _is_invariant(let: Let, changes: set[Value], inside: list[Statement]) -> bool:
    if not let.instruction.pure or let.result is None or any(value in changes for value in used(let)):
        return False
    return all(stays_the_same(base, inside) for base in let.instruction.memory(written=False))


def stays_the_same(base: Value, inside: list[Statement]) -> bool:
    """Whether a tensor holds the same before, between and after the statements of a loop, as this block sees it."""
    if not isinstance(base.type, TensorType):
        return False
    if base.type.access == "in":
        return True
    for each in inside:
        if isinstance(each, Let) and not each.instruction.pure:
            written = list(each.instruction.memory(written=True))
            # Anything but a plain store may order this block after another one, whose stores then show.
            if not written or base in written or any(True for _ in each.instruction.memory(written=False)):
                return False
    return True
