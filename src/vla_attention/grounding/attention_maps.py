"""Where each phrase looks: the result type of the grounding stage."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

PATCH = 16  # pixels of the image as the model sees it; DESIGN section 3
HEADS = ('colour', 'space', 'kind', 'size')


@dataclass(frozen=True)
class AttentionMaps:
    """Attention of P phrases over the patch grid of one image.

    ``maps`` (P, rows, cols) float32 in 0..1; ``presence`` (P,) float32, probability that the thing is
    in view; ``heads`` {name: (P, rows, cols) float32} for at least :data:`HEADS`; ``words`` one
    (words, rows, cols) float32 array a phrase where the backend can tell, with ``word_texts`` beside
    it; ``image_size`` (width, height) in pixels of the image that was given in. ``masks``
    (P, mask_rows, mask_cols) float32 in 0..1 where the backend draws an outline finer than the grid;
    ``boxes`` one (N, 5) float32 array a phrase (x0, y0, x1, y1 in image pixels, score 0..1; best
    first) where the backend has boxes of its own.
    """

    phrases: tuple[str, ...]
    maps: np.ndarray
    presence: np.ndarray
    image_size: tuple[int, int]
    heads: dict[str, np.ndarray] = field(default_factory=dict)
    words: tuple[np.ndarray, ...] = ()
    word_texts: tuple[tuple[str, ...], ...] = ()
    masks: np.ndarray | None = None
    boxes: tuple[np.ndarray, ...] = ()


def no_maps(image_size: tuple[int, int], grid: tuple[int, int]) -> AttentionMaps:
    """Return the attention of no phrase at all.

    :param grid: (rows, cols).
    """
    nothing = np.zeros((0, *grid), np.float32)
    return AttentionMaps((), nothing, np.zeros(0, np.float32), image_size, dict.fromkeys(HEADS, nothing))
