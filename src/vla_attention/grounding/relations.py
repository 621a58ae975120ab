"""How well one box stands in a relation to another, graded 0..1: "left of", "on", "behind" as geometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# distance on the ground of a pixel down against one across, for a camera that looks down by 45 degrees
_FORESHORTENED = 1.4
_DIRECTIONS = {'left_of': (-1.0, 0.0), 'right_of': (1.0, 0.0), 'above': (0.0, -1.0), 'below': (0.0, 1.0)}


def relation_scores(relation: str, candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return how well each candidate stands in the relation to each reference.

    Frame: the viewer's (the image's x right, y down). Boxes are pixels; lengths are taken relative to the
    boxes' own sizes, so the scores do not change when the image is scaled. Directions fall off with the
    angle from the axis, as people's ratings of "left of" and "above" do (Logan and Sadler 1996; Regier and
    Carlson 2001). What stands on the ground is farther when its base is higher in the image: "behind" and
    "in_front_of" compare the boxes' lower edges. That holds for a camera that looks down on one support
    surface; it is wrong for hanging things, for shelves, and where a reference has a front of its own ("in
    front of the chair" as the chair sees it). "on", "in" and "under" are judged from overlap alone: depth is
    not known here.

    :param relation: one of :data:`RELATIONS`.
    :param candidates: (N, 4) x0, y0, x1, y1.
    :param references: (M, 4) x0, y0, x1, y1.
    :return: (N, M) float64 in 0..1, or (N, M, M) for "between": candidate, first and second reference.
    :raises ValueError: no such relation.
    """
    if relation not in _GEOMETRY:
        raise ValueError(f'no relation {relation!r}; there are {", ".join(sorted(_GEOMETRY))}')
    return _GEOMETRY[relation](np.asarray(candidates, float), np.asarray(references, float))


def gaps(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return (N, M) the clear distance between boxes plus a tenth of that between their centres.

    Pixels, never 0: boxes that overlap have no clear distance, the second part then orders them.
    """
    pairs = _Pairs(candidates, references)
    return pairs.gap + 0.1 * np.hypot(*pairs.offset) + 0.05 * pairs.scale


class _Pairs:
    """Lengths between every candidate (rows) and every reference (columns)."""

    def __init__(self, candidates: np.ndarray, references: np.ndarray) -> None:
        self.c = [candidates[:, None, i] for i in range(4)]
        self.r = [references[None, :, i] for i in range(4)]
        (cx0, cy0, cx1, cy1), (rx0, ry0, rx1, ry1) = self.c, self.r
        self.c_width, self.c_height = np.maximum(cx1 - cx0, 1e-6), np.maximum(cy1 - cy0, 1e-6)
        self.r_width, self.r_height = np.maximum(rx1 - rx0, 1e-6), np.maximum(ry1 - ry0, 1e-6)
        self.offset = ((cx0 + cx1 - rx0 - rx1) / 2, (cy0 + cy1 - ry0 - ry1) / 2)
        c_area, r_area = self.c_width * self.c_height, self.r_width * self.r_height
        self.reference_scale = np.sqrt(r_area)
        self.scale = (np.sqrt(c_area) + np.sqrt(r_area)) / 2
        self.overlap_x = np.clip(np.minimum(cx1, rx1) - np.maximum(cx0, rx0), 0, None)
        overlap_y = np.clip(np.minimum(cy1, ry1) - np.maximum(cy0, ry0), 0, None)
        both = self.overlap_x * overlap_y
        self.inside = both / c_area                         # share of the candidate within the reference
        self.covered = both / r_area                        # share of the reference within the candidate
        self.other = 1 - both / (c_area + r_area - both)    # 1 - IoU: near 0 for the reference itself
        gap_x = np.clip(np.maximum(rx0 - cx1, cx0 - rx1), 0, None)
        gap_y = np.clip(np.maximum(ry0 - cy1, cy0 - ry1), 0, None)
        self.gap = np.hypot(gap_x, gap_y)
        self.ground_gap = np.hypot(gap_x, _FORESHORTENED * gap_y)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def _along(along: np.ndarray, aside: np.ndarray, reach: np.ndarray, pairs: _Pairs) -> np.ndarray:
    """Grade a direction: ``along`` it and ``aside`` of it (past the reference's own extent), in pixels.

    ``reach`` is how far along the boxes stop overlapping. Far things count a little less than near ones.
    """
    cosine = np.clip(along, 0, None) / np.sqrt(along ** 2 + aside ** 2 + (0.1 * pairs.scale) ** 2)
    clear = _sigmoid(4 * (along / reach - 0.5))
    return cosine ** 2 * clear * np.exp(-pairs.gap / (12 * pairs.scale)) * np.sqrt(pairs.other)


def _direction(axis: tuple[float, float]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def score(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
        pairs = _Pairs(candidates, references)
        dx, dy = pairs.offset
        if axis[0]:
            aside = np.clip(np.abs(dy) - pairs.r_height / 2, 0, None)
            return _along(axis[0] * dx, aside, (pairs.c_width + pairs.r_width) / 2, pairs)
        aside = np.clip(np.abs(dx) - pairs.r_width / 2, 0, None)
        return _along(axis[1] * dy, aside, (pairs.c_height + pairs.r_height) / 2, pairs)
    return score


def _farther(sign: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def score(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
        pairs = _Pairs(candidates, references)
        base = sign * (pairs.r[3] - pairs.c[3])     # how much farther the candidate's base is
        aside = np.clip(np.abs(pairs.offset[0]) - pairs.r_width / 2, 0, None)
        # footprints are flatter than the things themselves: a quarter of the heights is clear enough
        return _along(base, aside, (pairs.c_height + pairs.r_height) / 4, pairs)
    return score


def _on(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
    pairs = _Pairs(candidates, references)
    slack = 0.1 * pairs.c_height + 0.05 * pairs.r_height
    base = pairs.c[3]       # it rests between the reference's upper and lower edge
    rests = _sigmoid((base - pairs.r[1]) / slack + 1) * _sigmoid((pairs.r[3] - base) / slack + 1)
    return pairs.overlap_x / pairs.c_width * rests * np.clip(3 * pairs.other, 0, 1) * (1 - pairs.covered ** 2)


def _in(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
    pairs = _Pairs(candidates, references)
    # what holds things is round more often than not: the corners of its box are outside
    out = (2 * pairs.offset[0] / pairs.r_width) ** 2 + (2 * pairs.offset[1] / pairs.r_height) ** 2
    return np.sqrt(pairs.inside * pairs.other) * (1 - pairs.covered) * np.exp(-out / 2)


def _under(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
    pairs = _Pairs(candidates, references)
    lower = _sigmoid(pairs.offset[1] / (0.12 * (pairs.c_height + pairs.r_height)))
    aligned = pairs.overlap_x / np.minimum(pairs.c_width, pairs.r_width)
    return aligned * lower * np.exp(-pairs.gap / (4 * pairs.scale)) * np.sqrt(pairs.other)


def _near(reach: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def score(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
        pairs = _Pairs(candidates, references)
        apart = 1 - np.maximum(pairs.inside, pairs.covered) ** 2    # in it or on it is not beside it
        return np.exp(-pairs.ground_gap / (reach * pairs.reference_scale)) * np.sqrt(apart)
    return score


def _far(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
    pairs = _Pairs(candidates, references)
    return 1 - np.exp(-pairs.gap / (2 * pairs.scale))


def _edge(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
    pairs = _Pairs(candidates, references)
    # 0 in the middle of the reference, 1 on its border, more outside
    across, down = np.abs(pairs.offset[0]) / pairs.r_width, np.abs(pairs.offset[1]) / pairs.r_height
    out = 2 * np.maximum(across, down)
    return np.exp(-((out - 1) / 0.4) ** 2) * pairs.other


def _between(candidates: np.ndarray, references: np.ndarray) -> np.ndarray:
    first, second = _Pairs(candidates, references), _Pairs(references, references)
    centre = np.stack([references[:, 0] + references[:, 2], references[:, 1] + references[:, 3]], -1) / 2
    span = centre[None, :, :] - centre[:, None, :]                              # (M, M, 2) first -> second
    length = np.sqrt((span ** 2).sum(-1)) + 1e-6
    offset = np.stack(first.offset, -1)[:, :, None, :]                          # (N, M, 1, 2)
    along = (offset * span).sum(-1) / length ** 2           # 0 at the first, 1 at the second
    aside = np.abs(offset[..., 0] * span[..., 1] - offset[..., 1] * span[..., 0]) / length ** 2
    middle = _sigmoid((0.5 - np.abs(along - 0.5)) / 0.05)
    itself = np.sqrt(first.other[:, :, None] * first.other[:, None, :])
    return middle * np.exp(-(aside / 0.35) ** 2) * itself * second.other[None]


_GEOMETRY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    **{name: _direction(axis) for name, axis in _DIRECTIONS.items()},
    'behind': _farther(1.0), 'in_front_of': _farther(-1.0),
    'on': _on, 'in': _in, 'under': _under, 'next_to': _near(1.0), 'near': _near(2.0), 'far_from': _far,
    'edge_of': _edge, 'between': _between,
}
RELATIONS = frozenset(_GEOMETRY)
