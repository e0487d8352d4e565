"""Random programs on integers whose text is Python as well, so that Python says what they compute."""

from __future__ import annotations

import textwrap
from typing import Any

from hypothesis import strategies as st

HEADER = "kernel k(n: i32, out y: i32[N]):\n    grid 1\n    warps 1\n"
START = "    a = 1\n    b = 2\n    c = n\n    d = True\n"
END = "    store(y[0], a)\n    store(y[1], b)\n    store(y[2], c)\n    if d:\n        store(y[3], 1)\n"


class _Writer:
    """Draws statements. Variables are a, b, c (integers) and d (a truth); loops end by construction."""

    def __init__(self, data: Any) -> None:
        self.draw = data
        self.lines: list[str] = []
        self.loops = 0

    def number(self, readable: tuple[str, ...]) -> str:
        name, other = self.draw(st.sampled_from(readable)), self.draw(st.sampled_from(readable))
        constant = self.draw(st.integers(0, 3))
        forms = (name, str(constant), f"{name} + {other}", f"{name} * 2 - {constant}", f"({name} - {other}) % 5")
        return str(self.draw(st.sampled_from(forms)))

    def condition(self, readable: tuple[str, ...]) -> str:
        name, other = self.draw(st.sampled_from(readable)), self.draw(st.sampled_from(readable))
        forms = (f"{name} > {other}", f"{name} < 2", "d", f"d and {name} < 3", "True", f"not d or {name} == {other}")
        return str(self.draw(st.sampled_from(forms)))

    def body(self, depth: int, readable: tuple[str, ...], indent: str) -> None:
        for _ in range(self.draw(st.integers(1, 3))):
            kinds = ("assign", "assign", "swap", "add", "decide", *(("if", "for", "while") if depth else ()))
            getattr(self, f"write_{self.draw(st.sampled_from(kinds))}")(depth, readable, indent)

    def write_assign(self, depth: int, readable: tuple[str, ...], indent: str) -> None:
        self.lines.append(f"{indent}{self.draw(st.sampled_from('abc'))} = {self.number(readable)}")

    def write_swap(self, depth: int, readable: tuple[str, ...], indent: str) -> None:
        first, second = self.draw(st.permutations("abc"))[:2]
        self.lines.append(f"{indent}{first}, {second} = {second}, {self.number(readable)}")

    def write_add(self, depth: int, readable: tuple[str, ...], indent: str) -> None:
        self.lines.append(f"{indent}{self.draw(st.sampled_from('abc'))} += {self.number(readable)}")

    def write_decide(self, depth: int, readable: tuple[str, ...], indent: str) -> None:
        self.lines.append(f"{indent}d = {self.condition(readable)}")

    def write_if(self, depth: int, readable: tuple[str, ...], indent: str) -> None:
        self.lines.append(f"{indent}if {self.condition(readable)}:")
        self.body(depth - 1, readable, indent + "    ")
        if self.draw(st.booleans()):
            self.lines.append(f"{indent}else:")
            self.body(depth - 1, readable, indent + "    ")

    def write_for(self, depth: int, readable: tuple[str, ...], indent: str) -> None:
        index = f"i{depth}"
        self.lines.append(f"{indent}for {index} in range({self.draw(st.integers(0, 3))}):")
        self.body(depth - 1, (*readable, index), indent + "    ")

    def write_while(self, depth: int, readable: tuple[str, ...], indent: str) -> None:
        self.loops += 1
        count = f"count{self.loops}"
        self.lines.append(f"{indent}{count} = 0")
        limit = self.draw(st.integers(0, 3))
        self.lines.append(f"{indent}while {count} < {limit} and ({self.condition(readable)}):")
        self.lines.append(f"{indent}    {count} += 1")
        self.body(depth - 1, readable, indent + "    ")


@st.composite
def programs(draw: Any) -> str:
    """The text of a kernel ``k`` that stores its variables to ``y[0]`` … ``y[3]``."""
    writer = _Writer(draw)
    writer.body(3, ("a", "b", "c"), "    ")
    return HEADER + START + "\n".join(writer.lines) + "\n" + END


def in_python(text: str, n: int) -> list[int]:
    """What the text stores, computed by Python, in 32 bits."""
    names: dict[str, Any] = {"n": n}
    exec(textwrap.dedent(text.removeprefix(HEADER).removesuffix(END)), names)
    return [(int(names[name]) + 2**31) % 2**32 - 2**31 for name in "abcd"]
