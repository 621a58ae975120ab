"""Shapes of the desk, the workshop and the playroom."""

from __future__ import annotations

import numpy as np

from training.scenes.kind import ANY, Kind
from training.scenes.kinds_kitchen import arc
from training.scenes.materials import Paint, Part, Surface
from training.scenes.mesh import (
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


def ball(rng: Random, paint: Paint) -> list[Part]:
    """A toy ball, plain or with a band."""
    radius = rng.uniform(0.025, 0.045)
    parts = [Part(ellipsoid((radius,) * 3, center=(0, 0, radius)), paint.main)]
    if rng.uniform() < 0.25:
        a = np.linspace(-0.25, 0.25, 5)
        band = lathe([(radius * 1.005 * np.cos(s), radius * 1.005 * np.sin(s)) for s in a], crease=80)
        parts.append(Part(band.moved(rotation('x', float(rng.uniform(0, 180))), (0, 0, radius)), paint.accent))
    return parts


def block(rng: Random, paint: Paint) -> list[Part]:
    """A toy block: cube, brick or plank."""
    side = rng.uniform(0.03, 0.05)
    stretch = (1, 1, 1) if rng.uniform() < 0.6 else tuple(rng.choice([1, 1, 2, 3], 2)) + (1,)
    width, depth = side * stretch[0], side * stretch[1]
    corner = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [width / 2, depth / 2]
    return [Part(extrude(corner, side, bevel=rng.uniform(0.0005, 0.003)), paint.main)]


def cylinder(rng: Random, paint: Paint) -> list[Part]:
    """A toy cylinder."""
    radius, height = rng.uniform(0.018, 0.032), rng.uniform(0.04, 0.09)
    return [Part(extrude(circle(radius), height, bevel=0.001), paint.main)]


def book(rng: Random, paint: Paint) -> list[Part]:
    """A closed book lying."""
    width, depth, thick = rng.uniform(0.12, 0.19), rng.uniform(0.17, 0.25), rng.uniform(0.01, 0.045)
    pages = box((width - 0.006, depth - 0.008, thick - 0.004), center=(0.002, 0, thick / 2))
    spine = box((0.003, depth, thick), center=(-width / 2, 0, thick / 2))
    under = box((width, depth, 0.002), center=(0, 0, 0.001))
    cover = box((width, depth, 0.002), center=(0, 0, thick - 0.001))
    return [Part(pages, paint.light), Part(spine, paint.main), Part(under, paint.main),
            Part(cover, paint.label if rng.uniform() < 0.7 else paint.main)]


def laptop(rng: Random, paint: Paint) -> list[Part]:
    """An open laptop with keys and a screen."""
    width, depth = rng.uniform(0.26, 0.33), rng.uniform(0.18, 0.23)
    base = extrude(rounded_rectangle(width, depth, 0.01), 0.014, bevel=0.002)
    parts = [Part(base, paint.main)]
    parts += keys(width * 0.9, depth * 0.5, 0.0142, rng, paint, offset=depth * 0.14)
    parts.append(Part(box((width * 0.32, depth * 0.26, 0.0008), center=(0, -depth * 0.3, 0.0144)), paint.dark))
    lid = extrude(rounded_rectangle(width, depth, 0.01), 0.007, bevel=0.002)
    glow = rng.uniform(0.02, 0.7)
    screen = box((width * 0.94, depth * 0.9, 0.0006), center=(0, 0, -0.0003))
    tilt = rotation('x', float(rng.uniform(60, 85)))
    hinge = np.array([0, depth / 2, 0.012])
    for mesh, surface in ((lid, paint.main), (screen, Surface(np.full(3, glow), paint.label.texture if glow > 0.3 else None, gloss=0.7))):
        parts.append(Part(mesh.moved(offset=(0, depth / 2, 0)).moved(tilt, hinge), surface))
    return parts


def keys(width: float, depth: float, height: float, rng: Random, paint: Paint, *, offset: float = 0.0) -> list[Part]:
    """A field of keys as one textured slab: keys are pale or dark squares with gaps."""
    columns, rows = int(rng.integers(12, 18)), 5
    picture = np.zeros((rows * 12, columns * 12, 3), np.uint8)
    tone = 40 if paint.dark.colour.mean() < 0.5 and rng.uniform() < 0.7 else 225
    picture[:] = 255 - tone if tone > 128 else 12
    for row in range(rows):
        for column in range(columns):
            picture[row * 12 + 1:row * 12 + 11, column * 12 + 1:column * 12 + 11] = tone
            picture[row * 12 + 4:row * 12 + 7, column * 12 + 4:column * 12 + 6] = 200 if tone < 128 else 60
    slab = box((width, depth, 0.004), center=(0, offset, height))
    return [Part(slab, Surface(np.ones(3), picture, gloss=0.15))]


def keyboard(rng: Random, paint: Paint) -> list[Part]:
    """A computer keyboard."""
    width, depth = rng.uniform(0.3, 0.42), rng.uniform(0.11, 0.15)
    body = extrude(rounded_rectangle(width, depth, 0.008), 0.016, bevel=0.003)
    return [Part(body, paint.main), *keys(width * 0.95, depth * 0.8, 0.016, rng, paint)]


def mouse(rng: Random, paint: Paint) -> list[Part]:
    """A computer mouse with a wheel."""
    length, width, height = rng.uniform(0.045, 0.058), rng.uniform(0.028, 0.034), rng.uniform(0.026, 0.036)
    a = np.linspace(0, np.pi / 2, 9)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rings = np.stack([np.stack([length * np.cos(s) ** 0.5 * np.cos(angle), width * np.cos(s) ** 0.5 * np.sin(angle),
                                np.full(24, height * np.sin(s))], -1) for s in a])
    from training.scenes.mesh import loft
    parts = [Part(loft(rings, crease=60), paint.main)]
    wheel = lathe([(0, -0.003), (0.007, -0.003), (0.007, 0.003), (0, 0.003)]).moved(rotation('x', 90), (length * 0.55, 0, height * 0.86))
    parts.append(Part(wheel, paint.dark))
    if rng.uniform() < 0.5:
        cable = np.array([[length, 0, 0.006], [length + 0.05, 0.01, 0.003], [length + 0.10, rng.uniform(-0.06, 0.06), 0.003],
                          [length + 0.16, rng.uniform(-0.1, 0.1), 0.003]])
        parts.append(Part(tube(cable, 0.002, segments=6), paint.dark))
    return parts


def phone(rng: Random, paint: Paint) -> list[Part]:
    """A smartphone lying, screen or back up."""
    width, length, thick = rng.uniform(0.066, 0.08), rng.uniform(0.135, 0.165), 0.009
    parts = [Part(extrude(rounded_rectangle(width, length, 0.01), thick, bevel=0.002), paint.main)]
    if rng.uniform() < 0.6:
        glow = rng.uniform(0.01, 0.05) if rng.uniform() < 0.6 else 0.8
        texture = paint.label.texture if glow > 0.3 else None
        parts.append(Part(box((width * 0.92, length * 0.94, 0.0008), center=(0, 0, thick)), Surface(np.full(3, glow), texture, gloss=0.9)))
    else:
        parts.append(Part(extrude(rounded_rectangle(0.026, 0.03, 0.006), 0.002, bottom=thick).moved(offset=(-width * 0.22, length * 0.35, 0)), paint.dark))
    return parts


def stick(length: float, radius: float, *, tip: float, flat: float = 1.0):
    """A pen's barrel along x, resting on the table."""
    x = np.array([-0.5, -0.48, 0.3, 0.4, 0.5]) * length
    radii = radius * np.array([0.8, 1, 1, 0.8, tip])
    return tube(np.stack([x, 0 * x, 0 * x + radius], -1), radii, segments=12, flat=flat)


def pen(rng: Random, paint: Paint) -> list[Part]:
    """A thin pen or pencil."""
    length, radius = rng.uniform(0.13, 0.17), rng.uniform(0.0035, 0.0055)
    parts = [Part(stick(length, radius, tip=0.1), paint.main)]
    cap = tube(np.array([[-length * 0.52, 0, radius], [-length * 0.4, 0, radius]]), radius * 1.15)
    parts.append(Part(cap, (paint.main, paint.dark, paint.steel, paint.accent)[rng.integers(4)]))
    return parts


def marker(rng: Random, paint: Paint) -> list[Part]:
    """A thick felt pen with a cap."""
    length, radius = rng.uniform(0.115, 0.145), rng.uniform(0.0075, 0.0105)
    barrel = paint.main if rng.uniform() < 0.5 else paint.light
    cap = tube(np.array([[length * 0.15, 0, radius], [length * 0.5, 0, radius]]), radius * 1.12)
    end = tube(np.array([[-length * 0.52, 0, radius], [-length * 0.45, 0, radius]]), radius * 1.02)
    return [Part(tube(np.array([[-length / 2, 0, radius], [length * 0.4, 0, radius]]), radius), barrel),
            Part(cap, paint.main), Part(end, paint.main)]


def scissors(rng: Random, paint: Paint) -> list[Part]:
    """A pair of scissors lying, a little open."""
    length, opening = rng.uniform(0.08, 0.11), float(rng.uniform(4, 16))
    parts = []
    for side in (-1, 1):
        blade = prism(np.array([[[-0.02, 0.006], [-0.02, -0.006]], [[0.02, 0.007], [0.02, -0.007]], [[length, 0.001], [length, -0.001]]]),
                      0.002, bottom=0.004 + 0.001 * side)
        ring = np.array([[-0.055 + 0.024 * np.cos(a), side * 0.019 + 0.016 * np.sin(a), 0.006] for a in np.linspace(0, 2 * np.pi, 17)])
        grip = tube(ring, 0.0045, segments=8, caps=False)
        shank = tube(np.array([[-0.034, side * 0.012, 0.006], [-0.015, 0, 0.006]]), 0.005, segments=8)
        turn = rotation('z', side * opening)
        back = rotation('z', side * opening * 0.9)
        parts += [Part(blade.moved(rotation('z', -side * opening)), paint.steel), Part(grip.moved(back.T), paint.main),
                  Part(shank.moved(turn.T), paint.main)]
    return parts


def hammer(rng: Random, paint: Paint) -> list[Part]:
    """A claw hammer lying."""
    length = rng.uniform(0.2, 0.27)
    x = np.array([0, 0.3, 0.6, 1.0]) * length
    handle = tube(np.stack([x, 0 * x, 0 * x + 0.014], -1), [0.013, 0.014, 0.010, 0.009], flat=1.2)
    head = tube(np.array([[length, -0.05, 0.014], [length, -0.035, 0.014], [length, -0.03, 0.014], [length, 0.02, 0.014]]),
                [0.013, 0.013, 0.009, 0.010])
    claw = prism(np.array([[[length - 0.009, 0.015], [length + 0.009, 0.015]], [[length - 0.012, 0.04], [length + 0.010, 0.04]],
                           [[length - 0.018, 0.06], [length + 0.002, 0.062]]]), 0.012, bottom=0.006)
    middle = (-length * 0.6, 0, 0)
    steel = paint.steel if rng.uniform() < 0.7 else paint.dark
    return [Part(handle.moved(offset=middle), paint.main), Part(head.moved(offset=middle), steel), Part(claw.moved(offset=middle), steel)]


def screwdriver(rng: Random, paint: Paint) -> list[Part]:
    """A screwdriver lying."""
    grip, shaft, radius = rng.uniform(0.08, 0.11), rng.uniform(0.07, 0.13), rng.uniform(0.011, 0.016)
    x = np.array([0, 0.06, 0.35, 0.75, 0.88, 1.0]) * grip
    radii = radius * np.array([0.7, 1, 0.92, 1.0, 0.65, 0.75])
    handle = tube(np.stack([x, 0 * x, 0 * x + radius], -1), radii, segments=int(rng.integers(6, 12)))
    rod = tube(np.array([[grip, 0, radius], [grip + shaft * 0.92, 0, radius], [grip + shaft, 0, radius]]), [0.0032, 0.0032, 0.0022], segments=8)
    middle = (-(grip + shaft) / 2, 0, 0)
    parts = [Part(handle.moved(offset=middle), paint.main), Part(rod.moved(offset=middle), paint.steel)]
    if rng.uniform() < 0.4:
        band = tube(np.array([[grip * 0.9, 0, radius], [grip * 1.0, 0, radius]]), radius * 0.8)
        parts.append(Part(band.moved(offset=middle), paint.dark))
    return parts


def wrench(rng: Random, paint: Paint) -> list[Part]:
    """An open-ended spanner lying."""
    length, head = rng.uniform(0.14, 0.2), rng.uniform(0.017, 0.022)
    bar = prism(np.array([[[0, 0.008], [0, -0.008]], [[length, 0.008], [length, -0.008]]]), 0.006)
    parts = [Part(bar.moved(offset=(-length / 2, 0, 0)), paint.main)]
    ring = np.array([[head * np.cos(a), head * np.sin(a), 0.005] for a in np.linspace(0, 2 * np.pi, 17)])
    parts.append(Part(tube(ring, 0.007, segments=8, flat=0.8, caps=False).moved(offset=(-length / 2 - head, 0, 0)), paint.main))
    jaw = np.array([[head * np.cos(a), head * np.sin(a), 0.005] for a in np.linspace(np.radians(50), np.radians(310), 13)])
    parts.append(Part(tube(jaw, 0.008, segments=8, flat=0.8).moved(rotation('z', 195.0), (length / 2 + head, 0, 0)), paint.main))
    return parts


def pliers(rng: Random, paint: Paint) -> list[Part]:
    """Pliers lying, a little open."""
    grip, opening = rng.uniform(0.09, 0.12), float(rng.uniform(5, 14))
    parts = [Part(lathe([(0, 0), (0.013, 0), (0.013, 0.012), (0, 0.012)]), paint.steel)]
    for side in (-1, 1):
        handle = tube(np.array([[-0.01, 0, 0.007], [-grip * 0.4, side * 0.014, 0.007], [-grip, side * 0.012, 0.007]]), [0.006, 0.008, 0.007])
        jaw = prism(np.array([[[0, 0.010], [0, -0.002]], [[0.05, 0.004], [0.05, 0.0]]]) * [1, side], 0.010, bottom=0.001)
        turn = rotation('z', -side * opening)
        parts += [Part(handle.moved(turn), paint.main), Part(jaw.moved(turn.T), paint.steel)]
    return parts


def drill(rng: Random, paint: Paint) -> list[Part]:
    """A cordless drill standing on its battery."""
    height, length = rng.uniform(0.15, 0.19), rng.uniform(0.12, 0.16)
    battery = extrude(rounded_rectangle(0.095, 0.06, 0.01), 0.04, bevel=0.004)
    grip = tube(np.array([[-0.01, 0, 0.035], [0.0, 0, height * 0.55], [0.005, 0, height]]), [0.019, 0.017, 0.02], flat=1.1)
    motor = tube(np.array([[-length * 0.45, 0, height + 0.012], [-length * 0.40, 0, height + 0.012], [length * 0.25, 0, height + 0.012],
                           [length * 0.45, 0, height + 0.012]]), [0.02, 0.027, 0.027, 0.02])
    chuck = tube(np.array([[length * 0.45, 0, height + 0.012], [length * 0.68, 0, height + 0.012]]), [0.017, 0.010])
    bit = tube(np.array([[length * 0.68, 0, height + 0.012], [length * 1.0, 0, height + 0.012]]), 0.003, segments=8)
    return [Part(battery, paint.dark), Part(grip, paint.main), Part(motor, paint.main), Part(chuck, paint.dark), Part(bit, paint.steel)]


def tape(rng: Random, paint: Paint) -> list[Part]:
    """A roll of tape lying or standing on its edge."""
    radius, width = rng.uniform(0.035, 0.055), rng.uniform(0.018, 0.05)
    inner = radius * rng.uniform(0.65, 0.8)
    roll = lathe([(inner, 0), (radius, 0), (radius, width), (inner, width)], segments=32)
    return [Part(roll, paint.main), Part(lathe([(inner, 0), (inner, width)], segments=32), paint.wood)]


def stapler(rng: Random, paint: Paint) -> list[Part]:
    """A desk stapler."""
    length, width = rng.uniform(0.11, 0.15), rng.uniform(0.03, 0.038)
    base = extrude(rounded_rectangle(length, width, 0.01), 0.008, bevel=0.002)
    arm = extrude(rounded_rectangle(length * 0.95, width * 0.75, 0.012), 0.02, bevel=0.006).moved(rotation('y', -float(rng.uniform(4, 12))), (0, 0, 0.026))
    rail = box((length * 0.9, width * 0.45, 0.006), center=(0, 0, 0.018))
    return [Part(base, paint.dark if rng.uniform() < 0.5 else paint.main), Part(arm, paint.main), Part(rail, paint.steel)]


def remote(rng: Random, paint: Paint) -> list[Part]:
    """A remote control lying."""
    width, length, thick = rng.uniform(0.04, 0.055), rng.uniform(0.14, 0.2), rng.uniform(0.014, 0.022)
    parts = [Part(extrude(rounded_rectangle(width, length, 0.012), thick, bevel=0.004), paint.main)]
    button = paint.light if paint.main.colour.mean() < 0.25 else paint.dark
    rows = int(rng.integers(5, 9))
    for row in np.linspace(-length * 0.38, length * 0.38, rows):
        for column in (-width * 0.26, 0, width * 0.26):
            surface = button if rng.uniform() < 0.92 else paint.accent
            parts.append(Part(box((width * 0.16, length * 0.045, 0.002), center=(column, row, thick + 0.0005)), surface))
    return parts


def lamp(rng: Random, paint: Paint) -> list[Part]:
    """A desk lamp with a shade."""
    height, radius = rng.uniform(0.22, 0.32), rng.uniform(0.05, 0.075)
    foot = lathe([(0, 0), (radius * 0.9, 0), (radius * 0.85, 0.012), (0, 0.016)])
    if rng.uniform() < 0.5:
        pole = tube(np.array([[0, 0, 0.01], [0, 0, height * 0.8]]), 0.006)
        shade = lathe([(radius * 1.1, height * 0.62), (radius * 0.65, height), (0.005, height)], segments=32)
        return [Part(foot, paint.main), Part(pole, paint.steel), Part(shade, paint.main)]
    pole = tube(np.array([[0, 0, 0.01], [-0.03, 0, height * 0.5], [0.02, 0, height], [0.09, 0, height * 0.98]]), 0.006)
    shade = lathe([(0.0, 0.0), (0.02, 0.0), (radius * 0.8, -0.06)]).moved(rotation('y', -25.0), (0.1, 0, height * 0.99))
    return [Part(foot, paint.main), Part(pole, paint.main), Part(shade, paint.main)]


def toy_car(rng: Random, paint: Paint) -> list[Part]:
    """A toy car or truck."""
    length, width = rng.uniform(0.08, 0.12), rng.uniform(0.038, 0.05)
    body = extrude(rounded_rectangle(length, width, 0.01), 0.02, bevel=0.004, bottom=0.008)
    cabin = extrude(rounded_rectangle(length * rng.uniform(0.35, 0.6), width * 0.85, 0.008), 0.018, bevel=0.005, bottom=0.028)
    shift = float(rng.uniform(-0.15, 0.15)) * length
    window = box((length * 0.42, width * 0.87, 0.008), center=(shift, 0, 0.037))
    parts = [Part(body, paint.main), Part(cabin.moved(offset=(shift, 0, 0)), paint.main), Part(window, paint.dark)]
    for x in (-0.3, 0.3):
        for side in (-1, 1):
            wheel = lathe([(0, -0.005), (0.011, -0.005), (0.011, 0.005), (0, 0.005)]).moved(rotation('x', 90), (x * length, side * width / 2, 0.011))
            parts.append(Part(wheel, paint.dark))
    return parts


def brush(rng: Random, paint: Paint) -> list[Part]:
    """A brush with bristles: for teeth, or for paint."""
    if rng.uniform() < 0.6:
        length = rng.uniform(0.15, 0.19)
        handle = tube(np.array([[0, 0, 0.006], [length * 0.5, 0, 0.007], [length, 0, 0.006]]), [0.006, 0.005, 0.004], flat=1.3)
        bristle = box((0.026, 0.009, 0.011), center=(length - 0.012, 0, 0.014))
        return [Part(handle.moved(offset=(-length / 2, 0, 0)), paint.main), Part(bristle.moved(offset=(-length / 2, 0, 0)), paint.light)]
    width = rng.uniform(0.03, 0.06)
    handle = tube(np.array([[0, 0, 0.009], [0.06, 0, 0.01], [0.12, 0, 0.009]]), [0.006, 0.009, 0.008], flat=1.3)
    band = box((0.03, width, 0.014), center=(0.135, 0, 0.009))
    bristle = box((0.045, width * 0.95, 0.011), center=(0.17, 0, 0.009))
    return [Part(part.moved(offset=(-0.09, 0, 0)), surface)
            for part, surface in ((handle, paint.main), (band, paint.steel), (bristle, paint.wood))]


def clock(rng: Random, paint: Paint) -> list[Part]:
    """An alarm clock standing, its face to the front."""
    radius = rng.uniform(0.04, 0.06)
    turned = rotation('x', 90)
    case = lathe([(0, -0.02), (radius, -0.02), (radius, 0.02), (radius * 0.92, 0.02), (radius * 0.92, 0.015), (0, 0.015)], segments=36).moved(turned, (0, 0, radius))
    face = lathe([(radius * 0.92, 0.0155), (0, 0.0155)], segments=36).moved(turned, (0, 0, radius))
    parts = [Part(case, paint.main), Part(face, paint.light)]
    for angle, reach in ((float(rng.uniform(0, 360)), 0.5), (float(rng.uniform(0, 360)), 0.75)):
        hand = box((0.004, 0.001, radius * reach), center=(0, 0, radius * reach / 2)).moved(rotation('y', angle), (0, -0.017, radius))
        parts.append(Part(hand, paint.dark))
    return parts


def calculator(rng: Random, paint: Paint) -> list[Part]:
    """A pocket calculator lying."""
    width, length = rng.uniform(0.07, 0.09), rng.uniform(0.12, 0.16)
    body = extrude(rounded_rectangle(width, length, 0.008), 0.014, bevel=0.002)
    display = box((width * 0.82, length * 0.16, 0.001), center=(0, length * 0.36, 0.0145))
    parts = [Part(body, paint.main), Part(display, Surface(np.array([0.35, 0.42, 0.30]), gloss=0.6))]
    button = paint.light if paint.main.colour.mean() < 0.3 else paint.dark
    for row in np.linspace(-length * 0.4, length * 0.2, 5):
        for column in np.linspace(-width * 0.33, width * 0.33, 4):
            parts.append(Part(box((width * 0.16, length * 0.08, 0.003), center=(column, row, 0.0145)), button))
    return parts


def headphones(rng: Random, paint: Paint) -> list[Part]:
    """Headphones lying on their ear cups."""
    radius = rng.uniform(0.07, 0.085)
    band = tube(np.array([[radius * np.cos(a), radius * 1.1 * np.sin(a), 0.02] for a in np.linspace(-0.3, np.pi + 0.3, 17)]), 0.006, flat=1.8)
    parts = [Part(band, paint.main)]
    for side in (-1, 1):
        cup = lathe([(0, -0.014), (0.03, -0.014), (0.034, 0), (0.03, 0.014), (0, 0.014)]).moved(rotation('y', 90), (side * radius * 0.93, -0.03, 0.034))
        parts.append(Part(cup, paint.main if rng.uniform() < 0.5 else paint.dark))
    return parts


def shoe(rng: Random, paint: Paint) -> list[Part]:
    """A shoe with a sole."""
    length, width = rng.uniform(0.2, 0.25), rng.uniform(0.07, 0.085)
    x = np.linspace(-length / 2, length / 2, 9)
    half = width / 2 * np.array([0.75, 0.9, 0.85, 0.8, 0.85, 0.98, 1.0, 0.85, 0.4])
    outline = np.stack([np.stack([x, half], -1), np.stack([x, -half], -1)], axis=1)
    sole = prism(outline, 0.02)
    upper = tube(np.stack([x[1:], 0 * x[1:], np.array([0.05, 0.052, 0.048, 0.042, 0.036, 0.032, 0.028, 0.024])], -1),
                 half[1:] * np.array([0.9, 0.95, 0.95, 0.9, 0.85, 0.85, 0.8, 0.6]), flat=0.95)
    opening = lathe([(0.0, 0.075), (0.024, 0.075), (0.028, 0.105), (0.024, 0.105), (0.02, 0.08)]).moved(offset=(-length * 0.27, 0, -0.01))
    return [Part(sole, paint.light if rng.uniform() < 0.7 else paint.accent), Part(upper, paint.main), Part(opening, paint.main)]


def flower_pot(rng: Random, paint: Paint) -> list[Part]:
    """A potted plant."""
    radius, height = rng.uniform(0.04, 0.06), rng.uniform(0.06, 0.09)
    pot = lathe([(0, 0), (radius * 0.7, 0), (radius, height * 0.8), (radius * 1.1, height * 0.8), (radius * 1.1, height), (radius * 0.9, height), (0, height * 0.9)])
    green = Surface(np.array([rng.uniform(0.02, 0.08), rng.uniform(0.12, 0.3), 0.03]), gloss=0.15)
    parts = [Part(pot, paint.main)]
    for _ in range(int(rng.integers(7, 15))):
        turn, lean, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.0), rng.uniform(0.05, 0.11)
        end = np.array([np.cos(turn) * lean * reach, np.sin(turn) * lean * reach, height * 0.9 + reach * (1.15 - 0.5 * lean)])
        root = np.array([0, 0, height * 0.9])
        middle = (root + end) / 2 + [0, 0, 0.02]
        parts.append(Part(tube(np.stack([root, middle, end]), [0.003, rng.uniform(0.006, 0.012), 0.001], segments=6, flat=0.3), green))
    return parts


def die(rng: Random, paint: Paint) -> list[Part]:
    """A die with pips."""
    side = rng.uniform(0.016, 0.028)
    corner = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * side / 2
    pip = paint.dark if paint.main.colour.mean() > 0.25 else paint.light
    parts = [Part(extrude(corner, side, bevel=side * 0.08), paint.main)]
    for x, y in ((-0.25, -0.25), (0.25, 0.25), (-0.25, 0.25), (0.25, -0.25), (0, 0))[:int(rng.integers(1, 6))]:
        parts.append(Part(lathe([(side * 0.09, side * 1.002), (0, side * 1.002)], segments=10).moved(offset=(x * side, y * side, 0)), pip))
        parts.append(Part(lathe([(side * 0.09, side * 0.502), (0, side * 0.502)], segments=10)
                          .moved(rotation('x', 90), (x * side, 0, side / 2 + y * side)), pip))
    return parts


def cable(rng: Random, paint: Paint) -> list[Part]:
    """A coiled cable."""
    radius = rng.uniform(0.035, 0.055)
    a = np.linspace(0, 2 * np.pi * rng.uniform(2.5, 4.5), 60)
    path = np.stack([radius * np.cos(a) * (1 + 0.05 * np.sin(a * 0.37)), radius * np.sin(a), 0.004 + 0.0022 * a / np.pi], -1)
    plug = box((0.03, 0.014, 0.009), center=(path[-1] + [0.01, 0, 0.002]))
    return [Part(tube(path, 0.0032, segments=6), paint.main), Part(plug, paint.dark)]


def ring_handle(rng: Random, paint: Paint) -> list[Part]:
    """A padlock standing."""
    width, height = rng.uniform(0.035, 0.05), rng.uniform(0.03, 0.045)
    body = extrude(rounded_rectangle(width, 0.016, 0.004), height, bevel=0.002)
    return [Part(body, paint.main), Part(tube(arc((0, 0, height), width * 0.33, width * 0.55, 0, 180), 0.004), paint.steel)]


TOYS = ('plastic', 'plastic', 'wood')
KINDS = (
    Kind('ball', '공', ball, ANY, ('plastic', 'rubber'), frequency=1.3),
    Kind('block', '블록', block, ANY, TOYS, scale=(0.7, 1.5), frequency=1.8),
    Kind('cylinder', '원기둥', cylinder, ANY, TOYS, ('upright', 'side'), scale=(0.7, 1.4), frequency=0.7),
    Kind('book', '책', book, ANY, ('paper',), holds='on', frequency=1.4),
    Kind('laptop', '노트북', laptop, ('grey', 'grey', 'black', 'white'), ('plastic', 'metal'), scale=(0.9, 1.1), frequency=0.9),
    Kind('keyboard', '키보드', keyboard, ('black', 'white', 'grey'), scale=(0.85, 1.1), frequency=0.9),
    Kind('computer mouse', '마우스', mouse, ('black', 'black', 'white', 'grey', 'red', 'blue', 'pink'), frequency=1.2),
    Kind('phone', '휴대폰', phone, ('black', 'black', 'white', 'grey', 'red', 'blue', 'pink', 'purple'), scale=(0.9, 1.15), frequency=1.2),
    Kind('pen', '펜', pen, ANY),
    Kind('marker', '마커', marker, ANY),
    Kind('scissors', '가위', scissors, ANY, frequency=1.3),
    Kind('hammer', '망치', hammer, ('brown', 'red', 'yellow', 'blue', 'black', 'orange', 'green'), ('plastic', 'wood', 'rubber')),
    Kind('screwdriver', '드라이버', screwdriver, ANY, frequency=1.3),
    Kind('wrench', '렌치', wrench, ('grey', 'grey', 'red', 'blue', 'black'), ('metal',)),
    Kind('pliers', '펜치', pliers, ('red', 'blue', 'yellow', 'green', 'black', 'orange'), ('rubber',)),
    Kind('drill', '드릴', drill, ('yellow', 'red', 'blue', 'green', 'orange', 'black'), ('plastic',), ('upright', 'side')),
    Kind('tape', '테이프', tape, ANY, ('plastic',), ('upright', 'upright', 'side')),
    Kind('stapler', '스테이플러', stapler, ANY),
    Kind('remote control', '리모컨', remote, ('black', 'black', 'grey', 'white', 'red', 'blue')),
    Kind('lamp', '전등', lamp, ANY, ('plastic', 'metal'), frequency=0.7),
    Kind('toy car', '장난감 자동차', toy_car, ANY),
    Kind('brush', '솔', brush, ANY),
    Kind('clock', '시계', clock, ANY, ('plastic', 'metal'), frequency=0.8),
    Kind('calculator', '계산기', calculator, ('black', 'white', 'grey', 'pink', 'blue'), frequency=0.7),
    Kind('headphones', '헤드폰', headphones, ('black', 'white', 'grey', 'red', 'blue', 'pink'), frequency=0.7),
    Kind('shoe', '신발', shoe, ANY, ('fabric', 'rubber'), scale=(0.8, 1.1), frequency=0.6),
    Kind('potted plant', '화분', flower_pot, ('brown', 'white', 'grey', 'orange', 'blue', 'black', 'pink'), ('ceramic',), frequency=0.8),
    Kind('die', '주사위', die, ANY, scale=(0.9, 1.5), frequency=0.6),
    Kind('cable', '케이블', cable, ('black', 'white', 'grey', 'blue', 'red', 'yellow'), ('rubber',), frequency=0.6),
    Kind('padlock', '자물쇠', ring_handle, ('yellow', 'grey', 'red', 'blue', 'black'), ('metal', 'plastic'), frequency=0.6),
)
