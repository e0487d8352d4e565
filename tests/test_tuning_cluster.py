"""Candidates compiled by a Dask cluster, as docs/tuning.md says."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import tilevm
from tests.tuning import SCALE, largest_block
from tilevm import TuneStore

distributed = pytest.importorskip("distributed")


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_lowers_and_compiles(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"processes": False, "n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
        with (
            distributed.LocalCluster(**options, local_directory=str(tmp_path)) as cluster,
            distributed.Client(cluster) as client,
        ):
            result = tilevm.tune(
                tilevm.kernel(SCALE),
                (np.arange(1024, dtype=np.float32),),
                executor=client.get_executor(),
                workers=2,
                model=largest_block,
                store=TuneStore(tmp_path / "tuned"),
            )
    assert result.best == {"B": 256}
    assert len(result.of_state("ranked")) == 4
