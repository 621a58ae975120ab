"""Which things lie on the table and where: kinds, colours, sizes, poses, stacks, without overlaps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import materials
from .kind import Kind
from .kinds import KINDS, draw_kind
from .materials import Part
from .mesh import rotation

CELL = 0.006  # metres a cell of the map of free places
SIZES = {'small': (0.0, 0.12), 'medium': (0.4, 0.6), 'large': (0.88, 1.0)}  # shares of the kind's scale range
FACING = ('laptop', 'clock', 'keyboard')  # people turn these towards themselves
UPRIGHT = {'upright': np.eye(3), 'side': rotation('x', 90), 'down': rotation('x', 180)}


@dataclass(frozen=True)
class Item:
    """One thing in the world (z up, table top at 0, metres).

    ``turn`` (3, 3) and ``middle`` (3,) place its box of half sides ``half``; ``carrier`` is the index of the
    item that it lies on or in, -1 for the table.
    """

    kind: Kind
    colour: str
    material: str
    size_class: str
    scale: float
    parts: tuple[Part, ...]
    turn: np.ndarray
    middle: np.ndarray
    half: np.ndarray
    carrier: int

    def moved(self, offset: np.ndarray) -> Item:
        """Return the thing shifted by metres."""
        parts = tuple(Part(part.mesh.moved(offset=offset), part.surface) for part in self.parts)
        return Item(
            self.kind,
            self.colour,
            self.material,
            self.size_class,
            self.scale,
            parts,
            self.turn,
            self.middle + offset,
            self.half,
            self.carrier,
        )


@dataclass(frozen=True)
class Plan:
    """What a thing shall be before it has a place."""

    kind: Kind
    colour: str
    material: str
    size_class: str
    twin: int  # seed of the shape: things of a group may share it


def plan(rng: np.random.Generator, *, held_out: bool) -> list[Plan]:
    """Draw what lies on the table: groups that need colour, size or place to be told apart, and clutter."""
    plans: list[Plan] = []
    crowd = int(
        rng.choice(
            [2, 3, 4, 5, 6, 7, 8, 9, 11, 13], p=[0.05, 0.1, 0.12, 0.14, 0.14, 0.13, 0.12, 0.09, 0.07, 0.04]
        )
    )
    while len(plans) < crowd:
        kind = draw_kind(rng)
        colour, material = _look(kind, rng)
        first = Plan(kind, colour, material, _size(rng), _shape_seed(rng, held_out))
        plans.append(first)
        group = rng.uniform()
        if group < 0.40:
            for _ in range(int(rng.integers(1, 4))):
                plans.append(_sibling(first, rng, held_out))
        elif group < 0.55:  # the same colour on other kinds, so that a colour alone does not do
            for _ in range(int(rng.integers(1, 3))):
                other = draw_kind(rng)
                if colour in other.colours:
                    plans.append(
                        Plan(other, colour, other.materials[0], _size(rng), _shape_seed(rng, held_out))
                    )
    if rng.uniform() < 0.45:
        holder = list(KINDS.values())
        holder = [kind for kind in holder if kind.holds]
        kind = holder[int(rng.integers(len(holder)))]
        plans.insert(0, Plan(kind, *_look(kind, rng), 'large', _shape_seed(rng, held_out)))
    return plans[:14]


def _sibling(first: Plan, rng: np.random.Generator, held_out: bool) -> Plan:
    """Draw a thing of the same kind that differs in colour, in size or in nothing but its place."""
    way = rng.uniform()
    twin = first.twin if rng.uniform() < 0.5 else _shape_seed(rng, held_out)
    if way < 0.45:
        return Plan(
            first.kind, *_look(first.kind, rng), first.size_class if rng.uniform() < 0.7 else _size(rng), twin
        )
    if way < 0.72:
        other = {'small': 'large', 'large': 'small', 'medium': ('small', 'large')[rng.integers(2)]}[
            first.size_class
        ]
        return Plan(first.kind, first.colour, first.material, other, first.twin)
    return Plan(first.kind, first.colour, first.material, first.size_class, twin)


def _look(kind: Kind, rng: np.random.Generator) -> tuple[str, str]:
    return (
        kind.colours[int(rng.integers(len(kind.colours)))],
        kind.materials[int(rng.integers(len(kind.materials)))],
    )


def _size(rng: np.random.Generator) -> str:
    return str(rng.choice(['small', 'medium', 'large'], p=[0.25, 0.5, 0.25]))


def _shape_seed(rng: np.random.Generator, held_out: bool) -> int:
    """Draw a shape's seed: even ones are for training, odd ones are held out for tests."""
    return 2 * int(rng.integers(2**30)) + int(held_out)


def build(thing: Plan, rng: np.random.Generator, *, held_out: bool) -> tuple[list[Part], float]:
    """Make a thing's parts at its size and in a pose, standing on z = 0 around the z axis.

    :return: parts and the scale.
    """
    colour = materials.paint(thing.colour, thing.material, rng, held_out=held_out)
    parts = thing.kind.make(np.random.default_rng(thing.twin), colour)
    low, high = thing.kind.scale
    scale = low + (high - low) * rng.uniform(*SIZES[thing.size_class])
    pose = UPRIGHT[thing.kind.poses[int(rng.integers(len(thing.kind.poses)))]]
    moved = [part.mesh.moved(pose * scale) for part in parts]
    vertices = np.concatenate([mesh.vertices for mesh in moved])
    low_corner, high_corner = vertices.min(0), vertices.max(0)
    offset = np.array([*(-(low_corner + high_corner)[:2] / 2), -low_corner[2]])
    placed = []
    for mesh, part in zip(moved, parts, strict=True):
        normals = mesh.normals / scale
        mesh = mesh.moved(offset=offset)
        placed.append(Part(type(mesh)(mesh.vertices, normals, mesh.uv, mesh.faces), part.surface))
    return placed, scale


class Table:
    """The free places of the table's working area."""

    def __init__(self, reach: float) -> None:
        self.reach = reach
        cells = int(2 * reach / CELL)
        self.taken = np.zeros((cells, cells), np.uint8)

    def find(
        self, half: np.ndarray, angle: float, rng: np.random.Generator, *, spread: float, gap: float
    ) -> np.ndarray | None:
        """Find a free place for a rectangle of half sides (2,) turned by ``angle``, and take it."""
        c, s = np.cos(angle), np.sin(angle)
        corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (half + gap / 2)
        corners = corners @ np.array([[c, s], [-s, c]])
        limit = self.reach - np.abs(corners).max(0)
        if (limit <= 0).any():
            return None
        for _ in range(25):
            place = np.clip(rng.normal(0, spread * self.reach, 2), -limit, limit)
            stamp = np.zeros_like(self.taken)
            polygon = ((corners + place + self.reach) / CELL).astype(np.int32)
            cv2.fillConvexPoly(stamp, polygon, 1)
            if not (stamp & self.taken).any():
                self.taken |= stamp
                return place
        return None


def lay_out(rng: np.random.Generator, *, held_out: bool) -> tuple[list[Item], float]:
    """Draw the things of a scene and place them; at least one finds a place.

    :return: items, and half the width of the area that holds them (metres).
    """
    while True:
        plans = plan(rng, held_out=held_out)
        reach = float(np.clip(rng.uniform(0.14, 0.24) + 0.02 * len(plans), 0.2, 0.5))
        items = _place(plans, reach, rng, held_out=held_out)
        if items:
            return items, reach


def _place(plans: list[Plan], reach: float, rng: np.random.Generator, *, held_out: bool) -> list[Item]:
    """Put things on the table, or on and in one another; what finds no place is left out."""
    table = Table(reach)
    items: list[Item] = []
    spread, gap = rng.uniform(0.35, 0.8), rng.uniform(0.0, 0.03)
    for thing in plans:
        parts, scale = build(thing, rng, held_out=held_out)
        half = np.ptp(np.concatenate([part.mesh.vertices for part in parts]), axis=0) / 2
        angle = float(rng.uniform(0, 2 * np.pi))
        if thing.kind.name in FACING and rng.uniform() < 0.8:
            angle = float(rng.normal(0, 0.6))
        carrier = _carrier(items, half, rng)
        if carrier >= 0:
            place = _on_top(items[carrier], half, rng)
        else:
            flat = table.find(half[:2], angle, rng, spread=spread, gap=gap)
            if flat is None:
                continue
            place = np.array([*flat, 0.0])
        turn = rotation('z', np.degrees(angle))
        parts = [Part(part.mesh.moved(turn, place), part.surface) for part in parts]
        items.append(
            Item(
                thing.kind,
                thing.colour,
                thing.material,
                thing.size_class,
                scale,
                tuple(parts),
                turn,
                place + np.array([0, 0, half[2]]),
                half,
                carrier,
            )
        )
    return items


def _carrier(items: list[Item], half: np.ndarray, rng: np.random.Generator) -> int:
    """Choose an item to lie on or in, now and then; -1 is the table."""
    if rng.uniform() > 0.4:
        return -1
    for index, item in enumerate(items):
        free = item.carrier < 0 and not any(other.carrier == index for other in items)
        share = {'in': 0.75, 'on': 0.9, '': 0.0}[item.kind.holds]
        if free and half[:2].max() < item.half[:2].min() * share:
            return index
    return -1


def _on_top(item: Item, half: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return where a thing rests on its carrier: on the highest point of what is under its middle."""
    room = np.maximum(item.half[:2].min() * 0.8 - half[:2].max(), 0)
    place = item.middle[:2] + rng.uniform(-0.5, 0.5, 2) * room
    vertices = np.concatenate([part.mesh.vertices for part in item.parts])
    if item.kind.holds == 'in':
        under = np.linalg.norm(vertices[:, :2] - place, axis=1) < half[:2].max() * 0.8
        height = vertices[under, 2].max() if under.any() else 0.006
        height = min(height, item.middle[2])
    else:
        under = np.linalg.norm(vertices[:, :2] - item.middle[:2], axis=1) < item.half[:2].min() * 0.6
        height = vertices[under, 2].max() if under.any() else item.middle[2] + item.half[2]
        if item.kind.name in ('tray', 'plate'):
            height = min(height, item.middle[2])
        else:
            height = item.middle[2] + item.half[2]
    return np.array([*place, height + 0.0005])
