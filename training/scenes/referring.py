"""What a description fits in a scene: exactly one thing, or not clearly one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .kind import Kind
from .scene import SceneObject

# kinds that a name may mean too: a description that meets one of them is not clear
CONFUSABLE = (
    {'cup', 'mug', 'glass'},
    {'bottle', 'jar'},
    {'bottle', 'vase'},
    {'jar', 'vase'},
    {'cup', 'jar'},
    {'pen', 'marker'},
    {'pen', 'brush'},
    {'marker', 'brush'},
    {'teapot', 'kettle'},
    {'pot', 'pan'},
    {'pot', 'bowl'},
    {'tray', 'plate'},
    {'plate', 'bowl'},
    {'tray', 'cutting board'},
    {'block', 'die'},
    {'block', 'box'},
    {'box', 'milk carton'},
    {'block', 'cylinder'},
    {'candle', 'cylinder'},
    {'can', 'cylinder'},
    {'orange', 'ball'},
    {'tomato', 'ball'},
    {'tomato', 'apple'},
    {'basket', 'box'},
    {'basket', 'tray'},
    {'basket', 'bowl'},
    {'spatula', 'ladle'},
    {'spoon', 'ladle'},
    {'phone', 'calculator'},
    {'phone', 'remote control'},
    {'cucumber', 'eggplant'},
    {'potted plant', 'vase'},
    {'pot', 'potted plant'},
    {'book', 'box'},
    {'block', 'sponge'},
    {'cup', 'bowl'},
    {'can', 'jar'},
    {'egg', 'ball'},
)
LARGER = 1.22  # a thing this many times as large as the others of its kind is the large one
LARGER_SEEN = 1.10  # and it must look larger too
BACKGROUND_KINDS = ('box', 'block')  # what the plain boxes in the background may be called
HIDDEN = 0.3  # a thing of which less is seen may be overlooked when things are compared or counted
APART = 0.05  # of the picture's width: places closer than this are not told apart
DEPTH_APART = 0.05  # metres along the ground, for nearest and farthest
NO_CLUTTER: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Seen:
    """A thing in view: its ground truth, visible pixels, their middle, where it stands and on what."""

    object: SceneObject
    kind: Kind
    pixels: int
    middle: tuple[float, float]
    ground: tuple[float, float]  # metres along the table: to the camera's right, away from it
    carrier: int  # id of what it lies on or in; 0 for the table

    @cached_property
    def extent(self) -> float:
        """The edge of a cube of its box's volume, metres."""
        return float(np.prod(self.object.size) ** (1 / 3))

    @cached_property
    def distance(self) -> float:
        """Metres from the camera to its middle."""
        return float(np.linalg.norm(self.object.center))

    @cached_property
    def looks(self) -> float:
        """The edge of a square of its 2-D box's area, pixels."""
        x0, y0, x1, y1 = self.object.box2d
        return float(((x1 - x0) * (y1 - y0)) ** 0.5)

    @cached_property
    def radius(self) -> float:
        """Half its mean width on the table, metres."""
        return float(np.mean(np.sort(self.object.size[:2])) / 2)


@dataclass(frozen=True)
class Description:
    """What a phrase says; empty fields say nothing. ``ordinal`` (n, side) counts from 'left' or 'right'."""

    kind: str = ''
    colour: str = ''
    size: str = ''  # 'large' or 'small'
    position: str = ''  # leftmost, rightmost, left, right, middle, nearest, farthest
    ordinal: tuple[int, str] = (0, '')
    relation: str = ''  # left_of, right_of, behind, in_front_of, next_to, on, in
    reference: Seen | None = None

    def says(self) -> tuple[str, ...]:
        """Return the names of what it says."""
        told = {
            'kind': self.kind,
            'colour': self.colour,
            'size': self.size,
            'position': self.position,
            'relation': self.relation,
            'ordinal': self.ordinal[0],
        }
        return tuple(name for name, value in told.items() if value)

    def without(self, name: str) -> Description:
        """Return the description less one thing that it says."""
        if name == 'relation':
            return replace(self, relation='', reference=None)
        empty: dict[str, Any] = {name: (0, '') if name == 'ordinal' else ''}
        return replace(self, **empty)


def resolve(
    description: Description, seen: Sequence[Seen], width: int, clutter: frozenset[str] = NO_CLUTTER
) -> int:
    """Return the id of the one thing that fits, 0 where none or not clearly one does.

    :param width: of the picture in pixels.
    :param clutter: names of the colours of plain boxes that the background shows; empty where it shows none.
    """
    if clutter and _background_fits(description, clutter):
        return 0
    group = []
    for thing in seen:
        fits = _kind_fits(description.kind, thing.object.kind)
        if description.colour and description.colour != thing.object.colour:
            fits = False
        if description.relation and fits is not False and description.reference is not None:
            related = _related(thing, description.relation, description.reference)
            fits = related if fits else (None if related is not False else False)
        if fits is None:
            return 0
        if fits:
            group.append(thing)
    compares = description.size or description.position or description.ordinal[0]
    if compares and any(thing.object.visible < HIDDEN for thing in group):
        return 0
    if description.size:
        group = _sized(group, description.size)
    if description.position:
        group = _placed(group, description.position, width)
    if description.ordinal[0]:
        group = _counted(group, *description.ordinal, width)
    return group[0].object.id if len(group) == 1 else 0


def needs(
    description: Description,
    target: int,
    seen: Sequence[Seen],
    width: int,
    clutter: frozenset[str] = NO_CLUTTER,
) -> tuple[str, ...]:
    """Return what the description says that it cannot do without."""
    return tuple(
        name
        for name in description.says()
        if resolve(description.without(name), seen, width, clutter) != target
    )


def confusable(first: str, second: str) -> bool:
    """Tell whether the name of one kind may mean the other too."""
    return first in _ALIKE.get(second, ())


_ALIKE = {
    kind: set().union(*(group for group in CONFUSABLE if kind in group)) for kind in set().union(*CONFUSABLE)
}


def _background_fits(description: Description, clutter: frozenset[str]) -> bool:
    """Tell whether a plain box of the background may be meant; nothing carries those."""
    return (
        description.kind in ('', *BACKGROUND_KINDS)
        and (not description.colour or description.colour in clutter)
        and description.relation not in ('on', 'in')
    )


def _kind_fits(wanted: str, kind: str) -> bool | None:
    if not wanted or wanted == kind:
        return True
    return None if confusable(wanted, kind) else False


def _related(thing: Seen, relation: str, reference: Seen) -> bool | None:
    """Tell whether a thing stands so to the reference; None where people might disagree."""
    if thing is reference:
        return False
    if relation in ('on', 'in'):
        return thing.carrier == reference.object.id and (reference.kind.holds or 'on') == relation
    if thing.carrier == reference.object.id or reference.carrier == thing.object.id:
        return False
    right = thing.ground[0] - reference.ground[0]
    away = thing.ground[1] - reference.ground[1]
    touch = thing.radius + reference.radius
    if relation == 'next_to':
        gap = float(np.hypot(right, away)) - touch
        return True if gap < 0.04 else (None if gap < 0.12 else False)
    along, across = {
        'left_of': (-right, away),
        'right_of': (right, away),
        'behind': (away, right),
        'in_front_of': (-away, right),
    }[relation]
    if along > 0.6 * touch and abs(across) < 0.8 * along:
        return True
    return False if along < 0.1 * touch or abs(across) > 2.0 * along else None


def _sized(group: list[Seen], size: str) -> list[Seen]:
    """Keep the clearly largest or smallest of a group of wholly visible things."""
    if len(group) < 2:
        return group
    sign = 1 if size == 'large' else -1
    first, second = sorted(group, key=lambda thing: -sign * thing.extent)[:2]
    clear = (first.extent / second.extent) ** sign > LARGER
    looks = all((first.looks / other.looks) ** sign > LARGER_SEEN for other in group if other is not first)
    whole = all(thing.object.visible > 0.8 for thing in group)
    return [first] if clear and looks and whole else []


def _placed(group: list[Seen], position: str, width: int) -> list[Seen]:
    if len(group) < 2:
        return group
    margin = APART * width
    if position in ('left', 'right', 'middle'):
        place = [thing.middle[0] / width for thing in group]
        sides = {'left': (0.0, 0.42, 0.5), 'right': (0.58, 1.0, 0.5)}
        if position == 'middle':
            order = sorted(group, key=lambda thing: thing.middle[0])
            if (
                len(order) != 3
                or min(b.middle[0] - a.middle[0] for a, b in itertools.pairwise(order)) < margin
            ):
                return []
            return [order[1]]
        low, high, limit = sides[position]
        inside = [thing for thing, x in zip(group, place, strict=True) if low <= x <= high]
        unclear = [
            x for x in place if not low <= x <= high and (x < limit if position == 'left' else x > limit)
        ]
        return [] if unclear else inside
    if position in ('leftmost', 'rightmost'):
        sign = 1 if position == 'leftmost' else -1
        first, second = sorted(group, key=lambda thing: sign * thing.middle[0])[:2]
        return [first] if sign * (second.middle[0] - first.middle[0]) > margin else []
    sign = 1 if position == 'nearest' else -1
    first, second = sorted(group, key=lambda thing: sign * thing.ground[1])[:2]
    lower = sign * (first.object.box2d[3] - second.object.box2d[3]) > 0
    apart = sign * (second.ground[1] - first.ground[1]) > DEPTH_APART
    # the ground's order may differ from that of the distance to the lens: people may mean either
    agreed = all(sign * (other.distance - first.distance) > 0 for other in group if other is not first)
    return [first] if lower and apart and agreed else []


def _counted(group: list[Seen], number: int, side: str, width: int) -> list[Seen]:
    order = sorted(group, key=lambda thing: thing.middle[0] if side == 'left' else -thing.middle[0])
    gaps = [abs(b.middle[0] - a.middle[0]) for a, b in itertools.pairwise(order)]
    if len(order) < max(number, 3) or min(gaps) < APART * width:
        return []
    return [order[number - 1]]
