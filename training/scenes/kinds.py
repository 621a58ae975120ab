"""All kinds of objects that the generator knows."""

from __future__ import annotations

import numpy as np

from . import (
    kinds_cooking,
    kinds_dishes,
    kinds_food,
    kinds_home,
    kinds_office,
    kinds_packages,
    kinds_tools,
)
from .kind import Kind

MODULES = (kinds_cooking, kinds_dishes, kinds_food, kinds_home, kinds_office, kinds_packages, kinds_tools)
KINDS: dict[str, Kind] = {kind.name: kind for module in MODULES for kind in module.KINDS}


def draw_kind(rng: np.random.Generator) -> Kind:
    """Draw a kind by its frequency."""
    kinds = list(KINDS.values())
    weights = np.array([kind.frequency for kind in kinds])
    return kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
