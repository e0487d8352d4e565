"""The product is tuned as it is called, and called as it was tuned."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tilevm.ops import matmul, pack_weight, tune_matmul
from tilevm.quantization import quantize
from tilevm.runtime.tuning.store import TuneStore


@pytest.mark.parametrize("blocks", [None, 3])
def test_the_product_can_be_tuned_with_its_shared_work(blocks: int | None, tmp_path: Path) -> None:
    weight = pack_weight(quantize(np.ones((512, 128), np.float32), "u4", group=128))
    x = np.ones((4, 512), np.float16)
    with ThreadPoolExecutor(1) as pool:
        options = {"executor": pool, "limit": 1, "store": TuneStore(tmp_path), "target": "sm_90a"}
        best = tune_matmul(x, weight, blocks, configs={"WN": [1, 2], "STAGES": [2, 4]}, **options)
    assert {"WN", "STAGES"} <= set(best)
    assert best.get("blocks") == blocks
    assert np.allclose(matmul(x, weight, **best), 512.0, rtol=1e-2)
