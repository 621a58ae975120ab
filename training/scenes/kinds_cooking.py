"""Shapes to cook and eat with: pots, pans, kettles, cutlery."""

from __future__ import annotations

import numpy as np

from .kind import ANY, Kind
from .materials import Paint, Part
from .mesh import box, ellipsoid, lathe, prism, rotation, tube
from .shapes import arc, vessel

Random = np.random.Generator


def shaft(
    length: float, low: float, high: float, width: float, thick: float, lift: float = 0.004
) -> np.ndarray:
    """Make the outline of a cutlery handle along x, for :func:`prism`."""
    x = np.linspace(0, length, 9)
    half = np.interp(x, [0, length * 0.15, length * 0.8, length], [low, width, high, high]) / 2
    return np.stack([np.stack([x, half], -1), np.stack([x, -half], -1)], axis=1)


def handle_surface(rng: Random, paint: Paint, *, always: bool = False):
    """Make a handle of the main colour, or of the same stuff as the head."""
    return paint.main if always or paint.main.metal or rng.uniform() < 0.7 else paint.steel


def pot(rng: Random, paint: Paint) -> list[Part]:
    """Make a cooking pot with two ears, with or without a lid."""
    radius, height = rng.uniform(0.075, 0.11), rng.uniform(0.07, 0.12)
    parts = [
        Part(lathe(vessel(radius, height, foot=rng.uniform(0.9, 1.0), wall=0.004), segments=36), paint.main)
    ]
    grip = paint.dark if rng.uniform() < 0.5 else paint.steel
    for side in (0, 180):
        ear = tube(arc((0, 0, 0), 0.03, 0.028, -90, 90), 0.005).moved(
            rotation('x', 90), (radius * 0.98, 0, height * 0.8)
        )
        parts.append(Part(ear.moved(rotation('z', side)), grip))
    if rng.uniform() < 0.5:
        lid = lathe(
            [
                (radius * 1.02, height),
                (radius * 0.9, height + 0.012),
                (0.01, height + 0.022),
                (0, height + 0.022),
            ],
            segments=36,
        )
        knob = ellipsoid((0.014, 0.014, 0.010), center=(0, 0, height + 0.03))
        parts += [Part(lid, paint.main if rng.uniform() < 0.5 else paint.steel), Part(knob, grip)]
    return parts


def pan(rng: Random, paint: Paint) -> list[Part]:
    """Make a frying pan with a long handle."""
    radius, height = rng.uniform(0.085, 0.12), rng.uniform(0.03, 0.045)
    length = rng.uniform(0.13, 0.19)
    body = lathe(vessel(radius, height, foot=0.82, wall=0.003), segments=36)
    path = np.array(
        [
            [radius * 0.95, 0, height * 0.75],
            [radius + 0.04, 0, height * 1.1],
            [radius + length, 0, height * 1.35],
        ]
    )
    handle = tube(path, [0.007, 0.009, 0.011], flat=1.4)
    return [Part(body, paint.main), Part(handle, (paint.dark, paint.wood, paint.main)[rng.integers(3)])]


def kettle(rng: Random, paint: Paint) -> list[Part]:
    """Make a tall pot with a beak and a side handle."""
    radius, height = rng.uniform(0.06, 0.075), rng.uniform(0.15, 0.2)
    body = lathe(
        [
            (0, 0),
            (radius, 0),
            (radius, height * 0.1),
            (radius * 0.7, height * 0.92),
            (radius * 0.5, height),
            (0, height),
        ]
    )
    beak = tube(np.array([[radius * 0.6, 0, height * 0.7], [radius * 1.1, 0, height * 0.92]]), [0.02, 0.008])
    handle = tube(arc((-radius * 0.65, 0, height * 0.55), 0.045, height * 0.38, 90, 270), 0.008)
    base = lathe([(0, 0), (radius * 1.08, 0), (radius * 1.08, 0.014), (0, 0.014)])
    return [Part(body, paint.main), Part(beak, paint.main), Part(handle, paint.dark), Part(base, paint.dark)]


def spoon(rng: Random, paint: Paint) -> list[Part]:
    """Make a spoon lying flat."""
    length, width = rng.uniform(0.10, 0.14), rng.uniform(0.008, 0.014)
    surface = handle_surface(rng, paint)
    head = rng.uniform(0.016, 0.024)
    dish = ellipsoid((head * 1.5, head, 0.007), center=(length + head * 1.2, 0, 0.008))
    shape = prism(shaft(length, width * 0.8, width * 0.5, width, 0.003), 0.0035, bottom=0.006)
    return [
        Part(shape.moved(offset=(-length / 2, 0, 0)), surface),
        Part(dish.moved(offset=(-length / 2, 0, 0)), paint.main),
    ]


def fork(rng: Random, paint: Paint) -> list[Part]:
    """Make a fork lying flat, with three or four tines."""
    length, width = rng.uniform(0.10, 0.14), rng.uniform(0.008, 0.013)
    shape = prism(shaft(length, width * 0.8, width * 0.5, width, 0.003), 0.0035, bottom=0.004)
    head, tines = rng.uniform(0.020, 0.026), int(rng.integers(3, 5))
    neck = prism(
        np.array(
            [
                [[length, 0.003], [length, -0.003]],
                [[length + 0.014, head / 2], [length + 0.014, -head / 2]],
                [[length + 0.024, head / 2], [length + 0.024, -head / 2]],
            ]
        ),
        0.003,
        bottom=0.005,
    )
    parts = [Part(shape, handle_surface(rng, paint)), Part(neck, paint.main)]
    for y in np.linspace(-head / 2 + 0.002, head / 2 - 0.002, tines):
        tine = np.array([[length + 0.022, y, 0.006], [length + 0.045, y, 0.008], [length + 0.065, y, 0.013]])
        parts.append(Part(tube(tine, [0.002, 0.002, 0.0012], segments=6), paint.main))
    return [Part(part.mesh.moved(offset=(-length / 2, 0, 0)), part.surface) for part in parts]


def knife(rng: Random, paint: Paint) -> list[Part]:
    """Make a table or kitchen knife lying flat."""
    length, blade = rng.uniform(0.09, 0.12), rng.uniform(0.10, 0.17)
    width = rng.uniform(0.018, 0.038)
    grip = prism(shaft(length, width * 0.7, width * 0.7, width * 0.75, 0.01), rng.uniform(0.008, 0.014))
    x = np.linspace(0, blade, 8)
    edge = width / 2 * np.sqrt(np.clip(1 - (x / blade) ** rng.uniform(2, 5), 0.0, 1))
    cut = np.stack(
        [np.stack([x + length, np.full_like(x, width / 2)], -1), np.stack([x + length, -edge], -1)], axis=1
    )
    cut[-1, 0, 1] = rng.uniform(0, width / 2)
    middle = (-(length + blade) / 2, 0, 0)
    return [
        Part(grip.moved(offset=middle), handle_surface(rng, paint, always=True)),
        Part(prism(cut, 0.002, bottom=0.005).moved(offset=middle), paint.steel),
    ]


def spatula(rng: Random, paint: Paint) -> list[Part]:
    """Make a turner lying flat."""
    length, width = rng.uniform(0.16, 0.22), rng.uniform(0.06, 0.08)
    handle = tube(
        np.array([[0, 0, 0.012], [length * 0.6, 0, 0.010], [length, 0, 0.006]]), [0.009, 0.008, 0.004]
    )
    blade = prism(
        np.array(
            [
                [[length, 0.008], [length, -0.008]],
                [[length + 0.02, width / 2], [length + 0.02, -width / 2]],
                [[length + 0.09, width / 2], [length + 0.09, -width / 2]],
            ]
        ),
        0.003,
        bottom=0.003,
    )
    parts = [Part(handle, paint.main if rng.uniform() < 0.5 else paint.dark), Part(blade, paint.main)]
    if rng.uniform() < 0.6:
        for y in (-width * 0.22, 0, width * 0.22):
            parts.append(Part(box((0.045, 0.006, 0.0008), center=(length + 0.055, y, 0.0066)), paint.dark))
    return [Part(part.mesh.moved(offset=(-length * 0.7, 0, 0)), part.surface) for part in parts]


def ladle(rng: Random, paint: Paint) -> list[Part]:
    """Make a deep round spoon with a long bent handle, lying."""
    radius, length = rng.uniform(0.03, 0.042), rng.uniform(0.17, 0.23)
    a = np.linspace(0.1, np.pi / 2, 7)
    outer = [(radius * np.sin(s), radius * 0.8 * (1 - np.cos(s))) for s in a]
    dish = lathe([(0, 0), *outer, *[(r * 0.93, h + 0.002) for r, h in outer[::-1]], (0, 0.003)])
    handle = tube(
        np.array(
            [[radius, 0, radius * 0.8], [radius * 1.6, 0, radius * 1.5], [radius + length, 0, radius * 1.7]]
        ),
        [0.005, 0.005, 0.007],
        flat=1.4,
    )
    return [
        Part(dish.moved(offset=(-length / 2, 0, 0)), paint.main),
        Part(handle.moved(offset=(-length / 2, 0, 0)), paint.main),
    ]


KINDS = (
    Kind(
        'pot',
        '냄비',
        pot,
        ('grey', 'grey', 'red', 'black', 'blue', 'white', 'orange', 'green', 'yellow'),
        ('metal', 'ceramic'),
        holds='',
        frequency=1.2,
    ),
    Kind(
        'pan',
        '프라이팬',
        pan,
        ('black', 'black', 'grey', 'red', 'blue', 'green'),
        ('plastic', 'metal'),
        holds='in',
    ),
    Kind('kettle', '전기 주전자', kettle, ANY, ('plastic', 'metal'), frequency=0.7),
    Kind(
        'spoon',
        '숟가락',
        spoon,
        ('grey', 'grey', 'grey', 'red', 'blue', 'green', 'yellow', 'black', 'white', 'pink'),
        ('metal', 'metal', 'plastic'),
        frequency=1.3,
    ),
    Kind(
        'fork',
        '포크',
        fork,
        ('grey', 'grey', 'grey', 'red', 'blue', 'green', 'yellow', 'black', 'white', 'pink'),
        ('metal', 'metal', 'plastic'),
        frequency=1.3,
    ),
    Kind('knife', '칼', knife, ANY, ('plastic', 'metal'), frequency=1.3),
    Kind('spatula', '뒤집개', spatula, ANY, ('plastic', 'metal')),
    Kind('ladle', '국자', ladle, ANY, ('metal', 'plastic'), frequency=0.7),
)
