"""Which things lie on the table and where: kinds, colours, sizes, poses, stacks, without overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import materials
from .kind import Kind
from .kinds import KINDS, draw_kind
from .materials import Part
from .mesh import rotation
from .tracer import World

CELL = 0.006  # metres a cell of the map of free places
COLUMN = 0.003  # metres from one ray to the next where a thing is let down on its carrier
SUNK = 0.02  # metres above a carrier's floor, at most: what stays higher lies on its walls or its handle
LEVEL = 0.002  # metres: places that differ by less are equally low
NOWHERE = 1e3  # metres; stands for a height where there is nothing
SIZES = {'small': (0.0, 0.12), 'medium': (0.4, 0.6), 'large': (0.88, 1.0)}  # shares of the kind's scale range
FACING = ('laptop', 'clock', 'keyboard')  # people turn these towards themselves
UPRIGHT = {'upright': np.eye(3), 'side': rotation('x', 90), 'down': rotation('x', 180)}


@dataclass(frozen=True)
class Item:
    """One thing in the world (z up, table top at 0, metres).

    ``pose`` is a key of :data:`UPRIGHT`. ``turn`` (3, 3) and ``middle`` (3,) place its box of half sides
    ``half``; ``carrier`` is the index of the item that it lies on or in, -1 for the table.
    """

    kind: Kind
    colour: str
    material: str
    size_class: str
    scale: float
    parts: tuple[Part, ...]
    pose: str
    turn: np.ndarray
    middle: np.ndarray
    half: np.ndarray
    carrier: int

    def moved(self, offset: np.ndarray) -> Item:
        """Return the thing shifted by metres."""
        parts = tuple(Part(part.mesh.moved(offset=offset), part.surface) for part in self.parts)
        return replace(self, parts=parts, middle=self.middle + offset)


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


def build(thing: Plan, rng: np.random.Generator, *, held_out: bool) -> tuple[list[Part], float, str]:
    """Make a thing's parts at its size and in a pose, standing on z = 0 around the z axis.

    :return: parts, the scale and the pose.
    """
    colour = materials.paint(thing.colour, thing.material, rng, held_out=held_out)
    parts = thing.kind.make(np.random.default_rng(thing.twin), colour)
    low, high = thing.kind.scale
    scale = low + (high - low) * rng.uniform(*SIZES[thing.size_class])
    pose = thing.kind.poses[int(rng.integers(len(thing.kind.poses)))]
    moved = [part.mesh.moved(UPRIGHT[pose] * scale) for part in parts]
    vertices = np.concatenate([mesh.vertices for mesh in moved])
    low_corner, high_corner = vertices.min(0), vertices.max(0)
    offset = np.array([*(-(low_corner + high_corner)[:2] / 2), -low_corner[2]])
    placed = []
    for mesh, part in zip(moved, parts, strict=True):
        normals = mesh.normals / scale
        mesh = mesh.moved(offset=offset)
        placed.append(Part(type(mesh)(mesh.vertices, normals, mesh.uv, mesh.faces), part.surface))
    return placed, scale, pose


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
        parts, scale, pose = build(thing, rng, held_out=held_out)
        half = np.ptp(np.concatenate([part.mesh.vertices for part in parts]), axis=0) / 2
        angle = float(rng.uniform(0, 2 * np.pi))
        if thing.kind.name in FACING and rng.uniform() < 0.8:
            angle = float(rng.normal(0, 0.6))
        turn = rotation('z', np.degrees(angle))
        parts = [Part(part.mesh.moved(turn), part.surface) for part in parts]
        carrier = _carrier(items, half, rng)
        place = _on_top(items[carrier], parts, rng) if carrier >= 0 else None
        if place is None:
            carrier = -1
            flat = table.find(half[:2], angle, rng, spread=spread, gap=gap)
            if flat is None:
                continue
            place = np.array([*flat, 0.0])
        parts = [Part(part.mesh.moved(offset=place), part.surface) for part in parts]
        items.append(
            Item(
                thing.kind,
                thing.colour,
                thing.material,
                thing.size_class,
                scale,
                tuple(parts),
                pose,
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
        free = free and item.pose == 'upright'  # nothing lies in a bowl that is upside down
        share = {'in': 0.75, 'on': 0.9, '': 0.0}[item.kind.holds]
        if free and half[:2].max() < item.half[:2].min() * share:
            return index
    return -1


def _on_top(item: Item, parts: Sequence[Part], rng: np.random.Generator) -> np.ndarray | None:
    """Return where a thing rests that is let down on its carrier; None where it finds no room there.

    Rays measure the carrier from above and the thing from below. At every place the thing sinks until the
    first of its columns meets the carrier, so it neither hovers nor runs through walls and handles; one of
    the lowest places is taken.

    :param parts: of the thing, turned, standing on z = 0.
    """
    top, corner = _relief(item.parts, above=True)
    under, edge = _relief(parts, above=False)
    if under.shape[0] > top.shape[0] or under.shape[1] > top.shape[1]:
        return None
    windows = sliding_window_view(top, under.shape)
    rest = np.full(windows.shape[:2], -np.inf)
    for row, line in enumerate(under):
        rest = np.maximum(rest, (windows[:, :, row] - line).max(-1))
    if rest.min() > top.min() + min(SUNK, item.half[2]):
        return None
    lowest = np.argwhere(rest <= rest.min() + LEVEL)
    row, column = lowest[int(rng.integers(len(lowest)))]
    return np.array([*(corner + COLUMN * np.array([column, row]) - edge), rest[row, column] + 0.0005])


def _relief(parts: Sequence[Part], *, above: bool) -> tuple[np.ndarray, np.ndarray]:
    """Measure heights on a grid of columns with rays from above, or from below.

    :return: (rows, columns) metres, row by row along y; and x and y of the first corner. Where there is
        nothing, nothing can rest (seen from above) and nothing touches (seen from below).
    """
    vertices = np.concatenate([part.mesh.vertices for part in parts])
    low, high = vertices.min(0), vertices.max(0)
    columns, rows = np.ceil((high - low)[:2] / COLUMN).astype(int)
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    x, y = low[0] + COLUMN * x, low[1] + COLUMN * y
    start, way = (high[2] + 0.1, -1.0) if above else (low[2] - 0.1, 1.0)
    origins = np.stack([x.ravel(), y.ravel(), np.full(x.size, start)], axis=1).astype(np.float32)
    directions = np.tile(np.array([0, 0, way], np.float32), (x.size, 1))
    hits = World(parts, [1] * len(parts)).hit(origins, directions)
    nothing = NOWHERE if above else 2 * NOWHERE
    return np.where(hits.found, start + way * hits.distance, nothing).reshape(x.shape), low[:2]
