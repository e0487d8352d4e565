"""Quantisation: numbers as codes of a narrow format, each block of which shares a scale.

>>> import numpy as np
>>> quantize(np.linspace(-1, 1, 256).reshape(256, 1), "f6e3m2", group=128)
QuantizedTensor(f6e3m2[256, 1] in groups of 128 along axis 0 with f16 scales, 6.12 bits each)
"""

from __future__ import annotations

from tilevm.quantization.cache import quantize_keys, quantize_values
from tilevm.quantization.calibration import Absmax, Mean, Percentile, Search
from tilevm.quantization.columns import ColumnSplit, split_columns
from tilevm.quantization.corrections import LowRank, OutlierSplit, correct_low_rank, split_outliers
from tilevm.quantization.hadamard import Hadamard
from tilevm.quantization.quantizer import quantize
from tilevm.quantization.scheme import SCHEMES, Scheme, scheme
from tilevm.quantization.tensor import QuantizedTensor

__all__ = [
    "SCHEMES",
    "Absmax",
    "ColumnSplit",
    "Hadamard",
    "LowRank",
    "Mean",
    "OutlierSplit",
    "Percentile",
    "QuantizedTensor",
    "Scheme",
    "Search",
    "correct_low_rank",
    "quantize",
    "quantize_keys",
    "quantize_values",
    "scheme",
    "split_columns",
    "split_outliers",
]
