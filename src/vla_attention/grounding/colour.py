"""Colour words measured in the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

COLOURS = ('red', 'orange', 'yellow', 'green', 'cyan', 'blue', 'purple', 'pink', 'brown', 'black', 'white',
           'grey')
# hue in degrees: (centre, half width at which membership has fallen to a half)
_HUES = {'red': (0, 17), 'orange': (26, 13), 'yellow': (51, 15), 'green': (115, 48), 'cyan': (184, 22),
         'blue': (222, 33), 'purple': (278, 28), 'pink': (328, 24)}
_BITS = 5           # of each channel in the table
BRIGHT = 0.95       # share of the picture that is darker than what counts as fully lit
MOST_GAIN = 2.5


def colour_evidence(image: np.ndarray, colours: Sequence[str], size: tuple[int, int]) -> np.ndarray:
    """Return how much each place looks like each colour word.

    A dim picture is brightened first, as eyes do: its brightest parts count as fully lit.

    :param image: (H, W, 3) uint8 RGB.
    :param colours: words of :data:`COLOURS`.
    :param size: (width, height) of the answer, at most the image's.
    :return: (colours, height, width) float32 in 0..1.
    :raises ValueError: no such colour.
    """
    unknown = [colour for colour in colours if colour not in COLOURS]
    if unknown:
        raise ValueError(f'no colour {unknown[0]!r}; there are {", ".join(COLOURS)}')
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    lit = float(np.quantile(small.max(axis=-1), BRIGHT))
    gain = float(np.clip(255 / max(lit, 1), 1, MOST_GAIN))
    levels: np.ndarray = np.asarray(cv2.convertScaleAbs(small, alpha=gain), np.int32)
    red, green, blue = (levels[..., channel] >> (8 - _BITS) for channel in range(3))
    index = (red << 2 * _BITS) | (green << _BITS) | blue
    table = _table()[[COLOURS.index(colour) for colour in colours]]
    return np.take(table, index, axis=1)


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """Return the membership of every quantised RGB value, (colours, 2 ** 15) float32."""
    levels = (np.arange(2 ** _BITS, dtype=np.float32) + 0.5) / 2 ** _BITS
    red, green, blue = np.meshgrid(levels, levels, levels, indexing='ij')
    rgb = np.stack([red, green, blue], axis=-1).reshape(1, -1, 3).astype(np.float32)
    hue, saturation, value = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    chroma = saturation * value
    vivid = _rise(chroma, 0.16, 0.05) * _rise(value, 0.2, 0.05) * _rise(saturation, 0.25, 0.06)
    memberships = {name: _near(hue, centre, half) * vivid for name, (centre, half) in _HUES.items()}
    # greens are seldom vivid
    dull_green = _rise(chroma, 0.1, 0.04) * _rise(value, 0.15, 0.04) * _rise(saturation, 0.18, 0.05)
    memberships['green'] = np.maximum(memberships['green'], _near(hue, *_HUES['green']) * dull_green)
    # dark magenta is called purple, and what is nearly black may still be called by its hue
    memberships['purple'] = np.maximum(memberships['purple'],
                                       _near(hue, 312, 24) * vivid * _fall(value, 0.75, 0.06))
    dark = 0.8 * _rise(saturation, 0.45, 0.06) * _rise(value, 0.1, 0.02) * _fall(value, 0.4, 0.06)
    for name in ('red', 'green', 'blue', 'purple'):
        memberships[name] = np.maximum(memberships[name], _near(hue, *_HUES[name]) * dark)
    # pale red and orange are pink, dark ones brown
    pale = _rise(value, 0.65, 0.08) * _fall(saturation, 0.55, 0.08)
    reddish = _near(hue, 0, 16) * vivid
    memberships['pink'] = np.maximum(memberships['pink'], reddish * pale)
    memberships['red'] *= 1 - 0.7 * pale
    warm = _near(hue, 24, 20)
    dull = np.maximum(_fall(value, 0.6, 0.08), _fall(saturation, 0.5, 0.08) * _fall(value, 0.85, 0.06))
    memberships['brown'] = warm * dull * _rise(saturation, 0.2, 0.06) * _rise(value, 0.15, 0.05)
    for name in ('orange', 'yellow'):
        memberships[name] *= 1 - 0.6 * memberships['brown']
    memberships['black'] = _fall(value, 0.27, 0.06) * _fall(chroma, 0.18, 0.05)
    plain = _fall(saturation, 0.2, 0.05)
    memberships['white'] = plain * _rise(value, 0.68, 0.07)
    memberships['grey'] = plain * _rise(value, 0.22, 0.06) * _fall(value, 0.8, 0.07)
    return np.concatenate([memberships[name].reshape(1, -1) for name in COLOURS]).astype(np.float32)


def _near(hue: np.ndarray, centre: float, half: float) -> np.ndarray:
    """Return membership of a hue in degrees: 1 at its centre, a half at ``half`` from it."""
    membership: np.ndarray = np.exp(-np.log(2) * (np.abs((hue - centre + 180) % 360 - 180) / half) ** 2)
    return membership


def _rise(values: np.ndarray, middle: float, width: float) -> np.ndarray:
    return 0.5 * (1 + np.tanh((values - middle) / (2 * width)))


def _fall(values: np.ndarray, middle: float, width: float) -> np.ndarray:
    return 1 - _rise(values, middle, width)
