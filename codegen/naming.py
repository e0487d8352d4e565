"""Names in emitted CUDA: those of the program where they can be, each once, and never anything but a C identifier.

>>> names = Names()
>>> names.fresh("acc"), names.fresh("acc"), names.fresh("int"), names.fresh("größe"), names.fresh("")
('acc', 'acc_2', 't_int', 'gr_e', 't')
"""

from __future__ import annotations

import re

__all__ = ["Names", "comment"]

RESERVED = frozenset(
    # Keywords of C++ and CUDA, macros of the headers that NVRTC knows, and what every kernel has in scope.
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const "
    "const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern "
    "false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or "
    "or_eq private protected public register reinterpret_cast return short signed sizeof static static_assert "
    "static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned using "
    "virtual void volatile wchar_t while xor xor_eq threadIdx blockIdx blockDim gridDim warpSize std tv main "
    "thread lane warp shared INFINITY NAN NULL EOF linux unix assert abs min max exp log sin cos".split()
)


class Names:
    """Gives out names, none twice."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.counts: dict[str, int] = {}

    def fresh(self, wanted: str) -> str:
        """A name like the wanted one that nobody has yet."""
        stem = re.sub(r"[^A-Za-z0-9]+", "_", wanted).strip("_") or "t"
        if stem[0].isdigit():
            stem = f"t_{stem}"
        if stem in RESERVED or stem.upper().startswith("TV_"):
            stem = f"t_{stem}"
        name = stem
        while name in self.taken:
            self.counts[stem] = self.counts.get(stem, 1) + 1
            name = f"{stem}_{self.counts[stem]}"
        self.taken.add(name)
        return name


def comment(text: str) -> str:
    """Text of a program as the rest of a line after ``//``: it can neither end the line nor join the next one.

    >>> comment("y = x  # ends in a \\\\")
    'y = x  # ends in a'
    """
    return re.sub(r"[^\x20-\x7e]", "?", text).strip().rstrip("\\").rstrip()
