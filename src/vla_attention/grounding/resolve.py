"""Which of several candidate regions a phrase means: a plain function over boxes, for every backend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_attention.grounding.relations import RELATIONS as PAIR_RELATIONS
from vla_attention.grounding.relations import gaps, relation_scores
from vla_attention.language.phrase import Phrase

RELATIONS = PAIR_RELATIONS | {'closest_to', 'farthest_from'}
# canonical position -> direction (x right, y down) in which it lies, (0, 0) for the middle
_SIDES = {
    'left': (-1, 0), 'right': (1, 0), 'top': (0, -1), 'bottom': (0, 1),
    'back': (0, -1), 'front': (0, 1), 'middle': (0, 0), 'top_left': (-1, -1), 'top_right': (1, -1),
    'bottom_left': (-1, 1), 'bottom_right': (1, 1),
}
_EXTREMES = {'leftmost': (-1, 0), 'rightmost': (1, 0), 'topmost': (0, -1), 'bottommost': (0, 1),
             'backmost': (0, -1), 'frontmost': (0, 1)}
POSITIONS = frozenset(_SIDES) | frozenset(_EXTREMES) | {'edge', 'corner'}
# canonical size -> (what is measured, +1 for more of it and -1 for less, how sharply)
_SIZES = {
    'large': ('area', 1, 0.5), 'small': ('area', -1, 0.5), 'largest': ('area', 1, 2.0),
    'smallest': ('area', -1, 2.0), 'tall': ('height', 1, 1.0), 'short': ('height', -1, 1.0),
    'tallest': ('height', 1, 4.0), 'shortest': ('height', -1, 4.0), 'long': ('length', 1, 1.0),
    'longest': ('length', 1, 4.0),
    'wide': ('width', 1, 1.0), 'widest': ('width', 1, 4.0), 'narrow': ('width', -1, 1.0),
    'narrowest': ('width', -1, 4.0), 'thick': ('breadth', 1, 1.0), 'thin': ('breadth', -1, 1.0),
    'thickest': ('breadth', 1, 4.0), 'thinnest': ('breadth', -1, 4.0), 'medium': ('area', 0, 1.0),
}
SIZES = frozenset(_SIZES)
SAME = 0.65         # two boxes that share so much of the smaller one are one thing, when things are counted
NOT_FOUND = 0.5     # what a relation is worth when its reference was looked for and is not in view


@dataclass(frozen=True)
class Resolution:
    """The parts of :func:`resolve`, each (N,) float32 in 0..1, and 1 where the phrase asks nothing."""

    kind: np.ndarray
    colour: np.ndarray
    size: np.ndarray
    space: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """Return the product of the parts, (N,) float32 in 0..1."""
        return self.kind * self.colour * self.size * self.space


def resolve(phrase: Phrase, candidates: np.ndarray, *, image_size: tuple[int, int],
            references: np.ndarray | None = None, colours: np.ndarray | None = None,
            areas: np.ndarray | None = None) -> np.ndarray:
    """Return (N,) float32 how well each candidate answers the phrase, 0..1; see :func:`resolve_parts`.

    :raises ValueError: as :func:`resolve_parts`.
    """
    return resolve_parts(phrase, candidates, image_size=image_size, references=references, colours=colours,
                         areas=areas).score


def resolve_parts(phrase: Phrase, candidates: np.ndarray, *, image_size: tuple[int, int],
                  references: np.ndarray | None = None, colours: np.ndarray | None = None,
                  areas: np.ndarray | None = None) -> Resolution:
    """Judge candidates by what the phrase says of kind, colour, size, place and relation.

    Everything is graded, nothing is cut off, and left and right are the viewer's (image x right, y down).
    "large", "second" and "leftmost" compare a candidate with the others that could be meant: each counts as
    much as its kind, colour and relation to the reference make it plausible, so a stray box with a low
    score does not shift the count, and boxes that lie in one another count as one. An ordinal without a
    side counts from the left, one with a superlative size ("second largest") along that size, -1 is the
    last. Plain "left" is half the place in the image and half the rank among the candidates, so "the left
    cup" works when both cups stand right. Sizes are those in the image unless ``areas`` gives true ones: a
    near small thing looks large. The limits of relations stand in :mod:`relations`.

    :param candidates: (N, 5) x0, y0, x1, y1 in pixels and the backend's score of the kind, 0..1.
    :param image_size: (width, height) in pixels.
    :param references: (M, 5) regions of ``phrase.reference``; None when nobody looked for it (the relation
        is then not judged: 1), empty when it is not in view (:data:`NOT_FOUND` for all). For "between",
        the regions of both things together.
    :param colours: (N,) evidence 0..1 that a candidate has the phrase's colours; used when it names one.
    :param areas: (N,) true areas (any one unit); box areas otherwise. Used for large and small alone.
    :raises ValueError: a shape does not fit, a box is not finite or upside down, a score outside 0..1, or
        a relation, position or size that is not in :data:`RELATIONS`, :data:`POSITIONS`, :data:`SIZES`.
    """
    candidates = _boxes('candidates', candidates)
    count = len(candidates)
    width, height = image_size
    if width <= 0 or height <= 0:
        raise ValueError(f'image_size must be positive, not {image_size}')
    for field, known in (('relation', RELATIONS), ('position', POSITIONS), ('size', SIZES)):
        value = getattr(phrase, field)
        if value and value not in known:
            raise ValueError(f'phrase.{field} is {value!r}; there are {", ".join(sorted(known))}')
    kind = candidates[:, 4]
    colour = _column('colours', colours, count) if colours is not None and phrase.colours else np.ones(count)
    if colour.size and (colour.min() < 0 or colour.max() > 1):
        raise ValueError(f'colours must lie in 0..1, not {colour.min()}..{colour.max()}')
    measured = {
        'area': _column('areas', areas, count) if areas is not None else _extent(candidates, 'area'),
        **{name: _extent(candidates, name) for name in ('height', 'width', 'length', 'breadth')}}

    member = _plausible(kind * colour)
    relation = _relation(phrase.relation, candidates, references, member)
    member = _plausible(member * relation)
    others = _others(candidates, member)
    place = _position(phrase, candidates, others, width, height)
    size = _size(phrase.size, measured, member)
    if phrase.ordinal:
        if _is_superlative(phrase.size) and not phrase.position:
            size = _ordinal_size(phrase, measured, others)          # "second largest" is not the largest
        else:
            place = _ordinal_place(phrase, candidates, others, width, height)
    return Resolution(*(part.astype(np.float32) for part in (kind, colour, size, relation * place)))


def _boxes(name: str, boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, float)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f'{name} must be (N, 5): x0, y0, x1, y1, score; not of shape {boxes.shape}')
    if not np.isfinite(boxes).all():
        raise ValueError(f'{name} has a value that is not finite')
    if (boxes[:, 2:4] < boxes[:, :2]).any():
        raise ValueError(f'{name} has a box with x1 < x0 or y1 < y0')
    if len(boxes) and (boxes[:, 4].min() < 0 or boxes[:, 4].max() > 1):
        raise ValueError(f'scores of {name} must lie in 0..1, not {boxes[:, 4].min()}..{boxes[:, 4].max()}')
    return boxes


def _column(name: str, values: np.ndarray, count: int) -> np.ndarray:
    values = np.asarray(values, float)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise ValueError(f'{name} must be {count} finite numbers, one a candidate, not {values.shape}')
    return values


def _extent(boxes: np.ndarray, what: str) -> np.ndarray:
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return {'area': width * height, 'width': width, 'height': height, 'length': np.maximum(width, height),
            'breadth': np.minimum(width, height)}[what]


def _plausible(score: np.ndarray) -> np.ndarray:
    """Turn scores into how much each counts as one of those that could be meant: the best counts 1."""
    best = score.max(initial=0)
    return score * 0 if best == 0 else np.clip((score / best - 0.2) / 0.4, 0, 1)


def _others(boxes: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Return (N, N) how much each candidate (column) counts beside another (row) when things are counted.

    Boxes of which one lies mostly in the other are one thing: they share its count, and do not count for one
    another.
    """
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:4], boxes[None, :, 2:4])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    areas = (boxes[:, 2:4] - boxes[:, :2]).prod(axis=-1)
    same = both > SAME * np.maximum(np.minimum(areas[:, None], areas[None, :]), 1e-6)
    np.fill_diagonal(same, True)
    share = member ** 2 / np.maximum(same @ member, 1e-6)
    weights: np.ndarray = share[None, :] * ~same
    return weights


def _relation(name: str, candidates: np.ndarray, references: np.ndarray | None,
              member: np.ndarray) -> np.ndarray:
    if not name or references is None:
        return np.ones(len(candidates))
    references = _boxes('references', references)
    if not len(references) or references[:, 4].max() == 0:
        return np.full(len(candidates), NOT_FOUND)
    weight = references[:, 4] / references[:, 4].max()
    boxes, others = candidates[:, :4], references[:, :4]
    if name == 'closest_to':
        distance = gaps(boxes, others) / np.maximum(weight, 1e-6)
        distance = distance.min(axis=1)
        best = (distance / np.maximum(member, 1e-6)).min(initial=np.inf)
        return np.clip(best / distance, 0, 1) ** 2
    if name == 'farthest_from':
        distance = gaps(boxes, others)[:, weight.argmax()]
        return np.clip(distance / (distance * member).max(initial=1e-6), 0, 1) ** 2
    scores = relation_scores(name, boxes, others)
    if name == 'between':
        return (scores * np.sqrt(weight[:, None] * weight)).max(axis=(1, 2))
    return (scores * weight).max(axis=1)


def _ranks(order: np.ndarray, others: np.ndarray, step: float) -> np.ndarray:
    """Return (N,) soft ranks from 1: candidates before each along ``order``, each as far as it counts."""
    before = 0.5 * (1 + np.tanh((order[:, None] - order[None, :]) / step))
    ranks: np.ndarray = 1 + (before * others).sum(axis=1)
    return ranks


def _ordinal(number: int, order: np.ndarray, others: np.ndarray, step: float) -> np.ndarray:
    ranks = _ranks(order if number > 0 else -order, others, step)
    return np.exp(-2 * (ranks - abs(number)) ** 2)


def _is_superlative(size: str) -> bool:
    return bool(size) and _SIZES[size][2] >= 2


def _ordinal_size(phrase: Phrase, measured: dict[str, np.ndarray], others: np.ndarray) -> np.ndarray:
    what, sign, _ = _SIZES[phrase.size]
    order = -sign * np.log(np.maximum(measured[what], 1e-6))
    return _ordinal(phrase.ordinal, order, others, step=0.05)       # 5 % in size is about level


def _ordinal_place(phrase: Phrase, boxes: np.ndarray, others: np.ndarray,
                   width: int, height: int) -> np.ndarray:
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2 / width, (boxes[:, 1] + boxes[:, 3]) / 2 / height
    across, down = _EXTREMES.get(phrase.position) or _SIDES.get(phrase.position, (0, 0))
    order = -across * x if across else -down * y if down else x
    return _ordinal(phrase.ordinal, order, others, step=0.01)       # 1 % of the image is about level


def _position(phrase: Phrase, boxes: np.ndarray, others: np.ndarray, width: int, height: int) -> np.ndarray:
    if not phrase.position:
        return np.ones(len(boxes))
    place = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2 / width, (boxes[:, 1] + boxes[:, 3]) / 2 / height], 1)
    place = np.clip(place, 0, 1)
    if phrase.position == 'edge':
        return 1 - 2 * np.minimum(place, 1 - place).min(axis=1)
    if phrase.position == 'corner':
        return 1 - 2 * np.minimum(place, 1 - place).max(axis=1)
    if phrase.position in _EXTREMES:
        axis = 0 if _EXTREMES[phrase.position][0] else 1
        return _ordinal(1, -_EXTREMES[phrase.position][axis] * place[:, axis], others, 0.01)
    side = _SIDES[phrase.position]
    if not any(side):
        absolute = np.exp(-(((place - 0.5) / 0.3) ** 2).sum(axis=1))
        count = others.sum(axis=1)
        relative = np.exp(-2 * (_ranks(place[:, 0], others, 0.01) - 1 - count / 2) ** 2)
        weight = 2 * np.clip(count - 1, 0, 1)      # of three in a row the one amid; of two, neither
        return (absolute + weight * relative) / (1 + weight)
    parts = [_side(place[:, axis] if side[axis] < 0 else 1 - place[:, axis], others)
             for axis in (0, 1) if side[axis]]
    return np.prod(parts, axis=0) ** (1 / len(parts))


def _side(distance: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Grade "left" and its like by the distance from that side, 0..1, and the rank among the others."""
    absolute = 1 - distance
    count = others.sum(axis=1)
    relative = np.clip(1 - (_ranks(distance, others, 0.01) - 1) / np.maximum(count, 1e-6), 0, 1)
    weight = 0.5 * np.clip(count, 0, 1)
    return (1 - weight) * absolute + weight * relative


def _size(name: str, measured: dict[str, np.ndarray], member: np.ndarray) -> np.ndarray:
    if not name or not len(member):
        return np.ones(len(member))
    what, sign, power = _SIZES[name]
    size = np.maximum(measured[what], 1e-6)
    if sign == 0:
        middle = np.exp((member * np.log(size)).sum() / max(member.sum(), 1e-6))
        return np.exp(-np.log(size / middle) ** 2)
    if sign > 0:
        return np.clip(size / (member * size).max(initial=1e-6), 0, 1) ** power
    return np.clip((size / np.maximum(member, 1e-6)).min() / size, 0, 1) ** power
