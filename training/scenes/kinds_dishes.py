"""Shapes to eat and drink from: cups, glasses, bowls, plates, trays."""

from __future__ import annotations

import numpy as np

from .kind import ANY, Kind
from .materials import Paint, Part
from .mesh import ellipsoid, lathe, tube
from .shapes import arc, drink, open_box, vessel

Random = np.random.Generator
DISHES = ('ceramic', 'ceramic', 'plastic', 'metal')


def cup(rng: Random, paint: Paint) -> list[Part]:
    """Make a beaker without a handle, sometimes with a sleeve or a lid."""
    radius, height = rng.uniform(0.032, 0.042), rng.uniform(0.075, 0.12)
    foot = rng.uniform(0.62, 0.95)
    parts = [Part(lathe(vessel(radius, height, foot=foot)), paint.main)]
    if rng.uniform() < 0.25:
        lid = [
            (radius * 1.04, height),
            (radius * 1.04, height + 0.008),
            (radius * 0.85, height + 0.012),
            (0, height + 0.012),
        ]
        parts.append(Part(lathe([(0, height), *lid]), paint.light if rng.uniform() < 0.6 else paint.dark))
    elif rng.uniform() < 0.5:
        parts.append(drink(radius * (foot + (1 - foot) * 0.8) - 0.004, height * 0.8, rng, paint))
    return parts


def mug(rng: Random, paint: Paint) -> list[Part]:
    """Make a cup with a handle."""
    radius, height = rng.uniform(0.034, 0.047), rng.uniform(0.078, 0.11)
    body = lathe(vessel(radius, height, foot=rng.uniform(0.82, 1.0), bulge=rng.uniform(0, 0.12)))
    reach = rng.uniform(0.022, 0.034)
    handle = tube(
        arc((radius * 0.93, 0, height * 0.5), reach, height * rng.uniform(0.26, 0.38), -90, 90),
        rng.uniform(0.004, 0.007),
        flat=rng.uniform(1.0, 1.6),
    )
    parts = [Part(body, paint.main), Part(handle, paint.main)]
    if rng.uniform() < 0.5:
        parts.append(drink(radius * 0.9, height * 0.82, rng, paint))
    if rng.uniform() < 0.25:
        band = lathe([(radius * 1.01, height * 0.35), (radius * 1.01, height * 0.6)])
        parts.append(Part(band, paint.accent))
    return parts


def glass(rng: Random, paint: Paint) -> list[Part]:
    """Make a drinking glass, or a wine glass."""
    clear = type(paint.main)(np.array([0.80, 0.88, 0.88]), gloss=0.9, clear=0.72)
    if rng.uniform() < 0.3:
        radius, stem = rng.uniform(0.03, 0.042), rng.uniform(0.06, 0.09)
        profile = [(0, 0), (radius * 0.9, 0), (radius * 0.9, 0.003), (0.004, 0.008), (0.004, stem)]
        profile += [
            (radius * np.sin(a), stem + 0.09 * (1 - np.cos(a)) / 1.6) for a in np.linspace(0.2, 2.0, 9)
        ]
        return [Part(lathe(profile), clear)]
    radius, height = rng.uniform(0.03, 0.04), rng.uniform(0.09, 0.15)
    parts = [Part(lathe(vessel(radius, height, foot=rng.uniform(0.75, 1.0), wall=0.003)), clear)]
    if rng.uniform() < 0.4:
        parts.append(drink(radius * 0.88, height * rng.uniform(0.4, 0.8), rng, paint))
    return parts


def bowl(rng: Random, paint: Paint) -> list[Part]:
    """Make an open round dish deeper than a plate."""
    radius, height = rng.uniform(0.06, 0.095), rng.uniform(0.04, 0.075)
    angle = np.linspace(0.15, np.pi / 2, 9)
    foot = radius * rng.uniform(0.35, 0.55)
    outer = [
        (foot + (radius - foot) * np.sin(a) ** rng.uniform(0.9, 1.1), height * (1 - np.cos(a))) for a in angle
    ]
    inner = [(r - 0.004, max(h + 0.002, 0.006)) for r, h in outer[::-1]]
    return [Part(lathe([(0, 0), (foot, 0), *outer, *inner, (0, 0.006)], segments=36), paint.main)]


def plate(rng: Random, paint: Paint) -> list[Part]:
    """Make a flat round or square dish."""
    radius, rim = rng.uniform(0.085, 0.125), rng.uniform(0.010, 0.022)
    profile = [
        (0, 0),
        (radius * 0.6, 0),
        (radius * 0.72, rim * 0.35),
        (radius, rim),
        (radius - 0.003, rim + 0.003),
        (radius * 0.70, rim * 0.35 + 0.004),
        (radius * 0.6, 0.004),
        (0, 0.004),
    ]
    parts = [Part(lathe(profile, segments=40, crease=30), paint.main)]
    if rng.uniform() < 0.3:
        ring = lathe([(radius * 0.99, rim + 0.0035), (radius * 0.92, rim * 0.85 + 0.0045)], segments=40)
        parts.append(Part(ring, paint.accent))
    return parts


def tray(rng: Random, paint: Paint) -> list[Part]:
    """Make a flat rectangular tray with a rim."""
    width, depth, rim = rng.uniform(0.22, 0.34), rng.uniform(0.16, 0.24), rng.uniform(0.012, 0.03)
    return [Part(mesh, paint.main) for mesh in open_box(width, depth, rim, 0.005)]


def basket(rng: Random, paint: Paint) -> list[Part]:
    """Make a basket: woven and round with a handle, or a plastic bin."""
    if rng.uniform() < 0.5:
        width, depth, height = rng.uniform(0.16, 0.26), rng.uniform(0.12, 0.2), rng.uniform(0.06, 0.12)
        return [Part(mesh, paint.main) for mesh in open_box(width, depth, height, 0.006)]
    radius, height = rng.uniform(0.07, 0.11), rng.uniform(0.06, 0.11)
    parts = [Part(lathe(vessel(radius, height, foot=0.85, wall=0.006), segments=32), paint.main)]
    for level in np.linspace(0.2, 0.95, 4):
        r = radius * (0.85 + 0.15 * level)
        ring = np.array(
            [[r * np.cos(a), r * np.sin(a), height * level] for a in np.linspace(0, 2 * np.pi, 25)]
        )
        parts.append(Part(tube(ring, 0.005, segments=6, caps=False), paint.main))
    if rng.uniform() < 0.6:
        parts.append(
            Part(
                tube(arc((0, 0, height * 0.9), radius, height * rng.uniform(0.7, 1.2), 0, 180, 17), 0.005),
                paint.main,
            )
        )
    return parts


def teapot(rng: Random, paint: Paint) -> list[Part]:
    """Make a round pot with a spout, a handle and a lid."""
    radius, height = rng.uniform(0.055, 0.075), rng.uniform(0.08, 0.11)
    a = np.linspace(-1.2, 1.3, 11)
    body = lathe(
        [
            (0, 0),
            *[(radius * np.cos(s), height * (0.5 + 0.5 * np.sin(s) / np.sin(1.3))) for s in a],
            (0, height),
        ]
    )
    spout = tube(
        np.array(
            [
                [radius * 0.8, 0, height * 0.35],
                [radius * 1.3, 0, height * 0.55],
                [radius * 1.6, 0, height * 0.95],
            ]
        ),
        [0.014, 0.010, 0.007],
    )
    handle = tube(arc((-radius * 0.85, 0, height * 0.55), radius * 0.65, height * 0.36, 90, 270), 0.006)
    knob = ellipsoid((0.012, 0.012, 0.010), center=(0, 0, height + 0.008))
    return [Part(mesh, paint.main) for mesh in (body, spout, handle)] + [
        Part(knob, paint.main if rng.uniform() < 0.6 else paint.dark)
    ]


def vase(rng: Random, paint: Paint) -> list[Part]:
    """Make a tall curved vessel, sometimes with flowers."""
    radius, height = rng.uniform(0.04, 0.06), rng.uniform(0.14, 0.24)
    t = np.linspace(0, 1, 12)
    phase, wave = rng.uniform(0.2, 1.2), rng.uniform(0.2, 0.45)
    shape = radius * (0.75 + wave * np.sin(np.pi * (t * 1.3 + phase)))
    outer = [(float(max(r, 0.012)), float(h)) for r, h in zip(shape, t * height, strict=True)]
    inner = [(r - 0.004, h) for r, h in outer[::-1][:5]]
    parts = [Part(lathe([(0, 0), *outer, *inner, (0, inner[-1][1])]), paint.main)]
    if rng.uniform() < 0.35:
        for _ in range(int(rng.integers(2, 6))):
            lean = rng.normal(0, 0.03, 2)
            top = np.array([*lean, height + rng.uniform(0.04, 0.10)])
            parts.append(
                Part(
                    tube(np.stack([[0, 0, height * 0.7], top * [0.4, 0.4, 0.9], top]), 0.0018, segments=6),
                    type(paint.main)(np.array([0.05, 0.22, 0.04]), gloss=0.1),
                )
            )
            parts.append(Part(ellipsoid((0.014, 0.014, 0.011), center=top, rings=7), paint.accent))
    return parts


KINDS = (
    Kind(
        'cup',
        '컵',
        cup,
        ANY,
        ('plastic', 'plastic', 'paper', 'ceramic', 'metal'),
        ('upright', 'upright', 'upright', 'side', 'down'),
        frequency=1.6,
    ),
    Kind('mug', '머그잔', mug, ANY, DISHES, ('upright', 'upright', 'upright', 'side'), frequency=1.6),
    Kind('glass', '유리잔', glass, ('white',), ('glass',), frequency=0.6),
    Kind(
        'bowl',
        '그릇',
        bowl,
        ANY,
        (*DISHES, 'wood'),
        ('upright', 'upright', 'upright', 'down'),
        holds='in',
        frequency=1.6,
    ),
    Kind('plate', '접시', plate, ANY, ('ceramic', 'ceramic', 'plastic'), holds='on', frequency=1.6),
    Kind('tray', '쟁반', tray, ANY, ('plastic', 'wood', 'metal'), holds='on'),
    Kind('basket', '바구니', basket, ANY, ('plastic', 'fabric'), holds='in'),
    Kind('teapot', '찻주전자', teapot, ANY, ('ceramic', 'ceramic', 'metal')),
    Kind('vase', '꽃병', vase, ANY, ('ceramic', 'ceramic', 'glass')),
)
