"""Shapes of food: fruit, vegetables, bread, eggs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .kind import Kind
from .materials import Paint, Part, Surface
from .mesh import box, ellipsoid, lathe, loft, tube

Random = np.random.Generator
LEAF = Surface(np.array([0.05, 0.20, 0.03]), gloss=0.1)
STEM = Surface(np.array([0.10, 0.06, 0.02]), gloss=0.05)


def apple(rng: Random, paint: Paint) -> list[Part]:
    """Make a round fruit with a dent and a stem."""
    radius = rng.uniform(0.034, 0.043)
    a = np.linspace(-np.pi / 2, np.pi / 2, 16)
    dent = 0.25 * np.exp(-(((a - np.pi / 2) / 0.35) ** 2)) + 0.15 * np.exp(-(((a + np.pi / 2) / 0.3) ** 2))
    profile = [
        (
            radius * np.cos(s) * (1 + 0.06 * np.sin(s)),
            radius * rng.uniform(0.9, 0.9) * (np.sin(s) * (1 - d) + 1),
        )
        for s, d in zip(a, dent, strict=True)
    ]
    top = profile[-1][1]
    stem = tube(np.array([[0, 0, top], [0.001, 0, top + 0.008], [0.004, 0, top + 0.018]]), 0.0018, segments=6)
    return [Part(lathe(profile, crease=80), paint.main), Part(stem, STEM)]


def round_fruit(
    low: float, high: float, *, squash: tuple[float, float] = (0.9, 1.0), tip: float = 0.0, leaf: bool = False
):
    """Return a maker of balls of fruit; ``tip`` draws out both ends, ``leaf`` puts a green star on top."""

    def make(rng: Random, paint: Paint) -> list[Part]:
        radius, flat = rng.uniform(low, high), rng.uniform(*squash)
        a = np.linspace(-np.pi / 2, np.pi / 2, 15)
        reach = np.sin(a) * (flat + tip * np.abs(np.sin(a)) ** 6)
        profile = [(radius * np.cos(s), radius * (h + flat + tip)) for s, h in zip(a, reach, strict=True)]
        body = lathe(profile, crease=80)
        parts = [Part(body, paint.main)]
        top = profile[-1][1]
        if leaf:
            for turn in np.linspace(0, 2 * np.pi, 6)[:-1]:
                end = np.array(
                    [np.cos(turn) * radius * 0.5, np.sin(turn) * radius * 0.5, top - radius * 0.02]
                )
                parts.append(
                    Part(
                        tube(
                            np.stack([[0, 0, top + 0.002], end * [0.5, 0.5, 1] + [0, 0, 0.003], end]),
                            [0.003, 0.003, 0.001],
                            segments=6,
                        ),
                        LEAF,
                    )
                )
        else:
            parts.append(Part(ellipsoid((0.003, 0.003, 0.002), center=(0, 0, top), rings=5), STEM))
        return parts

    return make


def lying(shape: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Lift a path so that its tube lies on the table."""
    path = np.array(shape, np.float64)
    path[:, 2] += radii.max()
    return path


def banana(rng: Random, paint: Paint) -> list[Part]:
    """Make one banana or a bunch."""
    count = 1 if rng.uniform() < 0.7 else int(rng.integers(2, 5))
    bend, length, thick = rng.uniform(0.7, 1.4), rng.uniform(0.15, 0.2), rng.uniform(0.015, 0.019)
    t = np.linspace(-1, 1, 13)
    radius = length / bend
    radii = thick * np.array([0.25, 0.5, 0.85, 1, 1, 1, 1, 1, 1, 0.95, 0.75, 0.4, 0.3])
    parts = []
    for index in range(count):
        angle = t * bend / 2
        path = np.stack([radius * np.sin(angle), radius * (1 - np.cos(angle)), 0 * t], -1)
        path[:, 1] += index * thick * 1.7
        path[:, 2] += 0.008 * index * (1 - t**2)
        path = lying(path, radii)
        parts.append(Part(tube(path, radii, segments=8), paint.main))
        stalk = path[0] + (path[0] - path[1]) * 1.3
        parts.append(
            Part(tube(np.stack([path[0], (path[0] + stalk) / 2, stalk]), thick * 0.28, segments=6), STEM)
        )
    return parts


def long_vegetable(
    length: tuple[float, float],
    thick: tuple[float, float],
    taper: Sequence[float],
    *,
    leaves: bool = False,
    cap: bool = False,
):
    """Return a maker of lying roots and fruit; ``taper`` gives the radius along the length."""

    def make(rng: Random, paint: Paint) -> list[Part]:
        long, radius = rng.uniform(*length), rng.uniform(*thick)
        x = np.linspace(-long / 2, long / 2, 11)
        radii = radius * np.interp(np.linspace(0, 1, 11), np.linspace(0, 1, len(taper)), taper)
        bend = rng.uniform(-0.2, 0.2) * long
        path = lying(np.stack([x, bend * (1 - (2 * x / long) ** 2), 0 * x], -1), radii)
        parts = [Part(tube(path, radii, segments=12), paint.main)]
        if leaves:
            for _ in range(5):
                end = path[0] + [-rng.uniform(0.03, 0.07), rng.normal(0, 0.015), rng.uniform(0, 0.02)]
                parts.append(
                    Part(tube(np.stack([path[0], (path[0] + end) / 2, end]), 0.0025, segments=5), LEAF)
                )
        if cap:
            parts.append(
                Part(ellipsoid((0.008, radii[0] * 0.9 + 0.004, radii[0] * 0.9 + 0.004), center=path[0]), LEAF)
            )
        return parts

    return make


def pear(rng: Random, paint: Paint) -> list[Part]:
    """Make a pear standing."""
    radius, height = rng.uniform(0.032, 0.04), rng.uniform(0.085, 0.105)
    t = np.linspace(0, 1, 15)
    width = np.sin(np.pi * t**0.8) * (1 - 0.45 * t) + 0.22 * t * (1 - t)
    profile = [(radius * w / 0.75, h) for w, h in zip(width, t * height, strict=True)]
    profile[0], profile[-1] = (0, 0), (0, height)
    stem = tube(
        np.array([[0, 0, height], [0.002, 0, height + 0.01], [0.006, 0, height + 0.02]]), 0.0018, segments=6
    )
    return [Part(lathe(profile, crease=80), paint.main), Part(stem, STEM)]


def bell_pepper(rng: Random, paint: Paint) -> list[Part]:
    """Make a pepper with lobes."""
    radius, height, lobes = rng.uniform(0.032, 0.042), rng.uniform(0.065, 0.09), int(rng.integers(3, 5))
    t = np.linspace(0, 1, 14)
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    width = np.sin(np.pi * (0.08 + 0.84 * t)) ** 0.45 * (0.8 + 0.2 * t)
    width[0] = width[-1] = 0
    wave = 1 + 0.10 * np.cos(lobes * angle)
    rings = np.stack(
        [
            np.stack(
                [radius * w * wave * np.cos(angle), radius * w * wave * np.sin(angle), np.full(32, h)], -1
            )
            for w, h in zip(width, height * (t - 0.1 * np.exp(-(((t - 1) / 0.08) ** 2))), strict=True)
        ]
    )
    stem = tube(
        np.array([[0, 0, height * 0.88], [0, 0, height], [0.004, 0, height * 1.12]]), 0.004, segments=6
    )
    return [Part(loft(rings, crease=80), paint.main), Part(stem, LEAF)]


def corn(rng: Random, paint: Paint) -> list[Part]:
    """Make a cob lying in its leaves."""
    length, radius = rng.uniform(0.13, 0.17), rng.uniform(0.02, 0.026)
    x = np.linspace(-length / 2, length / 2, 40)
    radii = (
        radius
        * np.sqrt(np.clip(1 - (np.maximum(x, 0) / (length * 0.55)) ** 2, 0.05, 1))
        * (1 + 0.05 * np.sin(x * 900))
    )
    path = lying(np.stack([x, 0 * x, 0 * x], -1), radii)
    husk = tube(
        lying(
            np.array([[-length * 0.7, 0, 0], [-length * 0.4, 0, 0], [-length * 0.1, 0, -0.002]]),
            np.array([radius]),
        ),
        [radius * 0.3, radius * 1.1, radius * 1.02],
        segments=10,
    )
    return [Part(tube(path, radii, segments=14), paint.main), Part(husk, LEAF)]


def mushroom(rng: Random, paint: Paint) -> list[Part]:
    """Make a mushroom standing."""
    radius, height = rng.uniform(0.024, 0.034), rng.uniform(0.04, 0.055)
    a = np.linspace(0, np.pi / 2, 8)
    hat = [(radius * 0.35, height * 0.5), (radius, height * 0.5)]
    hat += [(radius * np.cos(s), height * (0.55 + 0.45 * np.sin(s))) for s in a]
    stem = lathe([(0, 0), (radius * 0.42, 0), (radius * 0.36, height * 0.5), (0, height * 0.5)])
    return [Part(lathe(hat), paint.main), Part(stem, paint.light)]


def strawberry(rng: Random, paint: Paint) -> list[Part]:
    """Make a strawberry lying."""
    radius = rng.uniform(0.016, 0.022)
    x = np.linspace(0, 1, 10)
    radii = radius * np.sqrt(np.sin(np.pi * (0.1 + 0.85 * (1 - x)) ** 1.0)) * (1 - 0.45 * x)
    path = lying(np.stack([x * radius * 2.6, 0 * x, 0 * x], -1), radii)
    leaf = ellipsoid((0.003, radius * 0.9, radius * 0.9), center=path[0])
    return [Part(tube(path, radii, segments=12), paint.main), Part(leaf, LEAF)]


def egg(rng: Random, paint: Paint) -> list[Part]:
    """Make an egg lying."""
    radius = rng.uniform(0.02, 0.024)
    return [Part(ellipsoid((radius * 1.3, radius, radius), center=(0, 0, radius)), paint.main)]


def bread(rng: Random, paint: Paint) -> list[Part]:
    """Make a loaf, or a slice."""
    if rng.uniform() < 0.5:
        width = rng.uniform(0.09, 0.12)
        crumb = box((width * 0.92, width * 0.92, 0.013), center=(0, 0, 0.008))
        return [
            Part(box((width, width, 0.012), center=(0, 0, 0.006)), paint.main),
            Part(crumb, Surface(np.array([0.75, 0.55, 0.30]), paint.main.texture, gloss=0.0)),
        ]
    length, radius = rng.uniform(0.14, 0.22), rng.uniform(0.03, 0.045)
    return [Part(ellipsoid((length / 2, radius, radius * 0.8), center=(0, 0, radius * 0.75)), paint.main)]


def donut(rng: Random, paint: Paint) -> list[Part]:
    """Make a ring of dough with icing."""
    radius, thick = rng.uniform(0.03, 0.04), rng.uniform(0.014, 0.018)
    a = np.linspace(0, 2 * np.pi, 17)
    dough = lathe([(radius + thick * np.cos(s), thick * (1 + np.sin(s))) for s in a], segments=28, crease=80)
    icing = lathe(
        [
            (radius + thick * 1.06 * np.cos(s), thick * (1 + 1.06 * np.sin(s)))
            for s in np.linspace(0.1, np.pi - 0.1, 9)
        ],
        segments=28,
        crease=80,
    )
    return [
        Part(dough, Surface(np.array([0.42, 0.20, 0.06]), paint.main.texture, gloss=0.1)),
        Part(icing, paint.main),
    ]


FOOD = ('food',)
KINDS = (
    Kind('apple', '사과', apple, ('red', 'red', 'green', 'yellow'), FOOD, scale=(0.85, 1.2), frequency=1.5),
    Kind('orange', '오렌지', round_fruit(0.034, 0.043), ('orange',), FOOD, scale=(0.85, 1.2), frequency=1.2),
    Kind(
        'lemon',
        '레몬',
        round_fruit(0.024, 0.03, squash=(1.1, 1.25), tip=0.25),
        ('yellow',),
        FOOD,
        ('side',),
        scale=(0.85, 1.2),
        frequency=1.2,
    ),
    Kind(
        'banana',
        '바나나',
        banana,
        ('yellow', 'yellow', 'yellow', 'green'),
        FOOD,
        scale=(0.85, 1.15),
        frequency=1.5,
    ),
    Kind('pear', '배', pear, ('green', 'yellow'), FOOD, ('upright', 'side'), scale=(0.85, 1.2)),
    Kind(
        'tomato',
        '토마토',
        round_fruit(0.028, 0.038, squash=(0.75, 0.9), leaf=True),
        ('red',),
        FOOD,
        scale=(0.85, 1.2),
    ),
    Kind(
        'potato',
        '감자',
        long_vegetable((0.07, 0.1), (0.025, 0.034), (0.5, 0.9, 1, 1, 0.9, 0.5)),
        ('brown',),
        FOOD,
    ),
    Kind(
        'carrot',
        '당근',
        long_vegetable((0.13, 0.19), (0.013, 0.019), (1, 0.95, 0.75, 0.5, 0.15), leaves=True),
        ('orange',),
        FOOD,
    ),
    Kind(
        'cucumber', '오이', long_vegetable((0.14, 0.2), (0.016, 0.022), (0.6, 1, 1, 1, 0.6)), ('green',), FOOD
    ),
    Kind(
        'eggplant',
        '가지',
        long_vegetable((0.13, 0.18), (0.02, 0.03), (0.5, 0.6, 0.8, 1, 1, 0.6), cap=True),
        ('purple',),
        FOOD,
    ),
    Kind('bell pepper', '피망', bell_pepper, ('red', 'green', 'yellow', 'orange'), FOOD, ('upright', 'side')),
    Kind('corn', '옥수수', corn, ('yellow',), FOOD),
    Kind('mushroom', '버섯', mushroom, ('white', 'brown'), FOOD, ('upright', 'side')),
    Kind('strawberry', '딸기', strawberry, ('red',), FOOD, frequency=0.8),
    Kind('egg', '달걀', egg, ('white', 'brown'), FOOD, scale=(0.9, 1.1), frequency=0.8),
    Kind('bread', '빵', bread, ('brown',), FOOD),
    Kind('donut', '도넛', donut, ('pink', 'brown', 'white', 'yellow'), FOOD, frequency=0.8),
)
