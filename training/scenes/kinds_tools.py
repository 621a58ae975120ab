"""Shapes of the workshop: hammers, drivers, wrenches, drills."""

from __future__ import annotations

import numpy as np

from .kind import ANY, Kind
from .materials import Paint, Part
from .mesh import box, extrude, lathe, prism, rotation, rounded_rectangle, tube
from .shapes import arc

Random = np.random.Generator


def scissors(rng: Random, paint: Paint) -> list[Part]:
    """Make a pair of scissors lying, a little open."""
    length, opening = rng.uniform(0.08, 0.11), float(rng.uniform(4, 16))
    parts = []
    for side in (-1, 1):
        blade = prism(
            np.array(
                [
                    [[-0.02, 0.006], [-0.02, -0.006]],
                    [[0.02, 0.007], [0.02, -0.007]],
                    [[length, 0.001], [length, -0.001]],
                ]
            ),
            0.002,
            bottom=0.004 + 0.001 * side,
        )
        ring = np.array(
            [
                [-0.055 + 0.024 * np.cos(a), side * 0.019 + 0.016 * np.sin(a), 0.006]
                for a in np.linspace(0, 2 * np.pi, 17)
            ]
        )
        grip = tube(ring, 0.0045, segments=8, caps=False)
        shank = tube(np.array([[-0.034, side * 0.012, 0.006], [-0.015, 0, 0.006]]), 0.005, segments=8)
        turn = rotation('z', side * opening)
        back = rotation('z', side * opening * 0.9)
        parts += [
            Part(blade.moved(rotation('z', -side * opening)), paint.steel),
            Part(grip.moved(back.T), paint.main),
            Part(shank.moved(turn.T), paint.main),
        ]
    return parts


def hammer(rng: Random, paint: Paint) -> list[Part]:
    """Make a claw hammer lying."""
    length = rng.uniform(0.2, 0.27)
    x = np.array([0, 0.3, 0.6, 1.0]) * length
    handle = tube(np.stack([x, 0 * x, 0 * x + 0.014], -1), [0.013, 0.014, 0.010, 0.009], flat=1.2)
    head = tube(
        np.array(
            [[length, -0.05, 0.014], [length, -0.035, 0.014], [length, -0.03, 0.014], [length, 0.02, 0.014]]
        ),
        [0.013, 0.013, 0.009, 0.010],
    )
    claw = prism(
        np.array(
            [
                [[length - 0.009, 0.015], [length + 0.009, 0.015]],
                [[length - 0.012, 0.04], [length + 0.010, 0.04]],
                [[length - 0.018, 0.06], [length + 0.002, 0.062]],
            ]
        ),
        0.012,
        bottom=0.006,
    )
    middle = (-length * 0.6, 0, 0)
    steel = paint.steel if rng.uniform() < 0.7 else paint.dark
    return [
        Part(handle.moved(offset=middle), paint.main),
        Part(head.moved(offset=middle), steel),
        Part(claw.moved(offset=middle), steel),
    ]


def screwdriver(rng: Random, paint: Paint) -> list[Part]:
    """Make a screwdriver lying."""
    grip, shaft, radius = rng.uniform(0.08, 0.11), rng.uniform(0.07, 0.13), rng.uniform(0.011, 0.016)
    x = np.array([0, 0.06, 0.35, 0.75, 0.88, 1.0]) * grip
    radii = radius * np.array([0.7, 1, 0.92, 1.0, 0.65, 0.75])
    handle = tube(np.stack([x, 0 * x, 0 * x + radius], -1), radii, segments=int(rng.integers(6, 12)))
    rod = tube(
        np.array([[grip, 0, radius], [grip + shaft * 0.92, 0, radius], [grip + shaft, 0, radius]]),
        [0.0032, 0.0032, 0.0022],
        segments=8,
    )
    middle = (-(grip + shaft) / 2, 0, 0)
    parts = [Part(handle.moved(offset=middle), paint.main), Part(rod.moved(offset=middle), paint.steel)]
    if rng.uniform() < 0.4:
        band = tube(np.array([[grip * 0.9, 0, radius], [grip * 1.0, 0, radius]]), radius * 0.8)
        parts.append(Part(band.moved(offset=middle), paint.dark))
    return parts


def wrench(rng: Random, paint: Paint) -> list[Part]:
    """Make an open-ended spanner lying."""
    length, head = rng.uniform(0.14, 0.2), rng.uniform(0.017, 0.022)
    bar = prism(np.array([[[0, 0.008], [0, -0.008]], [[length, 0.008], [length, -0.008]]]), 0.006)
    parts = [Part(bar.moved(offset=(-length / 2, 0, 0)), paint.main)]
    ring = np.array([[head * np.cos(a), head * np.sin(a), 0.005] for a in np.linspace(0, 2 * np.pi, 17)])
    parts.append(
        Part(
            tube(ring, 0.007, segments=8, flat=0.8, caps=False).moved(offset=(-length / 2 - head, 0, 0)),
            paint.main,
        )
    )
    jaw = np.array(
        [
            [head * np.cos(a), head * np.sin(a), 0.005]
            for a in np.linspace(np.radians(50), np.radians(310), 13)
        ]
    )
    parts.append(
        Part(
            tube(jaw, 0.008, segments=8, flat=0.8).moved(rotation('z', 195.0), (length / 2 + head, 0, 0)),
            paint.main,
        )
    )
    return parts


def pliers(rng: Random, paint: Paint) -> list[Part]:
    """Make pliers lying, a little open."""
    grip, opening = rng.uniform(0.09, 0.12), float(rng.uniform(5, 14))
    parts = [Part(lathe([(0, 0), (0.013, 0), (0.013, 0.012), (0, 0.012)]), paint.steel)]
    for side in (-1, 1):
        handle = tube(
            np.array([[-0.01, 0, 0.007], [-grip * 0.4, side * 0.014, 0.007], [-grip, side * 0.012, 0.007]]),
            [0.006, 0.008, 0.007],
        )
        jaw = prism(
            np.array([[[0, 0.010], [0, -0.002]], [[0.05, 0.004], [0.05, 0.0]]]) * [1, side],
            0.010,
            bottom=0.001,
        )
        turn = rotation('z', -side * opening)
        parts += [Part(handle.moved(turn), paint.main), Part(jaw.moved(turn.T), paint.steel)]
    return parts


def drill(rng: Random, paint: Paint) -> list[Part]:
    """Make a cordless drill standing on its battery."""
    height, length = rng.uniform(0.15, 0.19), rng.uniform(0.12, 0.16)
    battery = extrude(rounded_rectangle(0.095, 0.06, 0.01), 0.04, bevel=0.004)
    grip = tube(
        np.array([[-0.01, 0, 0.035], [0.0, 0, height * 0.55], [0.005, 0, height]]),
        [0.019, 0.017, 0.02],
        flat=1.1,
    )
    motor = tube(
        np.array(
            [
                [-length * 0.45, 0, height + 0.012],
                [-length * 0.40, 0, height + 0.012],
                [length * 0.25, 0, height + 0.012],
                [length * 0.45, 0, height + 0.012],
            ]
        ),
        [0.02, 0.027, 0.027, 0.02],
    )
    chuck = tube(
        np.array([[length * 0.45, 0, height + 0.012], [length * 0.68, 0, height + 0.012]]), [0.017, 0.010]
    )
    bit = tube(
        np.array([[length * 0.68, 0, height + 0.012], [length * 1.0, 0, height + 0.012]]), 0.003, segments=8
    )
    return [
        Part(battery, paint.dark),
        Part(grip, paint.main),
        Part(motor, paint.main),
        Part(chuck, paint.dark),
        Part(bit, paint.steel),
    ]


def brush(rng: Random, paint: Paint) -> list[Part]:
    """Make a brush with bristles: for teeth, or for paint."""
    if rng.uniform() < 0.6:
        length = rng.uniform(0.15, 0.19)
        handle = tube(
            np.array([[0, 0, 0.006], [length * 0.5, 0, 0.007], [length, 0, 0.006]]),
            [0.006, 0.005, 0.004],
            flat=1.3,
        )
        bristle = box((0.026, 0.009, 0.011), center=(length - 0.012, 0, 0.014))
        return [
            Part(handle.moved(offset=(-length / 2, 0, 0)), paint.main),
            Part(bristle.moved(offset=(-length / 2, 0, 0)), paint.light),
        ]
    width = rng.uniform(0.03, 0.06)
    handle = tube(
        np.array([[0, 0, 0.009], [0.06, 0, 0.01], [0.12, 0, 0.009]]), [0.006, 0.009, 0.008], flat=1.3
    )
    band = box((0.03, width, 0.014), center=(0.135, 0, 0.009))
    bristle = box((0.045, width * 0.95, 0.011), center=(0.17, 0, 0.009))
    return [
        Part(part.moved(offset=(-0.09, 0, 0)), surface)
        for part, surface in ((handle, paint.main), (band, paint.steel), (bristle, paint.wood))
    ]


def ring_handle(rng: Random, paint: Paint) -> list[Part]:
    """Make a padlock standing."""
    width, height = rng.uniform(0.035, 0.05), rng.uniform(0.03, 0.045)
    body = extrude(rounded_rectangle(width, 0.016, 0.004), height, bevel=0.002)
    return [
        Part(body, paint.main),
        Part(tube(arc((0, 0, height), width * 0.33, width * 0.55, 0, 180), 0.004), paint.steel),
    ]


KINDS = (
    Kind('scissors', '가위', scissors, ANY, frequency=1.3),
    Kind(
        'hammer',
        '망치',
        hammer,
        ('brown', 'red', 'yellow', 'blue', 'black', 'orange', 'green'),
        ('plastic', 'wood', 'rubber'),
    ),
    Kind('screwdriver', '드라이버', screwdriver, ANY, frequency=1.3),
    Kind('wrench', '렌치', wrench, ('grey', 'grey', 'red', 'blue', 'black'), ('metal',)),
    Kind('pliers', '펜치', pliers, ('red', 'blue', 'yellow', 'green', 'black', 'orange'), ('rubber',)),
    Kind(
        'drill',
        '드릴',
        drill,
        ('yellow', 'red', 'blue', 'green', 'orange', 'black'),
        ('plastic',),
        ('upright', 'side'),
    ),
    Kind('brush', '솔', brush, ANY),
    Kind(
        'padlock',
        '자물쇠',
        ring_handle,
        ('yellow', 'grey', 'red', 'blue', 'black'),
        ('metal', 'plastic'),
        frequency=0.6,
    ),
)
