"""Shapes of the living room and the playroom: toys, lamps, clocks."""

from __future__ import annotations

import numpy as np

from .kind import ANY, Kind
from .materials import Paint, Part, Surface
from .mesh import (
    box,
    circle,
    ellipsoid,
    extrude,
    lathe,
    prism,
    rotation,
    rounded_rectangle,
    tube,
)

Random = np.random.Generator
TOYS = ('plastic', 'plastic', 'wood')


def ball(rng: Random, paint: Paint) -> list[Part]:
    """Make a toy ball, plain or with a band."""
    radius = rng.uniform(0.025, 0.045)
    parts = [Part(ellipsoid((radius,) * 3, center=(0, 0, radius)), paint.main)]
    if rng.uniform() < 0.25:
        a = np.linspace(-0.25, 0.25, 5)
        band = lathe([(radius * 1.005 * np.cos(s), radius * 1.005 * np.sin(s)) for s in a], crease=80)
        parts.append(
            Part(band.moved(rotation('x', float(rng.uniform(0, 180))), (0, 0, radius)), paint.accent)
        )
    return parts


def block(rng: Random, paint: Paint) -> list[Part]:
    """Make a toy block: cube, brick or plank."""
    side = rng.uniform(0.03, 0.05)
    stretch = (1, 1, 1) if rng.uniform() < 0.6 else (*tuple(rng.choice([1, 1, 2, 3], 2)), 1)
    width, depth = side * stretch[0], side * stretch[1]
    corner = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width / 2, depth / 2]
    return [Part(extrude(corner, side, bevel=rng.uniform(0.0005, 0.003)), paint.main)]


def cylinder(rng: Random, paint: Paint) -> list[Part]:
    """Make a toy cylinder."""
    radius, height = rng.uniform(0.018, 0.032), rng.uniform(0.04, 0.09)
    return [Part(extrude(circle(radius), height, bevel=0.001), paint.main)]


def toy_car(rng: Random, paint: Paint) -> list[Part]:
    """Make a toy car or truck."""
    length, width = rng.uniform(0.08, 0.12), rng.uniform(0.038, 0.05)
    body = extrude(rounded_rectangle(length, width, 0.01), 0.02, bevel=0.004, bottom=0.008)
    cabin = extrude(
        rounded_rectangle(length * rng.uniform(0.35, 0.6), width * 0.85, 0.008),
        0.018,
        bevel=0.005,
        bottom=0.028,
    )
    shift = float(rng.uniform(-0.15, 0.15)) * length
    window = box((length * 0.42, width * 0.87, 0.008), center=(shift, 0, 0.037))
    parts = [
        Part(body, paint.main),
        Part(cabin.moved(offset=(shift, 0, 0)), paint.main),
        Part(window, paint.dark),
    ]
    for x in (-0.3, 0.3):
        for side in (-1, 1):
            wheel = lathe([(0, -0.005), (0.011, -0.005), (0.011, 0.005), (0, 0.005)]).moved(
                rotation('x', 90), (x * length, side * width / 2, 0.011)
            )
            parts.append(Part(wheel, paint.dark))
    return parts


def die(rng: Random, paint: Paint) -> list[Part]:
    """Make a die with pips."""
    side = rng.uniform(0.016, 0.028)
    corner = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * side / 2
    pip = paint.dark if paint.main.colour.mean() > 0.25 else paint.light
    parts = [Part(extrude(corner, side, bevel=side * 0.08), paint.main)]
    for x, y in ((-0.25, -0.25), (0.25, 0.25), (-0.25, 0.25), (0.25, -0.25), (0, 0))[
        : int(rng.integers(1, 6))
    ]:
        parts.append(
            Part(
                lathe([(side * 0.09, side * 1.002), (0, side * 1.002)], segments=10).moved(
                    offset=(x * side, y * side, 0)
                ),
                pip,
            )
        )
        parts.append(
            Part(
                lathe([(side * 0.09, side * 0.502), (0, side * 0.502)], segments=10).moved(
                    rotation('x', 90), (x * side, 0, side / 2 + y * side)
                ),
                pip,
            )
        )
    return parts


def lamp(rng: Random, paint: Paint) -> list[Part]:
    """Make a desk lamp with a shade."""
    height, radius = rng.uniform(0.22, 0.32), rng.uniform(0.05, 0.075)
    foot = lathe([(0, 0), (radius * 0.9, 0), (radius * 0.85, 0.012), (0, 0.016)])
    if rng.uniform() < 0.5:
        pole = tube(np.array([[0, 0, 0.01], [0, 0, height * 0.8]]), 0.006)
        shade = lathe([(radius * 1.1, height * 0.62), (radius * 0.65, height), (0.005, height)], segments=32)
        return [Part(foot, paint.main), Part(pole, paint.steel), Part(shade, paint.main)]
    pole = tube(
        np.array([[0, 0, 0.01], [-0.03, 0, height * 0.5], [0.02, 0, height], [0.09, 0, height * 0.98]]), 0.006
    )
    shade = lathe([(0.0, 0.0), (0.02, 0.0), (radius * 0.8, -0.06)]).moved(
        rotation('y', -25.0), (0.1, 0, height * 0.99)
    )
    return [Part(foot, paint.main), Part(pole, paint.main), Part(shade, paint.main)]


def clock(rng: Random, paint: Paint) -> list[Part]:
    """Make an alarm clock standing, its face to the front."""
    radius = rng.uniform(0.04, 0.06)
    turned = rotation('x', 90)
    case = lathe(
        [
            (0, -0.02),
            (radius, -0.02),
            (radius, 0.02),
            (radius * 0.92, 0.02),
            (radius * 0.92, 0.015),
            (0, 0.015),
        ],
        segments=36,
    ).moved(turned, (0, 0, radius))
    face = lathe([(radius * 0.92, 0.0155), (0, 0.0155)], segments=36).moved(turned, (0, 0, radius))
    parts = [Part(case, paint.main), Part(face, paint.light)]
    for angle, reach in ((float(rng.uniform(0, 360)), 0.5), (float(rng.uniform(0, 360)), 0.75)):
        hand = box((0.004, 0.001, radius * reach), center=(0, 0, radius * reach / 2)).moved(
            rotation('y', angle), (0, -0.017, radius)
        )
        parts.append(Part(hand, paint.dark))
    return parts


def remote(rng: Random, paint: Paint) -> list[Part]:
    """Make a remote control lying."""
    width, length, thick = rng.uniform(0.04, 0.055), rng.uniform(0.14, 0.2), rng.uniform(0.014, 0.022)
    parts = [Part(extrude(rounded_rectangle(width, length, 0.012), thick, bevel=0.004), paint.main)]
    button = paint.light if paint.main.colour.mean() < 0.25 else paint.dark
    rows = int(rng.integers(5, 9))
    for row in np.linspace(-length * 0.38, length * 0.38, rows):
        for column in (-width * 0.26, 0, width * 0.26):
            surface = button if rng.uniform() < 0.92 else paint.accent
            parts.append(
                Part(
                    box((width * 0.16, length * 0.045, 0.002), center=(column, row, thick + 0.0005)), surface
                )
            )
    return parts


def shoe(rng: Random, paint: Paint) -> list[Part]:
    """Make a shoe with a sole."""
    length, width = rng.uniform(0.2, 0.25), rng.uniform(0.07, 0.085)
    x = np.linspace(-length / 2, length / 2, 9)
    half = width / 2 * np.array([0.75, 0.9, 0.85, 0.8, 0.85, 0.98, 1.0, 0.85, 0.4])
    outline = np.stack([np.stack([x, half], -1), np.stack([x, -half], -1)], axis=1)
    sole = prism(outline, 0.02)
    upper = tube(
        np.stack([x[1:], 0 * x[1:], np.array([0.05, 0.052, 0.048, 0.042, 0.036, 0.032, 0.028, 0.024])], -1),
        half[1:] * np.array([0.9, 0.95, 0.95, 0.9, 0.85, 0.85, 0.8, 0.6]),
        flat=0.95,
    )
    opening = lathe([(0.0, 0.075), (0.024, 0.075), (0.028, 0.105), (0.024, 0.105), (0.02, 0.08)]).moved(
        offset=(-length * 0.27, 0, -0.01)
    )
    return [
        Part(sole, paint.light if rng.uniform() < 0.7 else paint.accent),
        Part(upper, paint.main),
        Part(opening, paint.main),
    ]


def flower_pot(rng: Random, paint: Paint) -> list[Part]:
    """Make a potted plant."""
    radius, height = rng.uniform(0.04, 0.06), rng.uniform(0.06, 0.09)
    pot = lathe(
        [
            (0, 0),
            (radius * 0.7, 0),
            (radius, height * 0.8),
            (radius * 1.1, height * 0.8),
            (radius * 1.1, height),
            (radius * 0.9, height),
            (0, height * 0.9),
        ]
    )
    green = Surface(np.array([rng.uniform(0.02, 0.08), rng.uniform(0.12, 0.3), 0.03]), gloss=0.15)
    parts = [Part(pot, paint.main)]
    for _ in range(int(rng.integers(7, 15))):
        turn, lean, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.0), rng.uniform(0.05, 0.11)
        end = np.array(
            [
                np.cos(turn) * lean * reach,
                np.sin(turn) * lean * reach,
                height * 0.9 + reach * (1.15 - 0.5 * lean),
            ]
        )
        root = np.array([0, 0, height * 0.9])
        middle = (root + end) / 2 + [0, 0, 0.02]
        parts.append(
            Part(
                tube(
                    np.stack([root, middle, end]),
                    [0.003, rng.uniform(0.006, 0.012), 0.001],
                    segments=6,
                    flat=0.3,
                ),
                green,
            )
        )
    return parts


KINDS = (
    Kind('ball', '공', ball, ANY, ('plastic', 'rubber'), frequency=1.3),
    Kind('block', '블록', block, ANY, TOYS, scale=(0.7, 1.5), frequency=1.8),
    Kind('cylinder', '원기둥', cylinder, ANY, TOYS, ('upright', 'side'), scale=(0.7, 1.4), frequency=0.7),
    Kind('toy car', '장난감 자동차', toy_car, ANY),
    Kind('die', '주사위', die, ANY, scale=(0.9, 1.5), frequency=0.6),
    Kind('lamp', '전등', lamp, ANY, ('plastic', 'metal'), frequency=0.7),
    Kind('clock', '시계', clock, ANY, ('plastic', 'metal'), frequency=0.8),
    Kind('remote control', '리모컨', remote, ('black', 'black', 'grey', 'white', 'red', 'blue')),
    Kind('shoe', '신발', shoe, ANY, ('fabric', 'rubber'), scale=(0.8, 1.1), frequency=0.6),
    Kind(
        'potted plant',
        '화분',
        flower_pot,
        ('brown', 'white', 'grey', 'orange', 'blue', 'black', 'pink'),
        ('ceramic',),
        frequency=0.8,
    ),
)
