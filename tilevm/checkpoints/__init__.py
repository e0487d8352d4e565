"""Checkpoints of quantised weights, repacked without loss: one module for each format, and ``open`` for all.

>>> import tempfile
>>> import numpy as np
>>> from tilevm import safetensors
>>> with tempfile.TemporaryDirectory() as folder:
...     safetensors.write(f"{folder}/a.safetensors", {"w": np.ones((2, 2), "f4")})
...     with open(f"{folder}/a.safetensors") as checkpoint:
...         print(checkpoint.names, checkpoint.format_of("w"))
('w',) plain
"""

from __future__ import annotations

from tilevm.checkpoints.converted import Converted, convert
from tilevm.checkpoints.reader import Checkpoint, open

__all__ = ["Checkpoint", "Converted", "convert", "open"]
