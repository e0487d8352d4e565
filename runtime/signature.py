"""The signature of a kernel, as its text states it."""

from __future__ import annotations

import re

from tilevm.frontend import KernelDefinition

__all__ = ["signature"]


def signature(definition: KernelDefinition) -> str:
    """The header of a kernel on one line, from its name to the end of its parameters, without comments.

    >>> from tilevm.frontend import load_text
    >>> text = "kernel k[B = 16](  # of any size\\n        x: f32[N]):\\n    grid 1\\n    a = load(x[0 :+ B])\\n"
    >>> signature(load_text(text, "k").kernels["k"])
    'k[B = 16](x: f32[N])'
    """
    span = definition.span
    header = re.sub(r"#[^\n]*", "", span.source.text[span.start : span.end])
    line = " ".join(header.split()).removeprefix("kernel ").rstrip(": ")
    return re.sub(r"(?<=[(\[]) | (?=[)\]])|,(?= ?[)\]])", "", line)
