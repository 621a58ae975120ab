"""From a backend's scores to the probability that a region is the thing meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent.parent / 'weights' / 'confidence.json'
FEATURES = ('presence', 'score', 'margin', 'area')


@dataclass(frozen=True)
class Confidence:
    """A logistic map (Platt, 1999) from :func:`features` to a probability; one a backend.

    ``bias`` and ``slopes`` (one each of :data:`FEATURES`) are fitted on rendered scenes by
    ``python -m training.focus.calibrate``, anew whenever the backend's weights change.
    """

    bias: float
    slopes: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.slopes) != len(FEATURES) or not np.isfinite((self.bias, *self.slopes)).all():
            raise ValueError(f'bias is {self.bias}, slopes are {self.slopes}; all must be finite, and there '
                             f'must be a slope for each of {", ".join(FEATURES)}')

    def probabilities(self, presence: float, scores: Sequence[float] | np.ndarray,
                      shares: Sequence[float] | np.ndarray) -> list[float]:
        """Return the probability of each region of a phrase; never above that of a better one.

        :param presence: 0..1, that the thing is in view at all.
        :param scores: the backend's, best first; all that it has, not only those asked for.
        :param shares: of the image that each region's box covers; there may be fewer than scores.
        """
        values = self.of(features(presence, scores, shares))
        return [float(value) for value in np.minimum.accumulate(values)]

    def of(self, table: np.ndarray) -> np.ndarray:
        """Return the probabilities (N,) of rows of :func:`features` (N, 4)."""
        odds = self.bias + table @ np.array(self.slopes)
        values: np.ndarray = 1 / (1 + np.exp(-odds))
        return values


def features(presence: float, scores: Sequence[float] | np.ndarray,
             shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return (N, 4) what the probability of N regions is told from, N being the length of ``shares``.

    The log odds of presence, the log of the score relative to presence, the log of the ratio to the best
    other score, and the log of the share of the image.
    """
    sure = float(np.clip(presence, 1e-3, 1 - 1e-3))
    own = np.maximum(np.asarray(scores, float), 1e-4)
    rows = []
    for index, share in enumerate(shares):
        others = np.delete(own, index)
        rival = float(others.max()) if len(others) else 1e-4
        rows.append((np.log(sure / (1 - sure)), np.log(own[index] / sure),
                     float(np.clip(np.log(own[index] / rival), -4, 4)), np.log(max(share, 1e-5))))
    return np.array(rows, float).reshape(-1, len(FEATURES))


def calibration_error(scores: np.ndarray, hits: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error of scores 0..1 (Guo et al., ICML 2017): 0 is perfect.

    :param hits: (N,) 0 or 1, whether each was right.
    """
    which = np.minimum((scores * bins).astype(int), bins - 1)
    return float(sum(abs(hits[which == b].mean() - scores[which == b].mean()) * np.mean(which == b)
                     for b in range(bins) if (which == b).any()))


def load_confidence(backend: str, path: Path = FILE) -> Confidence | None:
    """Read the map of a backend; None where none was fitted, and its scores stay as they are.

    :raises ValueError: the file holds something else.
    """
    if not path.is_file():
        return None
    try:
        entry = json.loads(path.read_text(encoding='utf-8')).get(backend)
        return None if entry is None else Confidence(
            float(entry['bias']), tuple(float(entry['slopes'][name]) for name in FEATURES))
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f'{path} does not hold what calibrate writes: {error!r}') from error
