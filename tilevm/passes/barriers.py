"""Barriers: where a thread could see memory before another has written it, or write what another has still to read, the
threads meet first.

A walk through the program follows what may have been read and written since the threads last met (``barrier_state``),
with what is known of the windows (``memory_effects``). Loops are walked until nothing new is learnt: what an iteration
did is seen in the next one by how far the loop's index and its counters have moved. Loops of a few iterations, whose
number is known, are walked one by one. In front of an access that clashes a barrier is set; those that turn out not to
be needed, because of others that were found later, are taken away again.

Copies under way are no matter of barriers: what touches them needs a ``wait``, and a remark says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tilevm.arch import Arch
from tilevm.dtypes import I32
from tilevm.instructions.sync import Sync
from tilevm.ir import Carry, For, If, Let, Program, Statement, While, bodies, walk
from tilevm.passes.barrier_state import NOTHING, State
from tilevm.passes.linear_forms import Form, Modulo, apply, constant, form_of
from tilevm.passes.loop_counters import Counter, Counters, counter
from tilevm.passes.memory_effects import Access, Effect, Offset, Resource, clash, effects, moved
from tilevm.passes.remarks import Remark
from tilevm.passes.rewriting import with_bodies
from tilevm.passes.shared_memory_plan import plan_shared_memory
from tilevm.uses import defined_within
from tilevm.values import Literal, Operand, ScalarType, Value

__all__ = ["insert_barriers"]

FEW = 8
"""Loops of at most so many iterations are walked iteration by iteration."""

ROUNDS = 3
"""After so many ways through a loop accesses are no longer told apart by the iteration they happened in."""

COPY_ROUNDS = 12
"""The same for copies under way: as many as a ring may have stages."""

Change = Callable[[Value], Form | None]


def insert_barriers(program: Program, arch: Arch) -> tuple[Program, tuple[Remark, ...]]:
    """Puts a ``sync()`` in front of every access that clashes with one since the last barrier."""
    plan = plan_shared_memory(program)

    def overlap(first: Resource, second: Resource) -> bool:
        return isinstance(first, Value) and isinstance(second, Value) and plan.overlap(first, second)

    walked = _Walk(overlap)
    walked.body(program.body, NOTHING)
    barriers = walked.barriers
    for each in list(barriers):
        fewer = {key: clashed for key, clashed in barriers.items() if key != each}
        again = _Walk(overlap, fewer)
        again.body(program.body, NOTHING)
        if again.barriers == fewer:
            barriers = fewer
    remarks = [*(_remark(clashed) for clashed in barriers.values()), *walked.early.values()]
    return replace(program, body=tuple(_with_barriers(program.body, barriers))), tuple(remarks)


@dataclass(frozen=True)
class _Clash:
    """A statement and two accesses, the second of which is its own."""

    let: Let
    earlier: Access
    later: Access


def _with_barriers(statements: Iterable[Statement], barriers: dict[int, _Clash]) -> Iterator[Statement]:
    for statement in statements:
        if isinstance(statement, Let):
            if id(statement) in barriers:
                yield Let(None, Sync(), statement.span)
            yield statement
        elif isinstance(statement, If):
            then, otherwise = (tuple(_with_barriers(each, barriers)) for each in bodies(statement))
            yield replace(statement, then=then, otherwise=otherwise)
        else:
            names = ("test", "body") if isinstance(statement, While) else ("body",)
            parts = {name: tuple(_with_barriers(getattr(statement, name), barriers)) for name in names}
            yield with_bodies(statement, **parts)


def _remark(clashed: _Clash) -> Remark:
    earlier, later = clashed.earlier, clashed.later
    before, now = ("written" if each.writes else "read" for each in (earlier, later))
    where = "" if earlier.line is None else f" in line {earlier.line}"
    if isinstance(later.resource, str):
        return Remark(
            f"a barrier before it: it uses the {later.resource} memory that was used{where}", clashed.let.span
        )
    if earlier.name == later.name:
        return Remark(f"a barrier before it: `{earlier.name}`, {before}{where}, is {now} here", clashed.let.span)
    text = f"a barrier before it: `{later.name}`, {now} here, shares its bytes with `{earlier.name}`, {before}{where}"
    return Remark(text, clashed.let.span)


class _Walk:
    """One walk through a program: what is known of scalars, and the barriers that were found to be needed.

    With ``given`` barriers it says whether others are needed.
    """

    def __init__(self, overlap: Callable[[Resource, Resource], bool], given: dict[int, _Clash] | None = None) -> None:
        self.overlap = overlap
        self.barriers = dict(given or {})
        self.early: dict[int, Remark] = {}
        self.forms: dict[Value, Form] = {}

    # Scalars

    def form(self, operand: Operand) -> Form:
        return self.forms.get(operand, form_of(operand)) if isinstance(operand, Value) else form_of(operand)

    def define(self, let: Let) -> None:
        result = let.result
        if result is None or result.type != ScalarType(I32):
            return
        operands = tuple(let.instruction.operands())
        if operands and all(each.type == ScalarType(I32) for each in operands):
            found = apply(let.instruction.spelling, *map(self.form, operands))
            self.forms[result] = form_of(result) if found is None else found
        else:
            self.forms[result] = form_of(result)

    # Statements

    def body(self, statements: Iterable[Statement], state: State) -> State:
        """The state after statements."""
        for statement in statements:
            if isinstance(statement, Let):
                state = self.let(statement, state)
            elif isinstance(statement, If):
                state = self.branch(statement, state)
            else:
                state = self.loop(statement, state)
        return state

    def let(self, let: Let, state: State) -> State:
        self.define(let)
        instruction = let.instruction
        if instruction.synchronises or id(let) in self.barriers:
            state = state.synchronised()
        left = instruction.groups_left()
        if left is not None:
            state = state.waited(left)
        if instruction.closes_group:
            state = state.closed()
        accesses = [(self.access(effect, let), effect.asynchronous) for effect in effects(let)]
        for access, _ in accesses:
            earlier = self.clashing(state.unordered, access)
            if earlier is not None:
                self.barriers[id(let)] = _Clash(let, earlier, access)
                state = state.synchronised()
            copied = self.clashing(state.under_way, access)
            if copied is not None:
                does = "written" if access.writes else "read"
                where = "" if copied.line is None else f" of line {copied.line}"
                text = f"`{access.name}` is {does} here while the copy{where} may be under way: `wait` for it first"
                self.early.setdefault(id(let), Remark(text, let.span))
        for access, asynchronous in accesses:
            state = state.touched(frozenset({access}), asynchronous=asynchronous)
        return state

    def clashing(self, earlier: Iterable[Access], access: Access) -> Access | None:
        """The first, by line, of the accesses that clash with one."""
        found = [each for each in earlier if clash(each, access, self.overlap)]
        return min(found, key=lambda each: (each.line or 0, each.name), default=None)

    def access(self, effect: Effect, let: Let) -> Access:
        """An effect where it happens."""
        line = None if let.span is None else let.span.line
        window = effect.window
        if window is None:
            return Access(effect.resource, effect.reads, effect.writes, None, atomic=effect.atomic, line=line)
        place = tuple(frozenset({Offset(self.form(offset))}) for offset in window.offsets)
        extents = tuple(extent or 1 for extent in window.extents)
        return Access(effect.resource, effect.reads, effect.writes, place, extents, effect.layout, effect.atomic, line)

    def branch(self, branch: If, state: State) -> State:
        then, otherwise = self.body(branch.then, state), self.body(branch.otherwise, state)
        for join in branch.joins:
            if join.result.type == ScalarType(I32):
                one, other = self.form(join.then), self.form(join.otherwise)
                self.forms[join.result] = one if one == other else form_of(join.result)
        return then.joined(otherwise)

    # Loops

    def loop(self, loop: For | While, state: State) -> State:
        """The state after a loop; anew from its start after each barrier that is found to be needed in it."""
        while True:
            count = len(self.barriers)
            trips = _trips(loop)
            after = self.few(loop, trips, state) if trips is not None else _Rounds(self, loop).after(state)
            if len(self.barriers) == count:
                return after

    def few(self, loop: For | While, trips: Sequence[int], state: State) -> State:
        """The state after a loop whose iterations are walked one by one."""
        carried = _scalars(loop)
        gone = _defined(loop)
        given = [self.form(carry.initial) for carry in carried]
        for index in trips:
            if isinstance(loop, For):
                self.forms[loop.index] = constant(index)
            for carry, form in zip(carried, given, strict=True):
                self.forms[carry.inner] = form
            state = self.body(loop.body, state)
            forget = partial(_kept_outside, gone)
            state = state.changed(partial(moved, change=forget), partial(moved, change=forget))
            given = [_outside(self.form(carry.update), carry.inner, gone) for carry in carried]
        for carry, form in zip(carried, given, strict=True):
            self.forms[carry.result] = form if form != form_of(carry.inner) else form_of(carry.result)
        return state


def _scalars(loop: For | While) -> list[Carry]:
    return [carry for carry in loop.carried if carry.inner.type == ScalarType(I32)]


def _defined(loop: For | While) -> set[Value]:
    """The values that are others in each iteration."""
    inside = {value for body in bodies(loop) for each in walk(body) for value in defined_within(each)}
    own = {loop.index} if isinstance(loop, For) else set()
    return inside | own | {carry.inner for carry in loop.carried}


def _kept_outside(gone: set[Value], value: Value) -> Form | None:
    return None if value in gone else form_of(value)


def _outside(form: Form, inner: Value, gone: set[Value]) -> Form:
    """A form in the next iteration: nothing is known of what is made of values of this one."""
    return form_of(inner) if any(value in gone for value in _values(form)) else form


def _values(form: Form) -> Iterator[Value]:
    for atom, _ in form.terms:
        if isinstance(atom, Modulo):
            yield from _values(atom.form)
        else:
            yield atom


def _trips(loop: For | While) -> range | None:
    """The values of the index, if they are known and few."""
    if not isinstance(loop, For):
        return None
    bounds = [int(each.value) for each in (loop.start, loop.stop, loop.step) if isinstance(each, Literal)]
    if len(bounds) < 3 or bounds[2] == 0:
        return None
    trips = range(*bounds)
    return trips if len(trips) <= FEW else None


class _Rounds:
    """The walk through one loop until nothing new is learnt."""

    def __init__(self, walk: _Walk, loop: For | While) -> None:
        self.walk, self.loop = walk, loop
        self.gone = _defined(loop)
        self.carried = _scalars(loop)
        self.counters = Counters.of(list(self.counted()))
        for value, form in self.counters.forms.items():
            walk.forms[value] = form

    def counted(self) -> Iterator[Counter]:
        """The counters of the loop, the index among them."""
        walk, loop = self.walk, self.loop
        first = {carry.inner: walk.form(carry.initial) for carry in self.carried}
        if isinstance(loop, For):
            walk.forms[loop.index] = form_of(loop.index)
            if isinstance(loop.step, Literal) and loop.step.value != 0:
                yield Counter(loop.index, walk.form(loop.start), int(loop.step.value))
        for value in first:
            walk.forms[value] = form_of(value)
        # What the body computes does not depend on memory, so walking it over nothing says how counters move.
        ahead = _Walk(walk.overlap)
        ahead.forms = walk.forms
        for body in bodies(loop):
            ahead.body(body, NOTHING)
        for carry in self.carried:
            found = counter(carry.inner, first[carry.inner], walk.form(carry.update))
            if found is not None:
                yield found

    def after(self, state: State) -> State:
        """The state after the loop."""
        head = state.changed(self.entering, self.entering)
        rounds = 0
        while True:
            tested = self.walk.body(self.loop.test, head) if isinstance(self.loop, While) else head
            end = self.walk.body(self.loop.body, tested)
            back = end.changed(
                partial(moved, change=self.before, widened=rounds >= ROUNDS),
                partial(moved, change=self.before, widened=rounds >= COPY_ROUNDS),
            )
            wider = head.joined(back)
            if wider == head:
                break
            head = wider
            rounds += 1
        # After the loop a counter is what it would be in the iteration that is not run.
        for carry in self.carried:
            self.walk.forms[carry.result] = self.walk.forms[carry.inner]
        kept = {carry.inner for carry in self.carried} | {self.counters.iteration}
        leave = partial(moved, change=partial(_kept_outside, self.gone - kept))
        return tested.changed(leave, leave)

    def before(self, value: Value) -> Form | None:
        """A value of an iteration as the next one sees it."""
        return self.counters.before(value) or _kept_outside(self.gone, value)

    def entering(self, access: Access) -> Access:
        """An access before the loop, its offsets also in terms of the counters, whose first values are known."""
        if access.place is None:
            return access
        place = tuple(
            frozenset(
                each
                for offset in offsets
                for each in (offset, *(() if offset.drift else map(Offset, self.counters.also(offset.form))))
            )
            for offsets in access.place
        )
        return replace(access, place=place)
