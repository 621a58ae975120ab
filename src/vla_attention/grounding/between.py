"""The place between two things, out of their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from vla_attention.grounding.resolve import Resolution, resolve_parts
from vla_attention.language import Phrase

_MOST = 3           # boxes of each thing that are taken into account
_LEAST = 0.25       # sides of a place, as a share of the things' own mean side: things that touch leave none


def places_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the places between two things.

    Along each axis a place reaches from the one thing to the other where they are apart, and over what they
    share where they are not.

    :param first: (N, 5) x0, y0, x1, y1 and score 0..1 of where the one may be; ``second`` (M, 5) likewise.
    :return: (K, 5) float32, best first; the score is the geometric mean of the two, less where both boxes
        may be one thing.
    """
    first, second = (boxes[np.argsort(-boxes[:, 4], kind='stable')[:_MOST]] for boxes in (first, second))
    places = [_place(one, other) for one in first for other in second]
    found = np.array(places, np.float32).reshape(-1, 5)
    return found[np.argsort(-found[:, 4], kind='stable')]


def resolve_between(phrase: Phrase, things: Sequence[np.ndarray],
                    image_size: tuple[int, int]) -> tuple[np.ndarray, Resolution]:
    """Return the places that "between the plate and the book" may mean, and how well each is meant.

    :param things: (N, 5) x0, y0, x1, y1 and score of where each thing may be, in the phrase's order.
    :param image_size: (width, height) in pixels, which places do not leave.
    :return: (K, 5) float32 places, none for fewer than two things; their parts.
    """
    places = np.concatenate([np.zeros((0, 5), np.float32), *(
        places_between(first, second) for first, second in pairwise(things))])
    places[:, :4] = places[:, :4].clip(0, (*image_size, *image_size))
    return places, resolve_parts(replace(phrase, relation='', reference=None), places, image_size=image_size)


def _place(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    inner = np.stack([np.minimum(one[2:4], other[2:4]), np.maximum(one[:2], other[:2])])
    low, high = inner.min(axis=0), inner.max(axis=0)
    sides = (one[2:4] - one[:2] + other[2:4] - other[:2]) / 2
    wanting = np.clip(_LEAST * sides - (high - low), 0, None) / 2
    both = np.clip(inner[0] - inner[1], 0, None).prod()
    union = (one[2:4] - one[:2]).prod() + (other[2:4] - other[:2]).prod() - both
    score = np.sqrt(one[4] * other[4]) * (1 - both / max(union, 1e-6))
    return np.concatenate([low - wanting, high + wanting, [score]])
