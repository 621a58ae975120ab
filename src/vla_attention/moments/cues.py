"""One token a tick: the motion maps of a frame pooled onto a grid, and the attention of an instruction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from vla_attention.moments.motion import MotionMaps

GRID = (24, 32)             # rows, columns over the whole image
CHANNELS = ('flow_x', 'flow_y', 'speed', 'slow', 'drift', 'changed', 'settled', 'fresh', 'mover', 'born',
            'left', 'edges')
FLOWS = 2                   # the first channels are signed: 128 is no motion
SPEED_SCALE = 0.6           # diagonals per second that fill a channel
ATTENTION_GRID = (12, 16)   # rows, columns of the attention on target and destination


@dataclass(frozen=True)
class Token:
    """What is kept of one tick.

    ``maps`` (12, 24, 32) uint8, channels as named in :data:`CHANNELS`; ``dt`` seconds since the tick before;
    ``camera`` the camera's own speed in diagonals per second; ``aspect`` (width, height) of the image in
    diagonals; ``attention`` (2, 12, 16) uint8 of target and destination, zero where nothing is known.
    """

    time: float
    dt: float
    maps: np.ndarray
    camera: float
    aspect: tuple[float, float]
    attention: np.ndarray


def make_token(maps: MotionMaps, target_map: np.ndarray | None = None,
               destination_map: np.ndarray | None = None) -> Token:
    """Pool the maps of one tick.

    :param target_map: (rows, cols) in 0..1 over the whole image, where an instruction names a target.
    :param destination_map: the same for the destination.
    """
    height, width = maps.speed.shape
    diagonal = math.hypot(height, width)
    flow = _cells(maps.flow)
    layers = [128 + flow[..., 0] / SPEED_SCALE * 512, 128 + flow[..., 1] / SPEED_SCALE * 512,
              np.sqrt(_cells(maps.speed) / SPEED_SCALE) * 255]
    shares = np.dstack([maps.slow, maps.drift, maps.changed, maps.settled])
    more = np.dstack([maps.fresh, maps.mover, maps.born, maps.left])
    # small things count, so shares are raised by their square root
    pooled = np.sqrt(np.maximum(np.dstack([_cells(shares), _cells(more)]), 0)) * 255
    layers += list(pooled.transpose(2, 0, 1))
    layers.append(_cells(maps.edges) * 255)
    attention = np.stack([
        np.zeros(ATTENTION_GRID) if given is None
        else cv2.resize(np.asarray(given, np.float32), ATTENTION_GRID[::-1], interpolation=cv2.INTER_AREA)
        for given in (target_map, destination_map)])
    return Token(maps.time, maps.dt, np.clip(np.rint(np.stack(layers)), 0, 255).astype(np.uint8), maps.camera,
                 (width / diagonal, height / diagonal),
                 np.clip(np.rint(attention * 255), 0, 255).astype(np.uint8))


def _cells(values: np.ndarray) -> np.ndarray:
    return cv2.resize(values, GRID[::-1], interpolation=cv2.INTER_AREA)
