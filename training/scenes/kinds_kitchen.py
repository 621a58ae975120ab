"""Shapes of the kitchen: cups, dishes, pots, bottles, packages, cutlery."""

from __future__ import annotations

import numpy as np

from training.scenes.kind import ANY, Kind
from training.scenes.materials import Paint, Part
from training.scenes.mesh import box, circle, ellipsoid, extrude, lathe, loft, merge, prism, rotation, tube

Random = np.random.Generator
DISHES = ('ceramic', 'ceramic', 'plastic', 'metal')


def vessel(radius: float, height: float, *, foot: float = 0.8, wall: float = 0.004, bulge: float = 0.0,
           steps: int = 8) -> list[tuple[float, float]]:
    """Return the profile of an open vessel: outside up, rim, inside down."""
    t = np.linspace(0, 1, steps)
    outer = radius * (foot + (1 - foot) * t + bulge * np.sin(np.pi * t))
    points = [(0.0, 0.0)] + [(float(r), float(h)) for r, h in zip(outer, t * height)]
    points += [(float(r) - wall, float(h)) for r, h in zip(outer[::-1], np.maximum(t[::-1] * height, wall))]
    return [*points, (0.0, wall)]


def arc(center: tuple[float, float, float], across: float, tall: float, start: float, end: float,
        points: int = 11) -> np.ndarray:
    """Return an elliptic arc in the x-z plane, degrees from +x towards +z."""
    angle = np.radians(np.linspace(start, end, points))
    return np.asarray(center) + np.stack([across * np.cos(angle), 0 * angle, tall * np.sin(angle)], axis=-1)


def cup(rng: Random, paint: Paint) -> list[Part]:
    """A beaker without a handle, sometimes with a sleeve or a lid."""
    radius, height = rng.uniform(0.032, 0.042), rng.uniform(0.075, 0.12)
    foot = rng.uniform(0.62, 0.95)
    parts = [Part(lathe(vessel(radius, height, foot=foot)), paint.main)]
    if rng.uniform() < 0.25:
        lid = [(radius * 1.04, height), (radius * 1.04, height + 0.008), (radius * 0.85, height + 0.012), (0, height + 0.012)]
        parts.append(Part(lathe([(0, height), *lid]), paint.light if rng.uniform() < 0.6 else paint.dark))
    elif rng.uniform() < 0.5:
        parts.append(drink(radius * (foot + (1 - foot) * 0.8) - 0.004, height * 0.8, rng, paint))
    return parts


def drink(radius: float, level: float, rng: Random, paint: Paint) -> Part:
    """The surface of what is in a cup."""
    tone = [np.array([0.03, 0.012, 0.004]), np.array([0.25, 0.10, 0.02]), np.array([0.7, 0.65, 0.55])][rng.integers(3)]
    return Part(lathe([(radius, level), (0, level)]), type(paint.main)(tone, gloss=0.6))


def mug(rng: Random, paint: Paint) -> list[Part]:
    """A cup with a handle."""
    radius, height = rng.uniform(0.034, 0.047), rng.uniform(0.078, 0.11)
    body = lathe(vessel(radius, height, foot=rng.uniform(0.82, 1.0), bulge=rng.uniform(0, 0.12)))
    reach = rng.uniform(0.022, 0.034)
    handle = tube(arc((radius * 0.93, 0, height * 0.5), reach, height * rng.uniform(0.26, 0.38), -90, 90),
                  rng.uniform(0.004, 0.007), flat=rng.uniform(1.0, 1.6))
    parts = [Part(body, paint.main), Part(handle, paint.main)]
    if rng.uniform() < 0.5:
        parts.append(drink(radius * 0.9, height * 0.82, rng, paint))
    if rng.uniform() < 0.25:
        band = lathe([(radius * 1.01, height * 0.35), (radius * 1.01, height * 0.6)])
        parts.append(Part(band, paint.accent))
    return parts


def glass(rng: Random, paint: Paint) -> list[Part]:
    """A drinking glass, or a wine glass."""
    clear = type(paint.main)(np.array([0.80, 0.88, 0.88]), gloss=0.9, clear=0.72)
    if rng.uniform() < 0.3:
        radius, stem = rng.uniform(0.03, 0.042), rng.uniform(0.06, 0.09)
        profile = [(0, 0), (radius * 0.9, 0), (radius * 0.9, 0.003), (0.004, 0.008), (0.004, stem)]
        profile += [(radius * np.sin(a), stem + 0.09 * (1 - np.cos(a)) / 1.6) for a in np.linspace(0.2, 2.0, 9)]
        return [Part(lathe(profile), clear)]
    radius, height = rng.uniform(0.03, 0.04), rng.uniform(0.09, 0.15)
    parts = [Part(lathe(vessel(radius, height, foot=rng.uniform(0.75, 1.0), wall=0.003)), clear)]
    if rng.uniform() < 0.4:
        parts.append(drink(radius * 0.88, height * rng.uniform(0.4, 0.8), rng, paint))
    return parts


def bowl(rng: Random, paint: Paint) -> list[Part]:
    """An open round dish deeper than a plate."""
    radius, height = rng.uniform(0.06, 0.095), rng.uniform(0.04, 0.075)
    angle = np.linspace(0.15, np.pi / 2, 9)
    foot = radius * rng.uniform(0.35, 0.55)
    outer = [(foot + (radius - foot) * np.sin(a) ** rng.uniform(0.9, 1.1), height * (1 - np.cos(a))) for a in angle]
    inner = [(r - 0.004, max(h + 0.002, 0.006)) for r, h in outer[::-1]]
    return [Part(lathe([(0, 0), (foot, 0), *outer, *inner, (0, 0.006)], segments=36), paint.main)]


def plate(rng: Random, paint: Paint) -> list[Part]:
    """A flat round or square dish."""
    radius, rim = rng.uniform(0.085, 0.125), rng.uniform(0.010, 0.022)
    profile = [(0, 0), (radius * 0.6, 0), (radius * 0.72, rim * 0.35), (radius, rim), (radius - 0.003, rim + 0.003),
               (radius * 0.70, rim * 0.35 + 0.004), (radius * 0.6, 0.004), (0, 0.004)]
    parts = [Part(lathe(profile, segments=40, crease=30), paint.main)]
    if rng.uniform() < 0.3:
        ring = lathe([(radius * 0.99, rim + 0.0035), (radius * 0.92, rim * 0.85 + 0.0045)], segments=40)
        parts.append(Part(ring, paint.accent))
    return parts


def bottle(rng: Random, paint: Paint) -> list[Part]:
    """A bottle with a neck, a cap and often a label."""
    radius, height = rng.uniform(0.028, 0.042), rng.uniform(0.17, 0.27)
    shoulder, neck = rng.uniform(0.55, 0.75), radius * rng.uniform(0.28, 0.45)
    t = np.linspace(0, 1, 7)
    slope = rng.uniform(0.10, 0.20)
    waist = rng.uniform(0, 0.12) if rng.uniform() < 0.4 else 0.0
    body = [(radius * (1 - waist * np.sin(np.pi * s) ** 2), height * shoulder * (0.03 + 0.97 * s)) for s in t]
    curve = [(neck + (radius - neck) * (0.5 + 0.5 * np.cos(np.pi * s)), height * (shoulder + slope * s)) for s in t]
    profile = [(0, 0), (radius * 0.9, 0), *body, *curve[1:], (neck, height * 0.95), (0, height * 0.95)]
    cap = lathe([(0, height * 0.93), (neck * 1.15, height * 0.93), (neck * 1.15, height), (0, height)])
    parts = [Part(lathe(profile), paint.main), Part(cap, (paint.accent, paint.light, paint.dark)[rng.integers(3)])]
    if rng.uniform() < 0.6:
        low, high = sorted(rng.uniform(0.08, 0.95, 2))
        if high - low > 0.25:
            parts.append(Part(lathe([(radius * 1.012, height * shoulder * low), (radius * 1.012, height * shoulder * high)]),
                              paint.label if rng.uniform() < 0.7 else paint.light))
    return parts


def can(rng: Random, paint: Paint) -> list[Part]:
    """A drink or food can."""
    radius = rng.uniform(0.030, 0.043)
    height = rng.uniform(0.08, 0.13)
    body = lathe([(radius, height * 0.04), (radius, height * 0.94)])
    ends = lathe([(0, 0.001), (radius * 0.86, 0.0), (radius, height * 0.04)])
    top = lathe([(radius, height * 0.94), (radius * 0.88, height), (radius * 0.85, height), (radius * 0.83, height * 0.97), (0, height * 0.97)])
    tab = box((0.018, 0.010, 0.002), center=(0.006, 0, height * 0.975))
    return [Part(body, paint.label if rng.uniform() < 0.65 else paint.main), Part(ends, paint.steel),
            Part(top, paint.steel), Part(tab, paint.steel)]


def jar(rng: Random, paint: Paint) -> list[Part]:
    """A jar with a wide lid."""
    radius, height = rng.uniform(0.03, 0.045), rng.uniform(0.07, 0.13)
    body = lathe([(0, 0), (radius * 0.95, 0), (radius, 0.006), (radius, height * 0.75), (radius * 0.85, height * 0.83), (0, height * 0.83)])
    lid = lathe([(0, height * 0.82), (radius * 0.92, height * 0.82), (radius * 0.92, height), (0, height)])
    parts = [Part(body, paint.main), Part(lid, (paint.accent, paint.steel, paint.main)[rng.integers(3)])]
    if rng.uniform() < 0.6:
        parts.append(Part(lathe([(radius * 1.01, height * 0.15), (radius * 1.01, height * 0.65)]), paint.label))
    return parts


def pot(rng: Random, paint: Paint) -> list[Part]:
    """A cooking pot with two ears, with or without a lid."""
    radius, height = rng.uniform(0.075, 0.11), rng.uniform(0.07, 0.12)
    parts = [Part(lathe(vessel(radius, height, foot=rng.uniform(0.9, 1.0), wall=0.004), segments=36), paint.main)]
    grip = paint.dark if rng.uniform() < 0.5 else paint.steel
    for side in (0, 180):
        ear = tube(arc((0, 0, 0), 0.03, 0.028, -90, 90), 0.005).moved(rotation('x', 90), (radius * 0.98, 0, height * 0.8))
        parts.append(Part(ear.moved(rotation('z', side)), grip))
    if rng.uniform() < 0.5:
        lid = lathe([(radius * 1.02, height), (radius * 0.9, height + 0.012), (0.01, height + 0.022), (0, height + 0.022)], segments=36)
        knob = ellipsoid((0.014, 0.014, 0.010), center=(0, 0, height + 0.03))
        parts += [Part(lid, paint.main if rng.uniform() < 0.5 else paint.steel), Part(knob, grip)]
    return parts


def pan(rng: Random, paint: Paint) -> list[Part]:
    """A frying pan with a long handle."""
    radius, height = rng.uniform(0.085, 0.12), rng.uniform(0.03, 0.045)
    length = rng.uniform(0.13, 0.19)
    body = lathe(vessel(radius, height, foot=0.82, wall=0.003), segments=36)
    path = np.array([[radius * 0.95, 0, height * 0.75], [radius + 0.04, 0, height * 1.1], [radius + length, 0, height * 1.35]])
    handle = tube(path, [0.007, 0.009, 0.011], flat=1.4)
    return [Part(body, paint.main), Part(handle, (paint.dark, paint.wood, paint.main)[rng.integers(3)])]


def tray(rng: Random, paint: Paint) -> list[Part]:
    """A flat rectangular tray with a rim."""
    width, depth, rim = rng.uniform(0.22, 0.34), rng.uniform(0.16, 0.24), rng.uniform(0.012, 0.03)
    return [Part(mesh, paint.main) for mesh in open_box(width, depth, rim, 0.005)]


def open_box(width: float, depth: float, height: float, wall: float) -> list:
    """A box without a lid, as its five walls."""
    walls = [box((width, depth, wall), center=(0, 0, wall / 2))]
    for sign in (-1, 1):
        walls.append(box((width, wall, height), center=(0, sign * (depth - wall) / 2, height / 2)))
        walls.append(box((wall, depth, height), center=(sign * (width - wall) / 2, 0, height / 2)))
    return walls


def basket(rng: Random, paint: Paint) -> list[Part]:
    """A basket: woven and round with a handle, or a plastic bin."""
    if rng.uniform() < 0.5:
        width, depth, height = rng.uniform(0.16, 0.26), rng.uniform(0.12, 0.2), rng.uniform(0.06, 0.12)
        return [Part(mesh, paint.main) for mesh in open_box(width, depth, height, 0.006)]
    radius, height = rng.uniform(0.07, 0.11), rng.uniform(0.06, 0.11)
    parts = [Part(lathe(vessel(radius, height, foot=0.85, wall=0.006), segments=32), paint.main)]
    for level in np.linspace(0.2, 0.95, 4):
        r = radius * (0.85 + 0.15 * level)
        ring = np.array([[r * np.cos(a), r * np.sin(a), height * level] for a in np.linspace(0, 2 * np.pi, 25)])
        parts.append(Part(tube(ring, 0.005, segments=6, caps=False), paint.main))
    if rng.uniform() < 0.6:
        parts.append(Part(tube(arc((0, 0, height * 0.9), radius, height * rng.uniform(0.7, 1.2), 0, 180, 17), 0.005), paint.main))
    return parts


def vase(rng: Random, paint: Paint) -> list[Part]:
    """A tall curved vessel, sometimes with flowers."""
    radius, height = rng.uniform(0.04, 0.06), rng.uniform(0.14, 0.24)
    t = np.linspace(0, 1, 12)
    phase, wave = rng.uniform(0.2, 1.2), rng.uniform(0.2, 0.45)
    shape = radius * (0.75 + wave * np.sin(np.pi * (t * 1.3 + phase)))
    outer = [(float(max(r, 0.012)), float(h)) for r, h in zip(shape, t * height)]
    inner = [(r - 0.004, h) for r, h in outer[::-1][:5]]
    parts = [Part(lathe([(0, 0), *outer, *inner, (0, inner[-1][1])]), paint.main)]
    if rng.uniform() < 0.35:
        for _ in range(int(rng.integers(2, 6))):
            lean = rng.normal(0, 0.03, 2)
            top = np.array([*lean, height + rng.uniform(0.04, 0.10)])
            parts.append(Part(tube(np.stack([[0, 0, height * 0.7], top * [0.4, 0.4, 0.9], top]), 0.0018, segments=6),
                              type(paint.main)(np.array([0.05, 0.22, 0.04]), gloss=0.1)))
            parts.append(Part(ellipsoid((0.014, 0.014, 0.011), center=top, rings=7), paint.accent))
    return parts


def teapot(rng: Random, paint: Paint) -> list[Part]:
    """A round pot with a spout, a handle and a lid."""
    radius, height = rng.uniform(0.055, 0.075), rng.uniform(0.08, 0.11)
    a = np.linspace(-1.2, 1.3, 11)
    body = lathe([(0, 0), *[(radius * np.cos(s), height * (0.5 + 0.5 * np.sin(s) / np.sin(1.3))) for s in a], (0, height)])
    spout = tube(np.array([[radius * 0.8, 0, height * 0.35], [radius * 1.3, 0, height * 0.55], [radius * 1.6, 0, height * 0.95]]),
                 [0.014, 0.010, 0.007])
    handle = tube(arc((-radius * 0.85, 0, height * 0.55), radius * 0.65, height * 0.36, 90, 270), 0.006)
    knob = ellipsoid((0.012, 0.012, 0.010), center=(0, 0, height + 0.008))
    return [Part(mesh, paint.main) for mesh in (body, spout, handle)] + [Part(knob, paint.main if rng.uniform() < 0.6 else paint.dark)]


def kettle(rng: Random, paint: Paint) -> list[Part]:
    """A tall pot with a beak and a side handle."""
    radius, height = rng.uniform(0.06, 0.075), rng.uniform(0.15, 0.2)
    body = lathe([(0, 0), (radius, 0), (radius, height * 0.1), (radius * 0.7, height * 0.92), (radius * 0.5, height), (0, height)])
    beak = tube(np.array([[radius * 0.6, 0, height * 0.7], [radius * 1.1, 0, height * 0.92]]), [0.02, 0.008])
    handle = tube(arc((-radius * 0.65, 0, height * 0.55), 0.045, height * 0.38, 90, 270), 0.008)
    base = lathe([(0, 0), (radius * 1.08, 0), (radius * 1.08, 0.014), (0, 0.014)])
    return [Part(body, paint.main), Part(beak, paint.main), Part(handle, paint.dark), Part(base, paint.dark)]


def carton(rng: Random, paint: Paint) -> list[Part]:
    """A milk or juice carton with a gable."""
    side, height = rng.uniform(0.055, 0.075), rng.uniform(0.12, 0.19)
    body = box((side, side, height), center=(0, 0, height / 2))
    top = height + side * 0.45
    half = side / 2
    ring = np.array([[[-half, -half, height], [half, -half, height], [half, half, height], [-half, half, height]],
                     [[-half, -0.001, top], [half, -0.001, top], [half, 0.001, top], [-half, 0.001, top]]])
    fin = box((side, 0.003, side * 0.2), center=(0, 0, top + side * 0.08))
    cover = paint.label if rng.uniform() < 0.75 else paint.main
    parts = [Part(body, cover), Part(loft(ring), paint.main), Part(fin, paint.main)]
    if rng.uniform() < 0.5:
        cap = lathe([(0.012, 0), (0.012, 0.012), (0, 0.012)]).moved(rotation('x', 45), (0, -half * 0.55, height + side * 0.2))
        parts.append(Part(cap, paint.accent))
    return parts


def package(rng: Random, paint: Paint) -> list[Part]:
    """A cardboard box: cereal, crackers, parcels."""
    size = np.sort(rng.uniform(0.04, 0.2, 3)) if rng.uniform() < 0.6 else rng.uniform(0.07, 0.14, 3)
    if rng.uniform() < 0.5:
        size = size[[1, 0, 2]]
    surface = paint.label if rng.uniform() < 0.6 else paint.main
    return [Part(box(size, center=(0, 0, size[2] / 2)), surface)]


def shaft(length: float, low: float, high: float, width: float, thick: float, lift: float = 0.004) -> np.ndarray:
    """The outline of a cutlery handle along x, for :func:`prism`."""
    x = np.linspace(0, length, 9)
    half = np.interp(x, [0, length * 0.15, length * 0.8, length], [low, width, high, high]) / 2
    return np.stack([np.stack([x, half], -1), np.stack([x, -half], -1)], axis=1)


def spoon(rng: Random, paint: Paint) -> list[Part]:
    """A spoon lying flat."""
    length, width = rng.uniform(0.10, 0.14), rng.uniform(0.008, 0.014)
    surface = handle_surface(rng, paint)
    head = rng.uniform(0.016, 0.024)
    dish = ellipsoid((head * 1.5, head, 0.007), center=(length + head * 1.2, 0, 0.008))
    shape = prism(shaft(length, width * 0.8, width * 0.5, width, 0.003), 0.0035, bottom=0.006)
    return [Part(shape.moved(offset=(-length / 2, 0, 0)), surface), Part(dish.moved(offset=(-length / 2, 0, 0)), paint.main)]


def fork(rng: Random, paint: Paint) -> list[Part]:
    """A fork lying flat, with three or four tines."""
    length, width = rng.uniform(0.10, 0.14), rng.uniform(0.008, 0.013)
    shape = prism(shaft(length, width * 0.8, width * 0.5, width, 0.003), 0.0035, bottom=0.004)
    head, tines = rng.uniform(0.020, 0.026), int(rng.integers(3, 5))
    neck = prism(np.array([[[length, 0.003], [length, -0.003]], [[length + 0.014, head / 2], [length + 0.014, -head / 2]],
                           [[length + 0.024, head / 2], [length + 0.024, -head / 2]]]), 0.003, bottom=0.005)
    parts = [Part(shape, handle_surface(rng, paint)), Part(neck, paint.main)]
    for y in np.linspace(-head / 2 + 0.002, head / 2 - 0.002, tines):
        tine = np.array([[length + 0.022, y, 0.006], [length + 0.045, y, 0.008], [length + 0.065, y, 0.013]])
        parts.append(Part(tube(tine, [0.002, 0.002, 0.0012], segments=6), paint.main))
    return [Part(part.mesh.moved(offset=(-length / 2, 0, 0)), part.surface) for part in parts]


def knife(rng: Random, paint: Paint) -> list[Part]:
    """A table or kitchen knife lying flat."""
    length, blade = rng.uniform(0.09, 0.12), rng.uniform(0.10, 0.17)
    width = rng.uniform(0.018, 0.038)
    grip = prism(shaft(length, width * 0.7, width * 0.7, width * 0.75, 0.01), rng.uniform(0.008, 0.014))
    x = np.linspace(0, blade, 8)
    edge = width / 2 * np.sqrt(np.clip(1 - (x / blade) ** rng.uniform(2, 5), 0.0, 1))
    cut = np.stack([np.stack([x + length, np.full_like(x, width / 2)], -1), np.stack([x + length, -edge], -1)], axis=1)
    cut[-1, 0, 1] = rng.uniform(0, width / 2)
    middle = (-(length + blade) / 2, 0, 0)
    return [Part(grip.moved(offset=middle), handle_surface(rng, paint, always=True)),
            Part(prism(cut, 0.002, bottom=0.005).moved(offset=middle), paint.steel)]


def handle_surface(rng: Random, paint: Paint, *, always: bool = False):
    """A handle of the main colour, or of the same stuff as the head."""
    return paint.main if always or paint.main.metal or rng.uniform() < 0.7 else paint.steel


def spatula(rng: Random, paint: Paint) -> list[Part]:
    """A turner lying flat."""
    length, width = rng.uniform(0.16, 0.22), rng.uniform(0.06, 0.08)
    handle = tube(np.array([[0, 0, 0.012], [length * 0.6, 0, 0.010], [length, 0, 0.006]]), [0.009, 0.008, 0.004])
    blade = prism(np.array([[[length, 0.008], [length, -0.008]], [[length + 0.02, width / 2], [length + 0.02, -width / 2]],
                            [[length + 0.09, width / 2], [length + 0.09, -width / 2]]]), 0.003, bottom=0.003)
    parts = [Part(handle, paint.main if rng.uniform() < 0.5 else paint.dark), Part(blade, paint.main)]
    if rng.uniform() < 0.6:
        for y in (-width * 0.22, 0, width * 0.22):
            parts.append(Part(box((0.045, 0.006, 0.0008), center=(length + 0.055, y, 0.0066)), paint.dark))
    return [Part(part.mesh.moved(offset=(-length * 0.7, 0, 0)), part.surface) for part in parts]


def ladle(rng: Random, paint: Paint) -> list[Part]:
    """A deep round spoon with a long bent handle, lying."""
    radius, length = rng.uniform(0.03, 0.042), rng.uniform(0.17, 0.23)
    a = np.linspace(0.1, np.pi / 2, 7)
    outer = [(radius * np.sin(s), radius * 0.8 * (1 - np.cos(s))) for s in a]
    dish = lathe([(0, 0), *outer, *[(r * 0.93, h + 0.002) for r, h in outer[::-1]], (0, 0.003)])
    handle = tube(np.array([[radius, 0, radius * 0.8], [radius * 1.6, 0, radius * 1.5], [radius + length, 0, radius * 1.7]]),
                  [0.005, 0.005, 0.007], flat=1.4)
    return [Part(dish.moved(offset=(-length / 2, 0, 0)), paint.main), Part(handle.moved(offset=(-length / 2, 0, 0)), paint.main)]


def cutting_board(rng: Random, paint: Paint) -> list[Part]:
    """A flat board."""
    outline = box((rng.uniform(0.2, 0.32), rng.uniform(0.14, 0.2), rng.uniform(0.01, 0.02)), center=(0, 0, 0.008))
    return [Part(outline, paint.main)]


def sponge(rng: Random, paint: Paint) -> list[Part]:
    """A dish sponge with a scouring side."""
    width, depth, height = rng.uniform(0.08, 0.12), rng.uniform(0.05, 0.075), rng.uniform(0.02, 0.035)
    corner = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width / 2, depth / 2]
    green = type(paint.main)(np.array([0.03, 0.16, 0.06]), gloss=0.0)
    return [Part(extrude(corner, height, bevel=0.002), paint.main),
            Part(extrude(corner, 0.007, bevel=0.001, bottom=height), green if rng.uniform() < 0.6 else paint.accent)]


def kitchen_roll(rng: Random, paint: Paint) -> list[Part]:
    """A roll of paper."""
    radius, height, core = rng.uniform(0.045, 0.065), rng.uniform(0.1, 0.22), 0.02
    roll = lathe([(core, 0), (radius, 0), (radius, height), (core, height), (core, height * 0.3)])
    return [Part(roll, paint.light), Part(lathe([(core * 0.98, 0), (core * 0.98, height)]), paint.wood)]


def candle(rng: Random, paint: Paint) -> list[Part]:
    """A thick candle with a wick."""
    radius, height = rng.uniform(0.025, 0.04), rng.uniform(0.05, 0.13)
    wick = tube(np.array([[0, 0, height], [0.001, 0, height + 0.006], [0.003, 0, height + 0.012]]), 0.0015, segments=6)
    return [Part(lathe([(0, 0), (radius, 0), (radius, height), (radius * 0.8, height - 0.004), (0, height - 0.004)]), paint.main),
            Part(wick, paint.dark)]


KINDS = (
    Kind('cup', '컵', cup, ANY, ('plastic', 'plastic', 'paper', 'ceramic', 'metal'), ('upright', 'upright', 'upright', 'side', 'down'), frequency=1.6),
    Kind('mug', '머그잔', mug, ANY, DISHES, ('upright', 'upright', 'upright', 'side'), frequency=1.6),
    Kind('glass', '유리잔', glass, ('white',), ('glass',), frequency=0.6),
    Kind('bowl', '그릇', bowl, ANY, (*DISHES, 'wood'), ('upright', 'upright', 'upright', 'down'), holds='in', frequency=1.6),
    Kind('plate', '접시', plate, ANY, ('ceramic', 'ceramic', 'plastic'), holds='on', frequency=1.6),
    Kind('bottle', '병', bottle, ANY, ('plastic', 'plastic', 'glass', 'metal'), ('upright', 'upright', 'upright', 'side'), frequency=1.6),
    Kind('can', '캔', can, ANY, ('plastic',), ('upright', 'upright', 'upright', 'side'), frequency=1.6),
    Kind('jar', '단지', jar, ANY, ('plastic', 'ceramic', 'glass')),
    Kind('pot', '냄비', pot, ('grey', 'grey', 'red', 'black', 'blue', 'white', 'orange', 'green', 'yellow'), ('metal', 'ceramic'), holds='', frequency=1.2),
    Kind('pan', '프라이팬', pan, ('black', 'black', 'grey', 'red', 'blue', 'green'), ('plastic', 'metal'), holds='in'),
    Kind('tray', '쟁반', tray, ANY, ('plastic', 'wood', 'metal'), holds='on'),
    Kind('basket', '바구니', basket, ANY, ('plastic', 'fabric'), holds='in'),
    Kind('vase', '꽃병', vase, ANY, ('ceramic', 'ceramic', 'glass')),
    Kind('teapot', '찻주전자', teapot, ANY, ('ceramic', 'ceramic', 'metal')),
    Kind('kettle', '주전자', kettle, ANY, ('plastic', 'metal'), frequency=0.7),
    Kind('milk carton', '우유팩', carton, ANY, ('paper',), ('upright', 'upright', 'side')),
    Kind('box', '상자', package, ANY, ('paper', 'paper', 'plastic'), ('upright', 'side'), frequency=1.4),
    Kind('spoon', '숟가락', spoon, ('grey', 'grey', 'grey', 'red', 'blue', 'green', 'yellow', 'black', 'white', 'pink'), ('metal', 'metal', 'plastic'), frequency=1.3),
    Kind('fork', '포크', fork, ('grey', 'grey', 'grey', 'red', 'blue', 'green', 'yellow', 'black', 'white', 'pink'), ('metal', 'metal', 'plastic'), frequency=1.3),
    Kind('knife', '칼', knife, ANY, ('plastic', 'metal'), frequency=1.3),
    Kind('spatula', '뒤집개', spatula, ANY, ('plastic', 'metal')),
    Kind('ladle', '국자', ladle, ANY, ('metal', 'plastic'), frequency=0.7),
    Kind('cutting board', '도마', cutting_board, ('brown', 'white', 'green', 'blue', 'red', 'orange', 'black'), ('wood', 'wood', 'plastic'), holds='on', frequency=0.7),
    Kind('sponge', '스펀지', sponge, ('yellow', 'yellow', 'blue', 'pink', 'orange', 'purple', 'green'), ('fabric',)),
    Kind('paper towel', '키친타월', kitchen_roll, ('white',), ('paper',), ('upright', 'side'), frequency=0.5),
    Kind('candle', '양초', candle, ANY, ('plastic',), frequency=0.6),
)
# circle and merge serve the other files of kinds through this module's helpers
__all__ = ['KINDS', 'arc', 'circle', 'merge', 'open_box', 'vessel']
