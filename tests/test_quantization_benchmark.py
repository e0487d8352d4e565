"""The table of docs/quantization.md: the model is the real one, and the page says what was measured."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from benchmarks import minilm, quantization
from benchmarks.minilm import MiniLM, folder, gelu
from benchmarks.quantization import BEGIN, END, PAGE, ROWS, Measured, line, measure, row, written
from tilevm.quantization import quantize

needs_weights = pytest.mark.skipif(folder() is None, reason=f"no real weights: {minilm.INSTALL}")


def random_model() -> MiniLM:
    """A model of the same form whose layers are 64 wide, with a vocabulary of letters."""
    random = np.random.default_rng(0)
    words = ["[CLS]", "[SEP]", "[UNK]", *"abcde", "##a", "##bc", "."]
    wide = {"intermediate.dense": (128, 64), "output.dense": (64, 128)}
    shapes = {f"embeddings.{name}_embeddings.weight": (32, 64) for name in ("word", "position", "token_type")}
    for layer in range(minilm.LAYERS):
        for name in minilm.LINEAR:
            shapes[f"encoder.layer.{layer}.{name}.weight"] = wide.get(name, (64, 64))
    tensors: dict[str, Any] = {name: random.standard_normal(shape) / 8 for name, shape in shapes.items()}
    for name in [each for each in shapes if "layer" in each]:
        tensors[name.replace("weight", "bias")] = random.standard_normal(shapes[name][0]) / 8
    for name in [
        "embeddings",
        *(f"encoder.layer.{layer}{part}" for layer in range(6) for part in (".attention.output", ".output")),
    ]:
        tensors[f"{name}.LayerNorm.weight"], tensors[f"{name}.LayerNorm.bias"] = np.ones(64), np.zeros(64)
    monkey = {name: np.asarray(each, np.float32) for name, each in tensors.items()}
    return MiniLM(monkey, {word: place for place, word in enumerate(words)})


def test_words_are_split_into_the_longest_pieces() -> None:
    model = random_model()
    names = {place: word for word, place in model.words.items()}
    assert [names[each] for each in model.tokens("Abca e. xa")] == [
        *("[CLS]", "a", "##bc", "##a", "e", ".", "[UNK]", "[SEP]")
    ]


def test_what_is_measured_is_the_error_of_weights_products_and_embeddings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "HEADS", 4)
    monkeypatch.setattr(quantization, "SENTENCES", ("abc de.", "e d c"))
    model = random_model()
    inputs = model.inputs(quantization.SENTENCES)
    assert list(inputs) == model.linear
    assert inputs[model.linear[-1]].shape == (11, 128)
    names = model.linear[:2]
    found = measure(row("i4g32"), model, inputs, names)
    errors = []
    for name in names:
        w, x = model.weight(name), inputs[name]
        rounded = quantize(w, "i4g32").dequantize()
        errors.append(
            [np.linalg.norm(each) / np.linalg.norm(of) for each, of in ((rounded - w, w), (x @ (rounded - w), x @ w))]
        )
    assert [found.weights, found.product] == pytest.approx(list(np.sqrt(np.mean(np.square(errors), 0))), rel=1e-4)
    assert found.bits == 4.5
    assert 0 < found.embedding < 1
    with_inputs = measure(row("int8"), model, inputs, names)
    assert with_inputs.weights < with_inputs.product < 0.02
    assert measure(row("int8", hadamard=16), model, inputs, names).product < 0.02
    wide, corrected = (
        measure(each, model, inputs, names) for each in (row("i4g32", outliers=0.1), row("i4g32", rank=4))
    )
    assert wide.product < found.product
    assert corrected.weights < found.weights
    assert measure(row("ternary"), model, inputs, names).stored < 2 < measure(row("ternary"), model, inputs, names).bits


def test_gelu_is_that_of_the_error_function() -> None:
    x = np.linspace(-6, 6, 500, dtype=np.float32)
    exact = [each * (1 + math.erf(each / math.sqrt(2))) / 2 for each in x.astype(float)]
    np.testing.assert_allclose(gelu(x), exact, atol=2e-6)


@needs_weights
def test_the_model_gives_the_similarities_that_its_authors_show() -> None:
    place = folder()
    assert place is not None
    model = MiniLM.load(place)
    sentences = ("That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day")
    first, *others = (model.embedding(each) for each in sentences)
    assert [float(first @ other) for other in others] == pytest.approx([0.695, 0.943, 0.257], abs=1e-3)
    w = model.weight("encoder.layer.0.intermediate.dense")
    assert w.shape == (384, 1536)
    error = {
        name: np.linalg.norm(quantize(w, name).dequantize() - w) for name in ("f6e2m3", "f6e3m2", "mxint8", "mxfp8e4m3")
    }
    assert error["f6e2m3"] < error["f6e3m2"]
    assert error["mxint8"] < error["mxfp8e4m3"]


def test_lines_of_some_rows_leave_the_others_as_they_are() -> None:
    found = Measured(4.125, 4.0, 0.1, 0.2, 0.3)
    assert line(ROWS[1], found) == f"| {ROWS[1]} | 4.12 (4.00 in a file) | 10.00% | 20.00% | 30.00% |"
    once = written(f"a\n{BEGIN}{END}\nb", {row: line(row, found) for row in ROWS[:3]})
    assert once.startswith(f"a\n{BEGIN}| scheme | bits |")
    assert once.endswith(f"{END}\nb")
    assert written(once, {ROWS[1]: "| new |"}).splitlines() == [
        "| new |" if each.startswith(f"| {ROWS[1]} |") else each for each in once.splitlines()
    ]


def page_table() -> dict[str, tuple[float, float, float]]:
    """Errors of weights, products and embeddings in the page, in percent."""
    text = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    found = {}
    for each in text.splitlines()[2:]:
        cells = [cell.strip() for cell in each.strip("|").split("|")]
        found[cells[0]] = tuple(float(cell.rstrip("%")) for cell in cells[2:])
    return found  # type: ignore[return-value]


def test_the_page_has_every_row_and_its_text_says_what_is_in_them() -> None:
    shown = page_table()
    assert list(shown) == [str(each) for each in ROWS]
    weights, products = ({name: errors[place] for name, errors in shown.items()} for place in (0, 1))
    assert weights["`f6e2m3g128`"] < weights["`f6e3m2g128`"]
    assert weights["`f5e2m2g128`"] < weights["`f5e3m1g128`"]
    assert weights["`f5e2m2g128`"] < weights["`f5e1m3g128`"]
    assert weights["`f4e2m1g128`"] < weights["`i4g128`"]
    for each in (weights, products):
        assert each["`nvint4`, hadamard 16"] < each["`nvint4`"]
        assert each["`i4g128`, hadamard 128"] < each["`i4g128`"]
        assert each["`nvfp4`, hadamard 16"] > each["`nvfp4`"]
        assert each["`mxint8`"] < each["`mxfp8e4m3`"] < each["`mxfp8e5m2`"]
        assert each["`nvint4`"] < each["`nvfp4`"]
        assert each["`i4g128`, percentile"] > each["`i4g128`"]
        assert each["`w4a8-fp8-ratio`"] < each["`w4a8-fp8`"]
        assert each["`codebook4`"] < each["`nf4-block64`"]
    for name in ("mxfp8e4m3", "mxfp8e5m2", "mxfp6e2m3", "mxfp6e3m2", "mxfp4"):
        for way in ("even", "up"):
            assert products[f"`{name}`, scale rounding {way}"] < products[f"`{name}`"]
    assert weights["`mxfp4`, scale rounding even"] < weights["`mxfp4`"] < weights["`mxfp4`, scale rounding up"]
    assert weights["`mxfp8e4m3`, scale rounding up"] < weights["`mxfp8e4m3`, scale rounding even"]
    text = PAGE.read_text(encoding="utf-8").split(END)[1]
    for name, said in (
        ("`f6e2m3g128`", "2.7%"),
        ("`f6e3m2g128`", "5.1%"),
        ("`mxint8`", "0.8%"),
        ("`mxfp8e4m3`", "3.0%"),
    ):
        assert said in text
        assert f"{weights[name]:.1f}%" == said
