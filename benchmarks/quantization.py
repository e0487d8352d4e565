"""Schemes on real weights: bits, and the errors of weights, of products, and of a whole model.

    python -m benchmarks.quantization [--write] [SCHEME ...]

The 36 linear layers of all-MiniLM-L6-v2, with what really goes into each of them for twelve sentences. ``--write`` puts
the table into ``docs/quantization.md``; where schemes are named, only their rows. All take about four minutes. Errors
are relative:

    weights     ‖ŵ - w‖ / ‖w‖
    product     ‖x̂ ŵ - x w‖ / ‖x w‖, where x̂ is x but for schemes with activations: those are quantised for each token
    embedding   of the model with all layers quantised: ‖ê - e‖, where ‖e‖ = 1

the root of their mean square over layers, and over sentences. A result of zeros has the error 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.minilm import INSTALL, SENTENCES, MiniLM, folder
from tilevm.quantization import LowRank, OutlierSplit, correct_low_rank, quantize, scheme, split_outliers
from tilevm.quantization.files import chunks, parts
from tilevm.quantization.tensor import QuantizedTensor

__all__ = ["ROWS", "Measured", "Row", "line", "main", "measure", "written"]

PAGE = Path(__file__).parent.parent / "docs" / "quantization.md"
BEGIN, END = "<!-- schemes -->\n", "<!-- end schemes -->"

Held = QuantizedTensor | OutlierSplit | LowRank


@dataclass(frozen=True)
class Row:
    """A scheme, other parts for it, and what is kept beside the codes."""

    scheme: str
    options: tuple[tuple[str, Any], ...] = ()
    outliers: float = 0
    rank: int = 0

    def __str__(self) -> str:
        more = [f"{name} {value}".replace("calibration ", "").replace("_", " ") for name, value in self.options]
        more += [f"{self.outliers:.0%} of rows wide"] if self.outliers else []
        more += [f"correction of rank {self.rank}"] if self.rank else []
        return ", ".join([f"`{self.scheme}`", *more])

    def quantized(self, weights: NDArray[np.float32], inputs: NDArray[np.float32]) -> Held:
        """The weights of a layer; ``inputs`` say which rows matter."""
        options = dict(self.options)
        if self.outliers:
            count = max(1, round(self.outliers * len(weights)))
            return split_outliers(weights, self.scheme, count, importance=np.abs(inputs).max(0), **options)
        found = quantize(weights, self.scheme, **options)
        return correct_low_rank(weights, found, self.rank) if self.rank else found


def row(name: str, outliers: float = 0, rank: int = 0, **options: Any) -> Row:
    """A row with options by name."""
    return Row(name, tuple(options.items()), outliers, rank)


def _rows() -> Iterator[Row]:
    for name in (
        "i8",
        "f8e4m3",
        "f8e5m2",
        "i6",
        "f6e2m3",
        "f6e3m2",
        "i5",
        "f5e1m3",
        "f5e2m2",
        "f5e3m1",
        "i4",
        "f4e2m1",
    ):
        yield row(f"{name}g128")
    for name in ("u4", "u3", "u2"):
        yield row(f"{name}g128")
        yield row(f"{name}g128", calibration="mse")
    yield row("i4g128", calibration="mse")
    yield row("i4g128", calibration="percentile")
    yield row("i4g128", hadamard=128)
    yield row("i4g128", outliers=0.01)
    yield row("i4g128", rank=16)
    for name in ("mxfp8e4m3", "mxfp8e5m2", "mxint8", "mxfp6e2m3", "mxfp6e3m2", "mxfp4"):
        yield row(name)
        yield from (row(name, scale_rounding=way) for way in ("even", "up"))
    yield row("mxfp4", calibration="mse")
    for name in ("nvfp4", "nvint4"):
        yield row(name)
        yield row(name, scale_rounding="up")
        yield row(name, calibration="mse")
        yield from (row(name, hadamard=size) for size in (16, 128))
    yield from (row(name) for name in ("nvfp4-2d", "ue5m3fp4", "ue5m3fp4-g32"))
    for name in ("fp8", "int8", "fp8-tensor", "int8-tensor", "w4a8-fp8", "w4a8-fp8-ratio", "w4a8-int8"):
        yield row(name)
    yield row("w4a8-fp8", rank=16)
    yield row("w4a8-int8", hadamard=128)
    for name in ("nf4-block64", "nf4-double", "codebook4", "codebook3", "codebook2", "codebook4-channel"):
        yield row(name)
    yield row("codebook3-channel")
    for name in ("ternary", "ternary-g128", "binary"):
        yield row(name)
    yield row("ternary-g128", calibration="mse")


ROWS = tuple(_rows())


@dataclass(frozen=True)
class Measured:
    """What was found for a row; ``stored`` are the bits for each weight in a file."""

    bits: float
    stored: float
    weights: float
    product: float
    embedding: float


def measure(row: Row, model: MiniLM, inputs: dict[str, NDArray[np.float32]], names: Iterable[str]) -> Measured:
    """Quantises the named layers by a row, and measures; the other layers stay as they are."""
    activations = scheme(row.scheme).activations
    held: dict[str, NDArray[np.float32]] = {}
    transforms: dict[str, Any] = {}
    sizes, errors = np.zeros(3), []
    for name in names:
        weights, x = model.weight(name), inputs[name]
        found = row.quantized(weights, x)
        inner = (
            found.quantized if isinstance(found, LowRank) else found.rest if isinstance(found, OutlierSplit) else found
        )
        held[name], transforms[name] = found.dequantize(), inner.transform
        sizes += (8 * found.nbytes, 8 * (found.nbytes - inner.nbytes) + 8 * _file_bytes(inner), weights.size)
        exact = x.astype(np.float64) @ weights
        product = _inputs(x, activations, inner.transform).astype(np.float64) @ held[name]
        errors.append((relative(held[name], weights), relative(product, exact)))

    def multiply(name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
        if name not in held:
            return np.asarray(x @ model.weight(name))
        return np.asarray(_inputs(x, activations, transforms[name]) @ held[name])

    moved = [np.linalg.norm(model.embedding(each, multiply) - model.embedding(each)) for each in SENTENCES]
    weights_error, product_error = np.sqrt(np.mean(np.square(errors), axis=0))
    embedding = float(np.sqrt(np.mean(np.square(moved))))
    return Measured(
        float(sizes[0] / sizes[2]), float(sizes[1] / sizes[2]), float(weights_error), float(product_error), embedding
    )


def _inputs(x: NDArray[np.float32], activations: str | None, transform: Any) -> NDArray[np.float32]:
    """Inputs as a product would have them: quantised for each token, transformed as the weights are before that."""
    if activations is None:
        return x
    return quantize(x, activations, axis=1, hadamard=None if transform is None else transform.size).dequantize()


def _file_bytes(tensor: QuantizedTensor) -> int:
    held = sum(chunk.nbytes for part in parts(tensor).values() for chunk in chunks(part))
    return held + 4 * (tensor.tensor_scale is not None)


def relative(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """The norm of the difference over the norm of what is exact."""
    return float(np.linalg.norm(found - exact.astype(np.float64)) / np.linalg.norm(exact.astype(np.float64)))


def line(row: Row, found: Measured) -> str:
    """A row of the table in Markdown."""
    bits = f"{found.bits:.2f}"
    if f"{found.stored:.2f}" != bits:
        bits += f" ({found.stored:.2f} in a file)"
    errors = " | ".join(f"{each:.2%}" for each in (found.weights, found.product, found.embedding))
    return f"| {row} | {bits} | {errors} |"


def written(page: str, lines: dict[Row, str]) -> str:
    """The page with these lines in its table; those of rows that are not among them stay."""
    before, rest = page.split(BEGIN)
    inside, after = rest.split(END)
    old = {each.split(" | ")[0].removeprefix("| "): each for each in inside.splitlines()[2:]}
    kept = [lines.get(row) or old[str(row)] for row in ROWS if row in lines or str(row) in old]
    head = ["| scheme | bits | weights | product | embedding |", "|---|---:|---:|---:|---:|"]
    return before + BEGIN + "\n".join([*head, *kept, ""]) + END + after


def main() -> None:
    """Prints the lines of the table, and writes them to the page."""
    place = folder()
    if place is None:
        raise SystemExit(f"the weights are not installed: {INSTALL}")
    model = MiniLM.load(place)
    inputs = model.inputs()
    named = {each for each in sys.argv[1:] if each != "--write"}
    lines: dict[Row, str] = {}
    for each in ROWS:
        if not named or each.scheme in named:
            lines[each] = line(each, measure(each, model, inputs, model.linear))
            print(lines[each], flush=True)
    if "--write" in sys.argv[1:]:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")


if __name__ == "__main__":
    main()
