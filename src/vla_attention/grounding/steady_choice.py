"""The same thing from image to image: what was seen of candidates before counts beside what is seen now.

Where two things fit a phrase nearly as well, noise makes now one and now the other the best, and a planner
would be sent to and fro. So each candidate of a phrase is found again among those of the images before, and
its score is the mean of all its scores, each weighted by how long ago it was (an exponential moving average
over time). What is new, or is seen now and then only, has no score in the images that it was not in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp

import numpy as np

from vla_attention.grounding.attention_maps import AttentionMaps
from vla_attention.grounding.box_matching import gap, pairs, unlikeness
from vla_attention.timing import JUMP

SAME = 0.7          # gap and unlikeness, together, below which two boxes are the same thing
OUTDATED = 2.0      # seconds without an image after which all is begun anew
FAINT = 0.01        # share of a full score that what is out of sight keeps before it is forgotten


@dataclass
class _Phrase:
    """Weighted sums over the images so far, of K candidates; ``weight`` is that of the images themselves."""

    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    presence: float = 0.0
    weight: float = 0.0

    def see(self, boxes: np.ndarray, presence: float, kept: float) -> np.ndarray:
        """Take the candidates (N, 5) of an image; return their scores (N,) over time."""
        both = pairs(gap(boxes[:, :4], self.boxes) + unlikeness(boxes[:, :4], self.boxes), SAME)
        if len(boxes) and not both:     # another view
            kept = 0.0
        scores = boxes[:, 4].astype(float)
        before = kept * self.scores
        gone = np.ones(len(before), bool)
        for now, then in both:
            scores[now] += before[then]
            gone[then] = False
        self.weight = kept * self.weight + 1
        self.presence = kept * self.presence + presence
        gone &= before > FAINT * self.weight
        self.boxes = np.concatenate([boxes[:, :4], self.boxes[gone]])
        self.scores = np.concatenate([scores, before[gone]])
        return scores / self.weight


class SteadyChoice:
    """Remembers the candidates of the phrases of one query over a stream of images."""

    def __init__(self) -> None:
        self._phrases: list[_Phrase] = []
        self._time = float('-inf')
        self._size = (0, 0)

    def update(self, maps: AttentionMaps, time: float, constant: float) -> AttentionMaps:
        """Return the attention of an image with scores, presence and the best thing as over time.

        Boxes stay where they are in this image, and are sorted anew. A phrase's map is dimmed where its
        candidates have less of a score than in this image alone, by the best one's measure.

        :param time: seconds at which the image was taken; one more than 0.5 s before the last, or 2 s after
            it, begins anew.
        :param constant: seconds after which an image counts for 1 / e of what it did; 0: not at all.
        """
        passed, self._time = time - self._time, time
        if (constant <= 0 or not -JUMP <= passed <= OUTDATED or maps.image_size != self._size
                or len(maps.phrases) != len(self._phrases)):
            self._phrases = [_Phrase() for _ in maps.phrases]
            self._size = maps.image_size
        kept = exp(-max(passed, 0.0) / constant) if constant > 0 else 0.0
        presence = maps.presence.copy()
        boxes, drawn = list(maps.boxes), maps.maps
        for index, phrase in enumerate(self._phrases):
            own = maps.boxes[index] if maps.boxes else np.zeros((0, 5), np.float32)
            scores = phrase.see(own, float(presence[index]), kept)
            presence[index] = phrase.presence / phrase.weight
            if not len(own):
                continue
            order = np.argsort(-scores, kind='stable')
            if order[0] != own[:, 4].argmax():
                drawn = drawn.copy() if drawn is maps.maps else drawn
                drawn[index] = _dimmed(drawn[index], own, scores, maps.image_size)
            boxes[index] = np.column_stack([own[:, :4], scores])[order].astype(np.float32)
        return replace(maps, presence=presence, maps=drawn, boxes=tuple(boxes))


def _dimmed(attention: np.ndarray, boxes: np.ndarray, scores: np.ndarray,
            size: tuple[int, int]) -> np.ndarray:
    """Return a map (rows, cols) whose peak is on the candidate with the best of ``scores``."""
    best = scores.argmax()
    grown = scores / np.maximum(boxes[:, 4], 1e-6)      # by how much more is thought of each than here alone
    shares = np.clip(grown / max(float(grown[best]), 1e-6), 0, 1)
    rows, cols = attention.shape
    scale = np.array([cols / size[0], rows / size[1]] * 2)
    factor = np.full((rows, cols), shares.min(), np.float32)
    for index in np.argsort(scores):        # the best is drawn over the others
        x0, y0, x1, y1 = boxes[index, :4] * scale
        factor[int(y0):int(y1) + 1, int(x0):int(x1) + 1] = shares[index]
    dimmed: np.ndarray = attention * factor
    return dimmed * (attention.max() / max(float(dimmed.max()), 1e-6))
