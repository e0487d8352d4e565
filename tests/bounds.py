"""How far the results of two backends may lie apart, element by element, derived from what is computed.

Backends agree to the bit on everything that is rounded once: loads, casts, sums and products of two numbers. They may
differ in the order in which many numbers are added, and in functions such as ``exp``, which the machine defines to 4
units in the last place of f32. ``UNIT`` = 2^-24 is the relative error of one rounding to f32. Every bound is that of
one backend against the exact result, twice, and one step of the result's own format, because two f32 numbers that are
near each other may be rounded to neighbours. All bounds are first order in ``UNIT``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilevm import PackedArray

__all__ = ["attention", "layer_norm", "numbers", "product", "rms_norm", "softmax"]

Floats = NDArray[np.float64]
Given = Mapping[str, Any]

UNIT = 2.0**-24
FUNCTION = 8 * UNIT
"""The relative error of exp, rsqrt and their kind: 4 units in the last place, each of up to 2^-23 of the number."""


def numbers(x: Any) -> Floats:
    """The elements of an array as float64."""
    if isinstance(x, PackedArray):
        return np.asarray(x.dtype.decode(x.codes()), np.float64)
    return np.asarray(x).astype(np.float64)


def step(result: Any) -> Floats:
    """The distance from each element to its neighbour in the result's format, none for f32 (the bounds have it)."""
    array = np.asarray(result)
    return np.asarray(np.spacing(np.abs(array)), np.float64) if array.dtype == np.float16 else np.zeros(array.shape)


def product(given: Given, w: Floats) -> dict[str, Floats]:
    """y = x @ w, for the numbers w that the products are taken with: K · 2^-23 · Σ|x||w|, and one step of y.

    Products of f16 are exact in f32. Adding K of them in any order errs by at most K · 2^-24 · Σ|x||w|, since no
    partial sum is larger than Σ|x||w|. Tensor cores add 8 or more products before they round, and then cut: fewer
    errors, of at most twice the size. Where factors are f32 their products are rounded too, which adds 2^-24 · Σ|x||w|.
    """
    x = numbers(given["x"])
    return {"y": 2 * (x.shape[1] + 1) * UNIT * (np.abs(x) @ np.abs(w)) + step(given["y"])}


def softmax(given: Given, block: int) -> dict[str, Floats]:
    """y = exp(x - top) / total: relative, (N + 20 + 10 tiles) · 2^-23 at f32, and one step of y.

    top and x - top are the same in every backend. total adds N positive terms (N roundings) that err by one exp, and is
    rescaled once for each tile, by an exp, a product and a sum; the result has one more exp and one division.
    """
    columns = given["x"].shape[1]
    tiles = -(-columns // block)
    relative = (columns + 2) * UNIT + 2 * FUNCTION + tiles * (FUNCTION + 2 * UNIT)
    return {"y": 2 * relative * numbers(given["y"]) + step(given["y"])}


def _scale_error(squares: Floats, error: Floats, count: int, epsilon: float) -> Floats:
    """The relative error of 1 / sqrt(squares / count + epsilon), for an error of the sum of squares."""
    return error / (2 * (squares + count * epsilon)) + 2 * UNIT + FUNCTION


def rms_norm(given: Given) -> dict[str, Floats]:
    """y = x · scale · weight, scale = 1 / sqrt(Σx² / N + ε): relative, half of N + 1 roundings of Σx², the function and
    three more, twice, and one step of y.
    """
    x, weight = numbers(given["x"]), numbers(given["weight"])
    count = x.shape[1]
    squares = (x**2).sum(axis=1, keepdims=True)
    scale = 1 / np.sqrt(squares / count + given["epsilon"])
    relative = _scale_error(squares, (count + 1) * UNIT * squares, count, given["epsilon"]) + 2 * UNIT
    return {"y": 2 * relative * np.abs(x * scale * weight) + step(given["y"])}


def layer_norm(given: Given) -> dict[str, Floats]:
    """y = (x - mean) · scale · weight + bias. The mean errs by N + 1 roundings of the mean of |x|; every centred number
    errs by that and one rounding, their N squares are added with N + 1 roundings, and the function comes on top. The
    sum with the bias is rounded once.
    """
    x, weight, bias = (numbers(given[name]) for name in ("x", "weight", "bias"))
    count = x.shape[1]
    mean_error = (count + 1) * UNIT * np.abs(x).mean(axis=1, keepdims=True)
    centred = x - x.mean(axis=1, keepdims=True)
    centred_error = mean_error + UNIT * np.abs(centred)
    squares = (centred**2).sum(axis=1, keepdims=True)
    squares_error = (2 * np.abs(centred) * centred_error + centred_error**2).sum(axis=1, keepdims=True)
    squares_error += (count + 1) * UNIT * squares
    relative = _scale_error(squares, squares_error, count, given["epsilon"]) + 2 * UNIT
    scale = 1 / np.sqrt(squares / count + given["epsilon"])
    scaled = centred_error * scale * np.abs(weight) + relative * np.abs(centred * scale * weight)
    rounding = UNIT * (np.abs(centred * scale * weight) + np.abs(bias))
    return {"y": 2 * (scaled + rounding) + step(given["y"])}


def attention(given: Given, k_scale: str, v_scale: str, tile: int) -> dict[str, Floats]:
    """o = Σ p v / Σ p, p = exp(l - top), l = scale · Σ q k, over T tokens: twice Σ p |v| / Σ p times what a weight errs
    by, and one step of o.

    A logit adds D products, each rounded, and is scaled: (D + 2) · 2^-24 · scale · Σ|q k|, which is the relative error
    of its weight; so is the rounding of l - top, and one exp. The error of top is the same in every weight and in their
    sum, and cancels. Sums over T, and for each tile a rescaling by exp, follow; all of it above and below the line.
    """
    q, k, v = (numbers(given[name]) for name in "qkv")
    tokens, cached, width = k.shape
    heads = q.shape[0]
    served = np.arange(heads) * cached // heads
    keys = (k * numbers(given[k_scale])[:, :, None])[:, served]
    values = (v * numbers(given[v_scale])[:, :, None])[:, served]
    logits = given["scale"] * np.einsum("hd,thd->ht", q, keys)
    size = given["scale"] * np.einsum("hd,thd->ht", np.abs(q), np.abs(keys))
    spread = logits.max(axis=1, keepdims=True) - logits
    weights = np.exp(-spread)
    tiles = -(-tokens // tile)
    weight_error = ((width + 2) * size + spread) * UNIT + FUNCTION
    sum_error = (tokens + 2) * UNIT + tiles * (FUNCTION + 2 * UNIT)
    shares = weights / weights.sum(axis=1, keepdims=True)
    size_of_result = np.einsum("ht,thd->hd", shares, np.abs(values))
    upper = np.einsum("ht,thd->hd", shares * weight_error, np.abs(values))
    lower = (shares * weight_error).sum(axis=1, keepdims=True) * size_of_result
    return {"o": 2 * (upper + lower + (2 * sum_error + 2 * UNIT) * size_of_result) + step(given["o"])}
