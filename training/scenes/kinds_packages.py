"""Shapes of packages and kitchen goods: bottles, cans, jars, cartons, boxes, rolls."""

from __future__ import annotations

import numpy as np

from .kind import ANY, Kind
from .materials import Paint, Part
from .mesh import box, extrude, lathe, loft, rotation, tube

Random = np.random.Generator


def bottle(rng: Random, paint: Paint) -> list[Part]:
    """Make a bottle with a neck, a cap and often a label."""
    radius, height = rng.uniform(0.028, 0.042), rng.uniform(0.17, 0.27)
    shoulder, neck = rng.uniform(0.55, 0.75), radius * rng.uniform(0.28, 0.45)
    t = np.linspace(0, 1, 7)
    slope = rng.uniform(0.10, 0.20)
    waist = rng.uniform(0, 0.12) if rng.uniform() < 0.4 else 0.0
    body = [(radius * (1 - waist * np.sin(np.pi * s) ** 2), height * shoulder * (0.03 + 0.97 * s)) for s in t]
    curve = [
        (neck + (radius - neck) * (0.5 + 0.5 * np.cos(np.pi * s)), height * (shoulder + slope * s)) for s in t
    ]
    profile = [(0, 0), (radius * 0.9, 0), *body, *curve[1:], (neck, height * 0.95), (0, height * 0.95)]
    cap = lathe([(0, height * 0.93), (neck * 1.15, height * 0.93), (neck * 1.15, height), (0, height)])
    parts = [
        Part(lathe(profile), paint.main),
        Part(cap, (paint.accent, paint.light, paint.dark)[rng.integers(3)]),
    ]
    if rng.uniform() < 0.6:
        low, high = sorted(rng.uniform(0.08, 0.95, 2))
        if high - low > 0.25:
            parts.append(
                Part(
                    lathe(
                        [
                            (radius * 1.012, height * shoulder * low),
                            (radius * 1.012, height * shoulder * high),
                        ]
                    ),
                    paint.label if rng.uniform() < 0.7 else paint.light,
                )
            )
    return parts


def can(rng: Random, paint: Paint) -> list[Part]:
    """Make a drink or food can."""
    radius = rng.uniform(0.030, 0.043)
    height = rng.uniform(0.08, 0.13)
    body = lathe([(radius, height * 0.04), (radius, height * 0.94)])
    ends = lathe([(0, 0.001), (radius * 0.86, 0.0), (radius, height * 0.04)])
    top = lathe(
        [
            (radius, height * 0.94),
            (radius * 0.88, height),
            (radius * 0.85, height),
            (radius * 0.83, height * 0.97),
            (0, height * 0.97),
        ]
    )
    tab = box((0.018, 0.010, 0.002), center=(0.006, 0, height * 0.975))
    return [
        Part(body, paint.label if rng.uniform() < 0.65 else paint.main),
        Part(ends, paint.steel),
        Part(top, paint.steel),
        Part(tab, paint.steel),
    ]


def jar(rng: Random, paint: Paint) -> list[Part]:
    """Make a jar with a wide lid."""
    radius, height = rng.uniform(0.03, 0.045), rng.uniform(0.07, 0.13)
    body = lathe(
        [
            (0, 0),
            (radius * 0.95, 0),
            (radius, 0.006),
            (radius, height * 0.75),
            (radius * 0.85, height * 0.83),
            (0, height * 0.83),
        ]
    )
    lid = lathe([(0, height * 0.82), (radius * 0.92, height * 0.82), (radius * 0.92, height), (0, height)])
    parts = [Part(body, paint.main), Part(lid, (paint.accent, paint.steel, paint.main)[rng.integers(3)])]
    if rng.uniform() < 0.6:
        parts.append(
            Part(lathe([(radius * 1.01, height * 0.15), (radius * 1.01, height * 0.65)]), paint.label)
        )
    return parts


def carton(rng: Random, paint: Paint) -> list[Part]:
    """Make a milk or juice carton with a gable."""
    side, height = rng.uniform(0.055, 0.075), rng.uniform(0.12, 0.19)
    body = box((side, side, height), center=(0, 0, height / 2))
    top = height + side * 0.45
    half = side / 2
    ring = np.array(
        [
            [[-half, -half, height], [half, -half, height], [half, half, height], [-half, half, height]],
            [[-half, -0.001, top], [half, -0.001, top], [half, 0.001, top], [-half, 0.001, top]],
        ]
    )
    fin = box((side, 0.003, side * 0.2), center=(0, 0, top + side * 0.08))
    cover = paint.label if rng.uniform() < 0.75 else paint.main
    parts = [Part(body, cover), Part(loft(ring), paint.main), Part(fin, paint.main)]
    if rng.uniform() < 0.5:
        cap = lathe([(0.012, 0), (0.012, 0.012), (0, 0.012)]).moved(
            rotation('x', 45), (0, -half * 0.55, height + side * 0.2)
        )
        parts.append(Part(cap, paint.accent))
    return parts


def package(rng: Random, paint: Paint) -> list[Part]:
    """Make a cardboard box: cereal, crackers, parcels."""
    size = np.sort(rng.uniform(0.04, 0.2, 3)) if rng.uniform() < 0.6 else rng.uniform(0.07, 0.14, 3)
    if rng.uniform() < 0.5:
        size = size[[1, 0, 2]]
    surface = paint.label if rng.uniform() < 0.6 else paint.main
    return [Part(box(size, center=(0, 0, size[2] / 2)), surface)]


def sponge(rng: Random, paint: Paint) -> list[Part]:
    """Make a dish sponge with a scouring side."""
    width, depth, height = rng.uniform(0.08, 0.12), rng.uniform(0.05, 0.075), rng.uniform(0.02, 0.035)
    corner = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width / 2, depth / 2]
    green = type(paint.main)(np.array([0.03, 0.16, 0.06]), gloss=0.0)
    return [
        Part(extrude(corner, height, bevel=0.002), paint.main),
        Part(
            extrude(corner, 0.007, bevel=0.001, bottom=height), green if rng.uniform() < 0.6 else paint.accent
        ),
    ]


def kitchen_roll(rng: Random, paint: Paint) -> list[Part]:
    """Make a roll of paper."""
    radius, height, core = rng.uniform(0.045, 0.065), rng.uniform(0.1, 0.22), 0.02
    roll = lathe([(core, 0), (radius, 0), (radius, height), (core, height), (core, height * 0.3)])
    return [Part(roll, paint.light), Part(lathe([(core * 0.98, 0), (core * 0.98, height)]), paint.wood)]


def candle(rng: Random, paint: Paint) -> list[Part]:
    """Make a thick candle with a wick."""
    radius, height = rng.uniform(0.025, 0.04), rng.uniform(0.05, 0.13)
    wick = tube(
        np.array([[0, 0, height], [0.001, 0, height + 0.006], [0.003, 0, height + 0.012]]), 0.0015, segments=6
    )
    return [
        Part(
            lathe(
                [(0, 0), (radius, 0), (radius, height), (radius * 0.8, height - 0.004), (0, height - 0.004)]
            ),
            paint.main,
        ),
        Part(wick, paint.dark),
    ]


def cutting_board(rng: Random, paint: Paint) -> list[Part]:
    """Make a flat board."""
    outline = box(
        (rng.uniform(0.2, 0.32), rng.uniform(0.14, 0.2), rng.uniform(0.01, 0.02)), center=(0, 0, 0.008)
    )
    return [Part(outline, paint.main)]


KINDS = (
    Kind(
        'bottle',
        '병',
        bottle,
        ANY,
        ('plastic', 'plastic', 'glass', 'metal'),
        ('upright', 'upright', 'upright', 'side'),
        frequency=1.6,
    ),
    Kind('can', '캔', can, ANY, ('plastic',), ('upright', 'upright', 'upright', 'side'), frequency=1.6),
    Kind('jar', '단지', jar, ANY, ('plastic', 'ceramic', 'glass')),
    Kind('milk carton', '우유팩', carton, ANY, ('paper',), ('upright', 'upright', 'side')),
    Kind('box', '상자', package, ANY, ('paper', 'paper', 'plastic'), ('upright', 'side'), frequency=1.4),
    Kind(
        'sponge',
        '스펀지',
        sponge,
        ('yellow', 'yellow', 'blue', 'pink', 'orange', 'purple', 'green'),
        ('fabric',),
    ),
    Kind('paper towel', '키친타월', kitchen_roll, ('white',), ('paper',), ('upright', 'side'), frequency=0.5),
    Kind('candle', '양초', candle, ANY, ('plastic',), frequency=0.6),
    Kind(
        'cutting board',
        '도마',
        cutting_board,
        ('brown', 'white', 'green', 'blue', 'red', 'orange', 'black'),
        ('wood', 'wood', 'plastic'),
        holds='on',
        frequency=0.7,
    ),
)
