"""What is wrong with a program: the code, the place and the words of every mistake.

In the programs here « and » stand around the place that an error points at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tilevm.errors import ArgumentError, Diagnostic, ProgramError
from tilevm.frontend import load_file, load_text

DEFINITIONS = """\
layout tile = spatial(8, 4) * local(1, 2)
layout family(n) = local(n)
func f(a, b=1):
    return a + b
func endless(a):
    return endless(a)
func gives_nothing(a):
    print("a", a)
"""
PARAMETERS = "x: f32[M, N], s: f32, n: i32, out y: f32[M, N]"
HEADER = f"kernel k[B = 16, W: dtype = f16]({PARAMETERS}):\n    grid cdiv(M, B)\n    warps 4\n"


def unmarked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and the places that were marked."""
    places: list[tuple[int, int]] = []
    plain = ""
    for part in text.split("»"):
        before, mark, inside = part.partition("«")
        start = len(plain) + len(before)
        plain += before + inside
        if mark:
            places.append((start, len(plain)))
    return plain, places


def mistakes(text: str) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with the text or its kernels, specialised with their defaults."""

    def specialise() -> None:
        for kernel in load_text(text, "test.tvm").kernels.values():
            kernel.specialise({})

    with pytest.raises(ProgramError) as raised:
        specialise()
    return raised.value.diagnostics


def check(text: str, *expected: tuple[str, str]) -> None:
    """The mistakes of a text are exactly those expected: codes, the marked places, parts of their messages."""
    plain, places = unmarked(text)
    found = mistakes(plain)
    assert [each.code for each in found] == [code for code, _ in expected], [each.render() for each in found]
    assert [(each.span.start, each.span.end) for each in found if each.span] == places, [e.render() for e in found]
    for each, (_, message) in zip(found, expected, strict=True):
        for part in message.split("\n"):
            assert part in f"{each.message}\n{each.help}", each.render()


def in_body(body: str) -> str:
    return DEFINITIONS + HEADER + "".join(f"    {line}\n" for line in body.split("\n"))


BODIES: list[tuple[str, str, str]] = [
    # Names
    ("a = «laod»(x[0 :+ 4, 0])", "N001", "unknown name `laod`\ndid you mean `load`?"),
    ("a = n + «m»", "N001", "unknown name `m`"),
    ("a = zeros(«f23», [4])", "N001", "did you mean `f32`?"),
    ("«q» += 1", "N001", "unknown name `q`"),
    (
        "for i in range(4):\n    a = 1\nb = «a»",
        "N003",
        "`a` is not visible here: it is defined in a loop, which has ended",
    ),
    ("for i in range(4):\n    pass\nb = «i»", "N003", "it is the index of a loop, which has ended"),
    ("if s > 0.0:\n    a = 1\nb = «a»", "N003", "it is defined in one branch of an `if` only"),
    (
        "if s > 0.0:\n    a = 1\nelse:\n    a = iota(4)\nb = «a»",
        "N003",
        "it is the int 1 in one branch and i32[4] in the other",
    ),
    ("«x» = 3", "N004", "the parameter `x` cannot be assigned"),
    ("«M» = 3", "N004", "the size `M` cannot be assigned"),
    ("a, «B» = 3, 4", "N004", "the compile-time parameter `B` cannot be assigned"),
    ("for i in range(4):\n    «i» += 1", "N004", "the loop index `i` cannot be assigned"),
    ("a = n\nfor «a» in range(4):\n    pass", "N004", "the index `a` of the loop hides the variable of that name"),
    ("«zeros(f32, [4])»", "N005", "the result of `zeros` is not used\ngive it a name: x = zeros(…)"),
    ("«f(n)»", "N005", "the result of `f` is not used"),
    ("«cdiv(4, 2)»", "N005", "the result of `cdiv` is not used"),
    ("a = «x»(3)", "N006", "`x` cannot be called: it is a tensor f32[M, N]\na part of it is written with brackets"),
    ("a = «tile»(3)", "N006", "`tile` cannot be called: it is a layout"),
    ("a = «k»(3)", "N006", "`k` cannot be called: it is a kernel"),
    ("a = «mma.m16n8k16.a»(3)", "N006", "this cannot be called"),
    ("a = «zeros»", "N013", "`zeros` is not a value: it is called"),
    ("a = «spatial»", "N013", "its arguments go in parentheses: spatial(…)"),
    ("a = W.«width»", "N016", "the format f16 has no attribute `width`\nit has bits, max, min, name"),
    ("a = tile.«thread»", "N016", "did you mean `threads`?"),
    ("a = mma.«m16n8k17»", "N016", "did you mean `m16n8k16`?"),
    ("a = x.«shape»", "N016", "its sizes have the names that the parameter gives them"),
    ("a = s.«bits»", "N016", "a scalar f32 has no attribute `bits`\nit has dtype and shape"),
    # Arguments of instructions
    ("a = «load()»", "T001", "`load` lacks its argument `source`"),
    ("a = «full(f32, [4], 1, 2)»", "T001", "`full` takes at most 3 arguments by position, not 4"),
    ("a = load(x[0, 0], «filll»=1)", "T002", "`load` has no argument `filll`\ndid you mean `fill`?"),
    ("a = full(f32, [4], 1.0, «shape»=[4])", "T003", "`full` is given `shape` twice"),
    ("a = exp(«x[0, 0]»)", "T004", "not a window\n`load(…)` brings the window into registers"),
    ("a = load(«x»)", "T004", "say which part of it"),
    ("a = zeros(«3», [4])", "T004", "`zeros` takes a number format for `dtype`, not int 3"),
    ("a = 1 + «x[0, 0]»", "T004", "`load(…)` brings the window into registers"),
    ("store(y[0, 0], «n»)", "T005", "`value` is i32"),
    ("a = iota(4) + «zeros(f16, [4])»", "T005", "`b` is f16"),
    ("a = not «n»", "T006", "`not` takes u1"),
    ("a = «5000000000» + n", "T007", "5000000000 does not fit i32"),
    ("a = «i8(1000)»", "T007", "1000 does not fit i8"),
    ("for i in range(«1 << 31»):\n    pass", "T007", "2147483648 does not fit i32"),
    ("a = load(x[«1 << 31» :+ 4, 0])", "T007", "2147483648 does not fit i32"),
    ("a = «x» + 1", "T008", "`load` brings a window of it into registers"),
    ("a = zeros(f32, «[n]»)", "T009", "make it a compile-time parameter"),
    ("a = cast(s, f16, rounding=«nearest_evn»)", "T010", "did you mean `nearest_even`?"),
    ("a = zeros(f32, [4]) + «zeros(f32, [5])»", "T012", "cannot broadcast shapes [4] and [5]"),
    ("store(«x[0, 0]», 1.0)", "T013", "`store` writes `x`, which is an input"),
    ("a = load(x[«s» :+ 4, 0])", "T014", "an offset of a window is an i32 scalar, not a scalar f32"),
    ("a = load(x[«iota(4)», 0])", "T014", "gather and scatter take tiles of indices"),
    # Compile-time values
    (
        "a = «W + 1»",
        "T060",
        "`+` does not take the format f16 and the int 1\na format has .bits, .min, .max and .smallest",
    ),
    ('a = «"text" * 2»', "T060", "`*` does not take the text 'text' and the int 2"),
    ("a = «1.5 & 2»", "T060", "`&` does not take the float 1.5 and the int 2"),
    ("a = «tile * swizzle(3, 4, 3)»", "T060", "`*` does not take the layout"),
    ("a = «-W»", "T060", "`-` does not take the format f16"),
    ("a = «cdiv(1, 2, 3)»", "T060", "`cdiv` takes 2 arguments, not 3"),
    ("a = «max(3)»", "T060", "`max` takes at least 2 arguments, not 1"),
    ("a = «cdiv(1.5, 2)»", "T060", "`cdiv` does not take the float 1.5"),
    ("a = «tile.bits(4)»", "T060", "`bits` takes a format"),
    ("a = «1 / 0»", "T061", "1 / 0 divides by zero"),
    ("a = «B % (B - 16)»", "T061", "16 % 0 divides by zero"),
    ("a = «2 ** 1000000»", "T061", "it has more than 4096 bits"),
    ("a = «1 << 1000000»", "T061", "it has more than 4096 bits"),
    ("a = «sqrt(-1)»", "T061", "sqrt(-1) cannot be computed"),
    ("a = «(-8) ** 0.5»", "T061", "a negative number has no such power"),
    ("a = load(x[0 :+ «n», 0])", "T062", "the extent of a window is known when the program is compiled"),
    ("a = spatial(«M»)", "T062", "this is `M`, a scalar i32"),
    ("static_assert(«s > 0.0»)", "T062", "`>` runs on the GPU"),
    ("a = «store(y[0, 0], 1.0)»", "T063", "this gives no result"),
    ("a = «gives_nothing(1)»", "T063", "this gives no result"),
    ("a = «f»", "T063", "the function `f` is not a value\ncall it"),
    ("a = «family»", "T063", "the layout `family` without its arguments is not a value"),
    ("a = «tile.reduce»", "T063", "the method `reduce` is not a value"),
    ("a = «mma»", "T063", "a namespace is not a value"),
    ("a = «k»", "T063", "the kernel `k` is not a value"),
    ("a = «x»", "T064", "a name stands for a value, and this is a tensor f32[M, N]"),
    ("a = «x[0 :+ 4, 0]»", "T064", "this is a window\nload(…) gives the elements"),
    ("xs = shared(f32, [4])\nt = «xs»", "T064", "this is a shared f32[4]"),
    ("a = f16(«n»)", "T077", "not of a scalar i32\ncast(…, f16) converts"),
    ("a = «f16(1, 2)»", "T077", "`f16` takes one number, not 2 arguments"),
    ('static_assert(«W.bits == 4», "only four bits")', "T074", "static_assert: only four bits"),
    ("static_assert(«False»)", "T074", "static_assert: the condition is false"),
    ("«static_assert()»", "T001", "`static_assert` takes 1 or 2 arguments, not 0"),
    ("static_assert(True, «message»=1)", "T002", "`static_assert` takes no arguments by name"),
    # Subscripts
    ("a = load(«x[0, 0, 0]»)", "T065", "3 subscripts for a tensor f32[M, N]\n`x` has 2 dimensions"),
    ("a = «iota(4)[0, 0]»", "T065", "2 subscripts for a register tile i32[4]"),
    ("a = «s[0]»", "T065", "1 subscript for a scalar f32"),
    ("a = load(«x[0, 0]»[0])", "T065", "a window has no subscript"),
    ("a = «f16»[0]", "T065", "the format f16 has no subscript"),
    ("a = [1, 2][«3»]", "T065", "there is no item 3 in a list of 2"),
    ("a = «[1, 2][0, 1]»", "T065", "a list is subscripted by one integer"),
    ("a = load(x[«:», 0])", "T066", "the whole of dimension 0 is not known when the program is compiled: it is M"),
    ("a = load(«x[0 :+ 4]»)", "T066", "the whole of dimension 1 is not known when the program is compiled: it is N"),
    ("a = load(x[«None», 0])", "T066", "a window has no new axis"),
    ("a = load(x[«1.5», 0])", "T066", "an offset of a window is an integer, not the float 1.5"),
    ("a = iota(4)[«n»]", "T066", "a register tile is subscripted by constants, not by a scalar i32"),
    ("a = load(x[0 :+ «0», 0])", "T075", "the extent of a window is an integer of at least 1, not the int 0"),
    ("a = iota(4)[«2 :+ 4»]", "T027", "takes 4 elements from 2"),
    # Loops and branches
    ("a = 0\nfor i in range(n):\n    «a» = s", "T067", "`a` is i32 before the loop and f32 at the end of its body\n"),
    (
        "a = iota(4)\nwhile s > 0.0:\n    «a» = iota(5)",
        "T067",
        "`a` is i32[4] before the loop and i32[5] at the end of its body",
    ),
    ("a = 1\nfor i in range(n):\n    «a» = W", "T067", "the format f16 at the end of its body"),
    ("a = 0.5\nif s > 0.0:\n    «a» = n", "T068", "`a` is i32 in one branch and the float 0.5 in the other"),
    ("a = f16\nif s > 0.0:\n    «a» = f32", "T068", "the format f32 in one branch and the format f16 in the other"),
    ("if «s»:\n    pass", "T069", "the condition of `if` is True or False, or a u1, not a scalar f32\ncompare it"),
    ("if «W»:\n    pass", "T069", "not the format f16"),
    ("if «x[0, 0]»:\n    pass", "T069", "not a window"),
    ("if «iota(4) > 2»:\n    pass", "T069", "is a scalar, not a register tile u1[4]\nany(…) or all(…)"),
    ("while «n»:\n    pass", "T069", "the condition of a loop is True or False"),
    ("a = «n» and True", "T069", "the left side of `and`"),
    ("a = s > 0.0 or «n»", "T069", "the right side of `or`"),
    ("a = 1 if s > 0.0 else «f16»", "T069", "cannot choose the format f16"),
    ("for i in range(0, 4, «0»):\n    pass", "T070", "the step of a loop is not 0"),
    (
        "for i in range(«s»):\n    pass",
        "T070",
        "an integer or an i32 scalar, not a scalar f32\ncast(…, i32) converts it",
    ),
    ("for i in range(«1.5»):\n    pass", "T070", "not the float 1.5"),
    ("for «n» in [1, 2]:\n    pass", "N004", "the index `n` of the loop hides the parameter of that name"),
    ("for i in [1, 2]:\n    pass\na = «i»", "N003", "it is the index of a loop, which has ended"),
    ("for i in [1, 2]:\n    «i» = 3", "N004", "the loop index `i` cannot be assigned"),
    ("for i in [1, «z», 3]:\n    a = i + 1.5", "N001", "unknown name `z`"),
    ("for i in range(4, «stagse»=2):\n    pass", "T070", "`range` has no argument `stagse`"),
    ("for i in range(4, stages=«0»):\n    pass", "T075", "`stages` is an integer of at least 1, not the int 0"),
    ("a = f16\nfor i in range(n):\n    «a» = f32", "T076", "a loop cannot change what `a` stands for: the format f16"),
    ("«a, b = f(1)»", "T071", "2 names for 1 value"),
    # Calls of definitions
    ("a = «f(1, 2, 3)»", "T072", "`f` takes 2 arguments, not 3\nit is written f(a, b)"),
    ("a = «f()»", "T072", "`f` lacks its argument `a`"),
    ("a = f(1, «c»=2)", "T072", "`c` is not one of its arguments"),
    ("a = f(1, «a»=2)", "T072", "`a` is given twice"),
    ("a = «family(1, 2)»", "T072", "`family` takes 1 argument, not 2"),
    # Layouts
    ("a = zeros(f32, [8, 16]) @ «tile»", "L040", "for tiles of shape [8, 8], but this one is [8, 16]\nlocal(1, 2) * …"),
    ("a = zeros(f32, [7]) @ «tile»", "L040", "for tiles of shape [8, 8], but this one is [7]"),
    ("xs = shared(f32, [4]) @ «row_major(5)»", "L040", "is for tiles of shape [5]"),
    (
        "a = zeros(f32, [8, 8]) @ «tile»",
        "L041",
        "for 32 threads, but the block has 128: 4 warps of 32\nwrite `warps 1`",
    ),
    ("a = zeros(f32, [8]) @ «spatial(8)»", "L041", "rep(16) * … lets 16 threads hold each element"),
    ("a = zeros(f32, [7]) @ «spatial(7)»", "L041", "multiply to 128"),
    ("a = «s» @ tile", "L042", "this is a scalar f32"),
    ("a = «x[0 :+ 8, 0 :+ 8]» @ tile", "L042", "this is a window"),
    ("a = iota(128)\nb = «a @ spatial(128)»", "L042", "convert_layout(a, …)"),
    ("a = iota(128) @ «swizzle(3, 4, 3)»", "L043", "places elements in memory"),
    ("xs = shared(f32, [8, 8]) @ «tile»", "L043", "places elements in registers"),
    ("xs = shared(f16, [4]) @ «row_major(4, width=8)»", "L043", "for elements of 8 bits, and f16 has 16"),
    ("a = iota(4) @ «3»", "L044", "after `@` stands a layout, not the int 3"),
    (
        "a = convert_layout(iota(128), spatial(128)) @ «rep(128) * local(128)»",
        "L045",
        "the instruction gives the layout",
    ),
    ("xs = «shared(u8, [3]) @ swizzle(3, 4, 3)»", "L016", "swizzle(3, 4, 3)"),
    ("a = «spatial(8, 0.5)»", "L015", "`spatial` does not take 0.5"),
    ("a = «spatial(8) / local(3)»", "L005", "cannot be divided"),
    ("a = [8,8]{8:T4 | «8:X1»}", "L013", "cannot stand in a layout"),
]


@pytest.mark.parametrize(("body", "code", "message"), BODIES)
def test_a_mistake_in_a_body(body: str, code: str, message: str) -> None:
    check(in_body(body), (code, message))


def headers() -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Programs whose definitions or headers are wrong."""
    yield "const A = 1\nconst «A» = 2\n", (("N002", "`A` is defined twice"),)
    yield "const A = «B»\nconst B = 1\n", (("N003", "`B` is not visible here: it is defined further down"),)
    yield "const A = «zeros(f32, [3])»\n", (("T062", "`zeros` runs on the GPU"),)
    yield "layout t = «3»\n", (("L044", "`t` is a layout, not the int 3"),)
    yield "layout t(a, «a») = local(a)\n", (("N002", "`a` is defined twice"),)
    yield "layout t(a) = local(«b») * «mmma».x\n", (("N001", "`b`"), ("N001", "did you mean `mma`?"))
    yield "func f(a, «a»):\n    pass\n", (("N002", "`a` is defined twice"),)
    yield "kernel «u4»():\n    grid 1\n", (("N012", "`u4` is a number format, not a name for a kernel"),)
    yield (
        "kernel k[A = 1, «A» = 2](x: f32[N], «x»: f32[N], z: f32[«z»]):\n    grid 1\n",
        (
            ("N002", "`A` is defined twice"),
            ("N002", "`x` is defined twice"),
            ("N002", "`z` is defined twice"),
        ),
    )
    yield (
        "kernel k[A: «string» = 3, B: int = «f16», C = «1.5»]():\n    grid 1\n",
        (
            ("N017", "a compile-time parameter is int, bool, dtype, layout, not `string`"),
            ("T078", "the default of `B` is an integer, not the format f16"),
            ("T078", "an integer, True or False, a format or a layout, not the float 1.5"),
        ),
    )
    yield "«kernel k(x: f32[N]):»\n    warps 4\n", (("N014", "`k` does not say how many blocks run it"),)
    yield (
        "kernel k[A: dtype = f16, B = 1](x: f32[N]):\n    grid 1\n    «grid 2»\n    warps 1\n    «warps 2»\n"
        "    tune «A» in 1\n    tune B in 1, «f16»\n    «tune B in 2»\n    tune «Q» in 3\n",
        (
            ("N014", "`grid` stands twice"),
            ("N014", "`warps` stands twice"),
            ("N015", "not for `A`: it is a dtype"),
            ("T075", "a value of `B` is an integer, not the format f16"),
            ("N014", "`tune B` stands twice"),
            ("N015", "not for `Q`: there is none of that name"),
        ),
    )
    yield (
        "kernel k(x: f32[«K» // 2, N], y: f32[L, 2 * L]):\n    grid N\n    a = K\n",
        (("N010", "the size `K` never stands alone in a dimension"),),
    )
    yield (
        "kernel k(x: f32[«u4»], «inf»: f32):\n    grid 1\n",
        (
            ("N012", "`u4` is a number format, not a name for a size"),
            ("N012", "`inf` is a constant of the language, not a name for a parameter"),
        ),
    )
    yield (
        "kernel k(x: «3»[K], z: f32[«3.5»], out «w»: f32, u: «K»[N], t: «f44»):\n    grid N\n    a = t + u + w\n",
        (
            ("T073", "the format of `x` is a number format, not the int 3"),
            ("T073", "an extent of `z` is an integer of at least 0, not the float 3.5"),
            ("T073", "the scalar `w` cannot be written\na tensor of one element can: out w: f32[1]"),
            ("T062", "this is the size K, which a launch decides"),
            ("N001", "unknown name `f44`"),
        ),
    )
    yield (
        "kernel k(x: f32[N] @ «spatial(8)», y: f32[N, N] @ «row_major(3)», z: f32[N] @ «3»):\n    grid N\n",
        (
            ("L043", "places elements in registers"),
            ("L040", "the layout is for shape [3], and this is a tensor f32[N, N]"),
            ("L044", "after `@` stands a layout, not the int 3"),
        ),
    )
    yield "kernel k(w: u4[4, 4] @ «blocks(2, 3)»):\n    grid 1\n", (("L016", "the shape is not whole blocks"),)
    yield (
        "kernel k(x: f32[N], s: i32):\n    grid «s», «x», «1.5»\n    warps «N»\n    require «s > 3»\n    require «x»\n"
        "    require «N / 2» == 3\n    require «N ** 2» == 4\n    require N.«foo» == 3\n    require «sqrt(N)» == 3\n",
        (
            ("T075", "an extent of the grid is an integer of at least 0, not a scalar i32"),
            ("T075", "not a tensor f32[N]"),
            ("T075", "not the float 1.5"),
            ("T062", "the number of warps is known when the program is compiled"),
            ("T062", "`>` runs on the GPU"),
            ("T069", "a requirement is True or False"),
            ("T060", "`/` does not take the size N and the int 2\n`//` divides sizes"),
            ("T060", "`**` does not take the size N and the int 2"),
            ("N016", "the size N has no attribute `foo`"),
            ("T060", "`sqrt` does not take sizes"),
        ),
    )
    yield (
        "kernel k(x: f32[N], s: u1):\n    grid 1\n    warps «33»\n    require «s»\n",
        (
            ("T075", "a block has at most 32 warps, not 33"),
            ("T075", "a requirement is on sizes and compile-time values, not on a scalar u1"),
        ),
    )


@pytest.mark.parametrize(("text", "expected"), list(headers()))
def test_a_mistake_in_definitions_and_headers(text: str, expected: tuple[tuple[str, str], ...]) -> None:
    check(text, *expected)


def test_all_mistakes_of_a_kernel_are_reported_each_once() -> None:
    body = (
        "a = «laod»(x[0, 0])\n"
        "b = a + load(x[«s», 0])\n"
        "for i in range(n):\n"
        "    b = b * a\n"
        "    c = «undefined» + b\n"
        "    store(x[0, i], c)\n"
        "if a > b:\n"
        "    d = zeros(f32, [4]) + «zeros(f32, [3])»\n"
        "else:\n"
        "    d = a\n"
        "store(y[0, 0], d + «e»)"
    )
    check(
        in_body(body),
        ("N001", "`laod`"),
        ("T014", ""),
        ("N001", "`undefined`"),
        ("T012", "[4] and [3]"),
        ("N001", "`e`"),
    )


def test_a_mistake_in_a_function_names_the_calls_that_lead_there() -> None:
    text = (
        "func inner(v):\n    return v + missing\n"
        "func outer(v):\n    return inner(v)\n"
        "kernel k(x: f32[N]):\n    grid 1\n    a = outer(1.0)\n"
    )
    (found,) = mistakes(text)
    assert (found.code, found.span and (found.span.line, found.span.column)) == ("N001", (2, 16))
    assert [(each.label, each.span.line) for each in found.related] == [
        ("`inner` is called here", 4),
        ("`outer` is called here", 7),
    ]


def test_recursion_is_refused() -> None:
    (found,) = mistakes(in_body("a = endless(s)"))
    assert found.code == "N011"
    assert found.message == "`endless` calls itself"
    deep = "".join(f"func g{i}(a):\n    return g{i + 1}(a)\n" for i in range(70)) + "func g70(a):\n    return a\n"
    (found,) = mistakes(deep + "kernel k(x: f32[N]):\n    grid 1\n    a = g0(1.0)\n")
    assert (found.code, found.message) == ("N011", "more than 64 calls are nested")


def test_types_that_disagree_show_both_places() -> None:
    (found,) = mistakes(in_body("a = iota(4)\nfor i in range(n):\n    a = iota([4, 4])"))
    assert found.related[0].label == "i32[4] before the loop"
    assert found.related[0].span.line == 12
    (found,) = mistakes(in_body("a = 1\nif s > 0.0:\n    a = s\nelse:\n    a = n"))
    assert (found.code, found.related[0].label) == ("T068", "i32 here")


def test_a_diagnostic_in_full() -> None:
    (found,) = mistakes("kernel k(x: f32[M, N]):\n    grid 1\n    a = load(x[0, 0, 0])\n")
    assert found.render().splitlines() == [
        "error[T065]: 3 subscripts for a tensor f32[M, N]",
        "  --> test.tvm:3:14",
        "  |",
        "1 | kernel k(x: f32[M, N]):",
        "  |          - it is defined here",
        "3 |     a = load(x[0, 0, 0])",
        "  |              ^^^^^^^^^^",
        "  |",
        "help: `x` has 2 dimensions",
    ]


def test_a_requirement_that_fails_stops_before_the_body() -> None:
    kernel = load_text("kernel k[B = 3]():\n    grid 1\n    require B % 2 == 0\n    a = nothing\n").kernels["k"]
    with pytest.raises(ArgumentError) as raised:
        kernel.specialise({})
    assert (raised.value.code, raised.value.diagnostics[0].argument) == ("A034", "B")
    with pytest.raises(ProgramError, match="unknown name `nothing`"):
        kernel.specialise({"B": 4})


# Imports


def loading(file: Path) -> list[tuple[str, str]]:
    with pytest.raises(ProgramError) as raised:
        load_file(file)
    return [(each.code, each.message) for each in raised.value.diagnostics]


def test_imports_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "top.tvm"
    file.write_text('import "none.tvm" as a\nfrom "none.tvm" import b\nconst C = a.d + b\n')
    assert loading(file) == [("N007", "cannot import 'none.tvm': No such file or directory")] * 2
    (found,) = mistakes('import "none.tvm" as a\n')
    assert (found.code, found.message) == ("N007", "a program in a string has no folder to import from")


def test_imports_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.tvm").write_text('import "b.tvm" as b\n')
    (tmp_path / "b.tvm").write_text('import "c.tvm" as c\n')
    (tmp_path / "c.tvm").write_text('import "a.tvm" as a\n')
    assert loading(tmp_path / "a.tvm") == [("N008", "the imports go in a circle: a.tvm → b.tvm → c.tvm → a.tvm")]


def test_names_that_a_file_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "base.tvm").write_text("const LENGTH = 3\nkernel run():\n    grid 1\n")
    top = tmp_path / "top.tvm"
    top.write_text('from "base.tvm" import LENTGH, run\nimport "base.tvm" as base\nconst A = base.LENGHT\n')
    assert loading(top) == [
        ("N009", "'base.tvm' does not define `LENTGH`"),
        ("N009", "'base.tvm' has a kernel `run`, which cannot be imported"),
        ("N016", "the namespace has no attribute `LENGHT`"),
    ]
