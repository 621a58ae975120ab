"""All kinds of objects that the generator knows."""

from __future__ import annotations

import numpy as np

from training.scenes import kinds_desk, kinds_food, kinds_kitchen
from training.scenes.kind import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*kinds_kitchen.KINDS, *kinds_food.KINDS, *kinds_desk.KINDS)}


def draw_kind(rng: np.random.Generator) -> Kind:
    """Draw a kind by its frequency."""
    kinds = list(KINDS.values())
    weights = np.array([kind.frequency for kind in kinds])
    return kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
