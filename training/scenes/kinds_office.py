"""Shapes of the desk: books, computers, pens, staplers."""

from __future__ import annotations

import numpy as np

from .kind import ANY, Kind
from .materials import Paint, Part, Surface
from .mesh import box, extrude, lathe, loft, rotation, rounded_rectangle, tube

Random = np.random.Generator


def keys(
    width: float, depth: float, height: float, rng: Random, paint: Paint, *, offset: float = 0.0
) -> list[Part]:
    """Make a field of keys as one textured slab: keys are pale or dark squares with gaps."""
    columns, rows = int(rng.integers(12, 18)), 5
    picture = np.zeros((rows * 12, columns * 12, 3), np.uint8)
    tone = 40 if paint.dark.colour.mean() < 0.5 and rng.uniform() < 0.7 else 225
    picture[:] = 255 - tone if tone > 128 else 12
    for row in range(rows):
        for column in range(columns):
            picture[row * 12 + 1 : row * 12 + 11, column * 12 + 1 : column * 12 + 11] = tone
            picture[row * 12 + 4 : row * 12 + 7, column * 12 + 4 : column * 12 + 6] = (
                200 if tone < 128 else 60
            )
    slab = box((width, depth, 0.004), center=(0, offset, height))
    return [Part(slab, Surface(np.ones(3), picture, gloss=0.15))]


def stick(length: float, radius: float, *, tip: float, flat: float = 1.0):
    """Make a pen's barrel along x, resting on the table."""
    x = np.array([-0.5, -0.48, 0.3, 0.4, 0.5]) * length
    radii = radius * np.array([0.8, 1, 1, 0.8, tip])
    return tube(np.stack([x, 0 * x, 0 * x + radius], -1), radii, segments=12, flat=flat)


def book(rng: Random, paint: Paint) -> list[Part]:
    """Make a closed book lying."""
    width, depth, thick = rng.uniform(0.12, 0.19), rng.uniform(0.17, 0.25), rng.uniform(0.01, 0.045)
    pages = box((width - 0.006, depth - 0.008, thick - 0.004), center=(0.002, 0, thick / 2))
    spine = box((0.003, depth, thick), center=(-width / 2, 0, thick / 2))
    under = box((width, depth, 0.002), center=(0, 0, 0.001))
    cover = box((width, depth, 0.002), center=(0, 0, thick - 0.001))
    return [
        Part(pages, paint.light),
        Part(spine, paint.main),
        Part(under, paint.main),
        Part(cover, paint.label if rng.uniform() < 0.7 else paint.main),
    ]


def laptop(rng: Random, paint: Paint) -> list[Part]:
    """Make an open laptop with keys and a screen."""
    width, depth = rng.uniform(0.26, 0.33), rng.uniform(0.18, 0.23)
    base = extrude(rounded_rectangle(width, depth, 0.01), 0.014, bevel=0.002)
    parts = [Part(base, paint.main)]
    parts += keys(width * 0.9, depth * 0.5, 0.0142, rng, paint, offset=depth * 0.14)
    parts.append(
        Part(box((width * 0.32, depth * 0.26, 0.0008), center=(0, -depth * 0.3, 0.0144)), paint.dark)
    )
    lid = extrude(rounded_rectangle(width, depth, 0.01), 0.007, bevel=0.002)
    glow = rng.uniform(0.02, 0.7)
    screen = box((width * 0.94, depth * 0.9, 0.0006), center=(0, 0, -0.0003))
    tilt = rotation('x', float(rng.uniform(60, 85)))
    hinge = np.array([0, depth / 2, 0.012])
    for mesh, surface in (
        (lid, paint.main),
        (screen, Surface(np.full(3, glow), paint.label.texture if glow > 0.3 else None, gloss=0.7)),
    ):
        parts.append(Part(mesh.moved(offset=(0, depth / 2, 0)).moved(tilt, hinge), surface))
    return parts


def keyboard(rng: Random, paint: Paint) -> list[Part]:
    """Make a computer keyboard."""
    width, depth = rng.uniform(0.3, 0.42), rng.uniform(0.11, 0.15)
    body = extrude(rounded_rectangle(width, depth, 0.008), 0.016, bevel=0.003)
    return [Part(body, paint.main), *keys(width * 0.95, depth * 0.8, 0.016, rng, paint)]


def mouse(rng: Random, paint: Paint) -> list[Part]:
    """Make a computer mouse with a wheel."""
    length, width, height = rng.uniform(0.045, 0.058), rng.uniform(0.028, 0.034), rng.uniform(0.026, 0.036)
    a = np.linspace(0, np.pi / 2, 9)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rings = np.stack(
        [
            np.stack(
                [
                    length * np.cos(s) ** 0.5 * np.cos(angle),
                    width * np.cos(s) ** 0.5 * np.sin(angle),
                    np.full(24, height * np.sin(s)),
                ],
                -1,
            )
            for s in a
        ]
    )
    parts = [Part(loft(rings, crease=60), paint.main)]
    wheel = lathe([(0, -0.003), (0.007, -0.003), (0.007, 0.003), (0, 0.003)]).moved(
        rotation('x', 90), (length * 0.55, 0, height * 0.86)
    )
    parts.append(Part(wheel, paint.dark))
    if rng.uniform() < 0.5:
        cable = np.array(
            [
                [length, 0, 0.006],
                [length + 0.05, 0.01, 0.003],
                [length + 0.10, rng.uniform(-0.06, 0.06), 0.003],
                [length + 0.16, rng.uniform(-0.1, 0.1), 0.003],
            ]
        )
        parts.append(Part(tube(cable, 0.002, segments=6), paint.dark))
    return parts


def phone(rng: Random, paint: Paint) -> list[Part]:
    """Make a smartphone lying, screen or back up."""
    width, length, thick = rng.uniform(0.066, 0.08), rng.uniform(0.135, 0.165), 0.009
    parts = [Part(extrude(rounded_rectangle(width, length, 0.01), thick, bevel=0.002), paint.main)]
    if rng.uniform() < 0.6:
        glow = rng.uniform(0.01, 0.05) if rng.uniform() < 0.6 else 0.8
        texture = paint.label.texture if glow > 0.3 else None
        parts.append(
            Part(
                box((width * 0.92, length * 0.94, 0.0008), center=(0, 0, thick)),
                Surface(np.full(3, glow), texture, gloss=0.9),
            )
        )
    else:
        parts.append(
            Part(
                extrude(rounded_rectangle(0.026, 0.03, 0.006), 0.002, bottom=thick).moved(
                    offset=(-width * 0.22, length * 0.35, 0)
                ),
                paint.dark,
            )
        )
    return parts


def pen(rng: Random, paint: Paint) -> list[Part]:
    """Make a thin pen or pencil."""
    length, radius = rng.uniform(0.13, 0.17), rng.uniform(0.0035, 0.0055)
    parts = [Part(stick(length, radius, tip=0.1), paint.main)]
    cap = tube(np.array([[-length * 0.52, 0, radius], [-length * 0.4, 0, radius]]), radius * 1.15)
    parts.append(Part(cap, (paint.main, paint.dark, paint.steel, paint.accent)[rng.integers(4)]))
    return parts


def marker(rng: Random, paint: Paint) -> list[Part]:
    """Make a thick felt pen with a cap."""
    length, radius = rng.uniform(0.115, 0.145), rng.uniform(0.0075, 0.0105)
    barrel = paint.main if rng.uniform() < 0.5 else paint.light
    cap = tube(np.array([[length * 0.15, 0, radius], [length * 0.5, 0, radius]]), radius * 1.12)
    end = tube(np.array([[-length * 0.52, 0, radius], [-length * 0.45, 0, radius]]), radius * 1.02)
    return [
        Part(tube(np.array([[-length / 2, 0, radius], [length * 0.4, 0, radius]]), radius), barrel),
        Part(cap, paint.main),
        Part(end, paint.main),
    ]


def tape(rng: Random, paint: Paint) -> list[Part]:
    """Make a roll of tape lying or standing on its edge."""
    radius, width = rng.uniform(0.035, 0.055), rng.uniform(0.018, 0.05)
    inner = radius * rng.uniform(0.65, 0.8)
    roll = lathe([(inner, 0), (radius, 0), (radius, width), (inner, width)], segments=32)
    return [Part(roll, paint.main), Part(lathe([(inner, 0), (inner, width)], segments=32), paint.wood)]


def stapler(rng: Random, paint: Paint) -> list[Part]:
    """Make a desk stapler."""
    length, width = rng.uniform(0.11, 0.15), rng.uniform(0.03, 0.038)
    base = extrude(rounded_rectangle(length, width, 0.01), 0.008, bevel=0.002)
    arm = extrude(rounded_rectangle(length * 0.95, width * 0.75, 0.012), 0.02, bevel=0.006).moved(
        rotation('y', -float(rng.uniform(4, 12))), (0, 0, 0.026)
    )
    rail = box((length * 0.9, width * 0.45, 0.006), center=(0, 0, 0.018))
    return [
        Part(base, paint.dark if rng.uniform() < 0.5 else paint.main),
        Part(arm, paint.main),
        Part(rail, paint.steel),
    ]


def calculator(rng: Random, paint: Paint) -> list[Part]:
    """Make a pocket calculator lying."""
    width, length = rng.uniform(0.07, 0.09), rng.uniform(0.12, 0.16)
    body = extrude(rounded_rectangle(width, length, 0.008), 0.014, bevel=0.002)
    display = box((width * 0.82, length * 0.16, 0.001), center=(0, length * 0.36, 0.0145))
    parts = [Part(body, paint.main), Part(display, Surface(np.array([0.35, 0.42, 0.30]), gloss=0.6))]
    button = paint.light if paint.main.colour.mean() < 0.3 else paint.dark
    for row in np.linspace(-length * 0.4, length * 0.2, 5):
        for column in np.linspace(-width * 0.33, width * 0.33, 4):
            parts.append(
                Part(box((width * 0.16, length * 0.08, 0.003), center=(column, row, 0.0145)), button)
            )
    return parts


def headphones(rng: Random, paint: Paint) -> list[Part]:
    """Make headphones lying on their ear cups."""
    radius = rng.uniform(0.07, 0.085)
    band = tube(
        np.array(
            [[radius * np.cos(a), radius * 1.1 * np.sin(a), 0.02] for a in np.linspace(-0.3, np.pi + 0.3, 17)]
        ),
        0.006,
        flat=1.8,
    )
    parts = [Part(band, paint.main)]
    for side in (-1, 1):
        cup = lathe([(0, -0.014), (0.03, -0.014), (0.034, 0), (0.03, 0.014), (0, 0.014)]).moved(
            rotation('y', 90), (side * radius * 0.93, -0.03, 0.034)
        )
        parts.append(Part(cup, paint.main if rng.uniform() < 0.5 else paint.dark))
    return parts


def cable(rng: Random, paint: Paint) -> list[Part]:
    """Make a coiled cable."""
    radius = rng.uniform(0.035, 0.055)
    a = np.linspace(0, 2 * np.pi * rng.uniform(2.5, 4.5), 60)
    path = np.stack(
        [radius * np.cos(a) * (1 + 0.05 * np.sin(a * 0.37)), radius * np.sin(a), 0.004 + 0.0022 * a / np.pi],
        -1,
    )
    plug = box((0.03, 0.014, 0.009), center=(path[-1] + [0.01, 0, 0.002]))
    return [Part(tube(path, 0.0032, segments=6), paint.main), Part(plug, paint.dark)]


KINDS = (
    Kind('book', '책', book, ANY, ('paper',), holds='on', frequency=1.4),
    Kind(
        'laptop',
        '노트북',
        laptop,
        ('grey', 'grey', 'black', 'white'),
        ('plastic', 'metal'),
        scale=(0.9, 1.1),
        frequency=0.9,
    ),
    Kind('keyboard', '키보드', keyboard, ('black', 'white', 'grey'), scale=(0.85, 1.1), frequency=0.9),
    Kind(
        'computer mouse',
        '마우스',
        mouse,
        ('black', 'black', 'white', 'grey', 'red', 'blue', 'pink'),
        frequency=1.2,
    ),
    Kind(
        'phone',
        '휴대폰',
        phone,
        ('black', 'black', 'white', 'grey', 'red', 'blue', 'pink', 'purple'),
        scale=(0.9, 1.15),
        frequency=1.2,
    ),
    Kind('pen', '펜', pen, ANY),
    Kind('marker', '마커', marker, ANY),
    Kind('tape', '테이프', tape, ANY, ('plastic',), ('upright', 'upright', 'side')),
    Kind('stapler', '스테이플러', stapler, ANY),
    Kind('calculator', '계산기', calculator, ('black', 'white', 'grey', 'pink', 'blue'), frequency=0.7),
    Kind(
        'headphones', '헤드폰', headphones, ('black', 'white', 'grey', 'red', 'blue', 'pink'), frequency=0.7
    ),
    Kind(
        'cable',
        '케이블',
        cable,
        ('black', 'white', 'grey', 'blue', 'red', 'yellow'),
        ('rubber',),
        frequency=0.6,
    ),
)
