"""The tile of a product found by the tuner: by measuring on a GPU, or by the cost model."""

from __future__ import annotations

from typing import Any

from tilevm.ops.matmul import launch_of
from tilevm.ops.weights import PackedWeight
from tilevm.runtime.tuning.tune import tune

__all__ = ["tune_matmul"]

WORKSPACES = ("shares", "arrived")
"""What the blocks of a product share, whose shapes depend on the tiles."""


def tune_matmul(x: Any, weight: PackedWeight, blocks: int | None = None, **options: Any) -> dict[str, Any]:
    """The settings with which ``matmul`` is fastest for activations like ``x``: ``matmul(x, weight, **settings)``.

    They serve every number of rows up to the next power of two. ``options`` are those of ``tilevm.tune``, which keeps
    what it found: a second run takes milliseconds. Where ``blocks`` share the work, as on a GPU they may of themselves,
    they are among the settings. Raises what ``tilevm.tune`` raises.
    """
    kernel, arguments, settings = launch_of(x, weight, blocks=blocks)
    given = {name: each for name, each in arguments.items() if name not in WORKSPACES}
    given |= {name: each for name, each in settings.items() if name not in kernel.definition.tunes}
    shared = {"G": arguments["shares"].shape[0]} if "shares" in arguments else {}
    best = tune(kernel, given | shared, buckets=("M",), **options).best
    return {**best, **({"blocks": shared["G"]} if shared else {})}
