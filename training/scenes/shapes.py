"""Shapes that several kinds share."""

from __future__ import annotations

import numpy as np

from .materials import Paint, Part
from .mesh import box, lathe

Random = np.random.Generator


def vessel(
    radius: float,
    height: float,
    *,
    foot: float = 0.8,
    wall: float = 0.004,
    bulge: float = 0.0,
    steps: int = 8,
) -> list[tuple[float, float]]:
    """Return the profile of an open vessel: outside up, rim, inside down."""
    t = np.linspace(0, 1, steps)
    outer = radius * (foot + (1 - foot) * t + bulge * np.sin(np.pi * t))
    points = [(0.0, 0.0)] + [(float(r), float(h)) for r, h in zip(outer, t * height, strict=True)]
    points += [
        (float(r) - wall, float(h))
        for r, h in zip(outer[::-1], np.maximum(t[::-1] * height, wall), strict=True)
    ]
    return [*points, (0.0, wall)]


def arc(
    center: tuple[float, float, float], across: float, tall: float, start: float, end: float, points: int = 11
) -> np.ndarray:
    """Return an elliptic arc in the x-z plane, degrees from +x towards +z."""
    angle = np.radians(np.linspace(start, end, points))
    return np.asarray(center) + np.stack([across * np.cos(angle), 0 * angle, tall * np.sin(angle)], axis=-1)


def drink(radius: float, level: float, rng: Random, paint: Paint) -> Part:
    """Make the surface of what is in a cup."""
    tone = [np.array([0.03, 0.012, 0.004]), np.array([0.25, 0.10, 0.02]), np.array([0.7, 0.65, 0.55])][
        rng.integers(3)
    ]
    return Part(lathe([(radius, level), (0, level)]), type(paint.main)(tone, gloss=0.6))


def open_box(width: float, depth: float, height: float, wall: float) -> list:
    """Make a box without a lid, as its five walls."""
    walls = [box((width, depth, wall), center=(0, 0, wall / 2))]
    for sign in (-1, 1):
        walls.append(box((width, wall, height), center=(0, sign * (depth - wall) / 2, height / 2)))
        walls.append(box((wall, depth, height), center=(sign * (width - wall) / 2, 0, height / 2)))
    return walls
