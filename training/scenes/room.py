"""What surrounds the things: the table, walls and floor, lamps, and hands and grippers that reach in."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from . import textures
from .camera import Camera
from .materials import Part, Surface, linear
from .mesh import Mesh, box, ellipsoid, merge, panel, rotation, tube
from .tracer import Light, Surroundings

FLOOR = -0.75


def tiled(mesh: Mesh, repeats: float) -> Mesh:
    """Repeat the texture over a mesh."""
    return replace(mesh, uv=mesh.uv * repeats)


def furniture(
    rng: np.random.Generator, camera: Camera, reach: float, *, held_out: bool = False
) -> tuple[list[Part], list[Part]]:
    """Make the table top (its surface at z = 0), the walls and the floor; and boxes that stand behind.

    :return: the first three, and the boxes, each of which is one part of one colour.
    """
    width, depth = reach * rng.uniform(2.2, 5.0), reach * rng.uniform(2.0, 3.5)
    top = Surface(
        np.ones(3), textures.table(rng, held_out=held_out), gloss=float(rng.choice([0.0, 0.05, 0.2, 0.5]))
    )
    slab = box((width, depth, 0.03), center=(0, 0, -0.015))
    scale = max(width, depth) / rng.uniform(0.5, 1.2)
    parts = [Part(tiled(slab, scale), top)]
    if rng.uniform() < 0.25:
        size = rng.uniform(0.3, 0.6) * width, rng.uniform(0.3, 0.6) * depth
        mat = box((*size, 0.0012), center=(*(rng.uniform(-0.1, 0.1, 2) * width), 0.0003))
        parts.append(Part(tiled(mat, 2), Surface(np.ones(3), textures.cloth(rng), gloss=0.0)))
    back = max(depth / 2 + rng.uniform(0.01, 1.2), 0.3)
    turn = rotation(
        'z', float(np.degrees(np.arctan2(camera.pose[1, 2], camera.pose[0, 2])) - 90 + rng.normal(0, 12))
    )
    faces = [(np.array([0, back, 0.6]), np.array([2.5, 0, 0]), np.array([0, 0, 1.4]))]
    if rng.uniform() < 0.4:
        side = rng.choice([-1, 1]) * rng.uniform(0.8, 2.0)
        faces.append((np.array([side, 0, 0.6]), np.array([0, 2.5, 0]), np.array([0, 0, 1.4])))
    for middle, right, up in faces:
        paper = Surface(np.ones(3), textures.wall(rng, held_out=held_out), gloss=0.0)
        parts.append(Part(tiled(panel(middle, right, up).moved(turn), rng.uniform(1, 3)), paper))
    floor = Surface(np.full(3, rng.uniform(0.3, 1.0)), textures.table(rng, held_out=held_out), gloss=0.1)
    ground = panel(np.array([0, 0, FLOOR]), np.array([4.0, 0, 0]), np.array([0, 4.0, 0]))
    return [*parts, Part(tiled(ground, 6), floor)], _clutter_behind(rng, back, turn)


def _clutter_behind(rng: np.random.Generator, back: float, turn: np.ndarray) -> list[Part]:
    """Stand plain coloured shapes beyond the table's edge."""
    parts = []
    for _ in range(int(rng.integers(0, 5))):
        size = rng.uniform(0.1, 0.5, 3)
        mesh = box(size, center=(rng.uniform(-1.2, 1.2), back - size[1] / 2, rng.uniform(FLOOR, 0.2)))
        surface = Surface(linear(rng.uniform(0.05, 1.0, 3)), gloss=float(rng.uniform(0, 0.4)))
        parts.append(Part(mesh.moved(turn), surface))
    return parts


def lighting(rng: np.random.Generator) -> Surroundings:
    """Draw one to three lamps, the ambient light and a panorama for reflections."""
    warm = rng.uniform(-1, 1)
    tint = np.array([1 + 0.12 * warm, 1.0, 1 - 0.16 * warm])
    lights = []
    share = rng.dirichlet(np.ones(int(rng.integers(1, 4))) * 1.5)
    strength = rng.uniform(0.25, 1.0)
    for part in share:
        angle, high = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 2.4)
        away = rng.uniform(0.3, 1.8)
        position = np.array([away * np.cos(angle), away * np.sin(angle), high])
        power = strength * part * (position**2).sum() * 1.3
        lights.append(Light(position, float(rng.uniform(0.03, 0.45)), (power * tint).astype(np.float32)))
    ambient = (1.15 - 0.75 * strength) * (2 - tint)
    return Surroundings(tuple(lights), ambient.astype(np.float32), _panorama(rng, ambient))


def _panorama(rng: np.random.Generator, ambient: np.ndarray) -> np.ndarray:
    """Paint a room: bright above, darker below, with windows and lamps."""
    height, width = 48, 96
    column = np.linspace(1.1, 0.35, height, dtype=np.float32)[:, None, None]
    room = np.tile(column * ambient.astype(np.float32), (1, width, 1))
    for _ in range(int(rng.integers(1, 5))):
        y, x = int(rng.integers(0, height // 2)), int(rng.integers(0, width))
        room[y : y + int(rng.integers(3, 14)), x : x + int(rng.integers(4, 18))] *= rng.uniform(1.5, 4.0)
    for _ in range(int(rng.integers(1, 5))):
        y, x = int(rng.integers(height // 4, height)), int(rng.integers(0, width))
        room[y : y + int(rng.integers(3, 14)), x : x + int(rng.integers(4, 18))] *= rng.uniform(0.2, 0.7)
    return cv2.GaussianBlur(room, (0, 0), 1.0)


def visitors(rng: np.random.Generator, camera: Camera, reach: float) -> list[Part]:
    """Let a hand or a gripper reach into the picture, now and then."""
    choice = rng.uniform()
    if choice > 0.32:
        return []
    parts = _hand(rng) if choice < 0.16 else _gripper(rng)
    near = rng.uniform(-1, 1, 2) * reach * [0.9, 0.5]
    place = np.array([*near, rng.uniform(0.07, 0.2)])
    turn = rotation('z', float(rng.uniform(0, 360)))
    return [Part(part.mesh.moved(turn, place), part.surface) for part in parts]


def _hand(rng: np.random.Generator) -> list[Part]:
    tones = np.array([[0.96, 0.80, 0.69], [0.88, 0.67, 0.53], [0.70, 0.48, 0.34], [0.42, 0.27, 0.19]])
    skin = Surface(
        linear(tones[int(rng.integers(4))] * rng.uniform(0.9, 1.05)), textures.speckle(rng), gloss=0.12
    )
    sleeve = Surface(linear(rng.uniform(0.05, 0.95, 3)), textures.weave(rng), gloss=0.0)
    bend = rng.uniform(0.2, 1.0)
    meshes = [ellipsoid((0.048, 0.042, 0.018))]
    for y in (-0.030, -0.011, 0.009, 0.028):
        knuckle = np.array([0.042, y, 0.0])
        middle = knuckle + np.array([0.036, y * 0.1, -0.022 * bend])
        tip = middle + np.array([0.03 * (1 - 0.6 * bend), 0, -0.034 * bend])
        meshes.append(tube(np.stack([knuckle, middle, tip]), [0.010, 0.009, 0.007], segments=8))
    thumb = np.array([[0.0, -0.035, -0.005], [0.035, -0.06, -0.02], [0.06, -0.05, -0.04]])
    meshes.append(tube(thumb, [0.013, 0.011, 0.008], segments=8))
    up = rng.uniform(0.05, 0.35)
    wrist = np.array([[-0.035, 0, 0.0], [-0.12, 0, 0.12 * up + 0.01], [-0.2, 0, 0.2 * up + 0.02]])
    meshes.append(tube(wrist, [0.027, 0.03, 0.034]))
    arm = np.array([[-0.17, 0, 0.17 * up + 0.015], [-0.4, 0, 0.42 * up], [-0.8, 0, 0.8 * up]])
    return [Part(merge(meshes), skin), Part(tube(arm, [0.045, 0.055, 0.065]), sleeve)]


def _gripper(rng: np.random.Generator) -> list[Part]:
    tone = rng.choice([0.02, 0.05, 0.35, 0.8])
    body = Surface(np.full(3, tone) * rng.uniform(0.9, 1.1, 3), gloss=float(rng.uniform(0.1, 0.6)))
    pad = Surface(np.full(3, rng.choice([0.02, 0.1, 0.6])), gloss=0.1)
    opening, length = rng.uniform(0.01, 0.045), rng.uniform(0.05, 0.09)
    fingers = [box((0.016, 0.012, length), center=(0, side * opening, length / 2 - 0.02)) for side in (-1, 1)]
    tips = [box((0.018, 0.008, 0.02), center=(0, side * (opening - 0.004), -0.012)) for side in (-1, 1)]
    palm = box((0.06, 0.13, 0.05), center=(0, 0, length))
    wrist = tube(np.array([[0, 0, length + 0.02], [0, 0, length + 0.14]]), 0.035)
    lean = rng.normal(0, 0.25, 2)
    arm = tube(
        np.array(
            [
                [0, 0, length + 0.13],
                [lean[0] * 0.5, lean[1] * 0.5, length + 0.45],
                [lean[0], lean[1], length + 1.0],
            ]
        ),
        [0.045, 0.05, 0.055],
    )
    return [
        Part(merge([*fingers, palm]), body),
        Part(merge(tips), pad),
        Part(merge([wrist, arm]), body if rng.uniform() < 0.6 else replace(body, colour=np.full(3, 0.75))),
    ]
