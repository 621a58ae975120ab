"""Depth images as cameras send them: to metres, with what is no reading cut away."""

from __future__ import annotations

import cv2
import numpy as np

# Stereo depth errs by z^2 * subpixel / (focal length * baseline): 1.3 mm at 0.7 m for a RealSense D435 with
# 0.08 pixel (Intel, "Best known methods for tuning RealSense D400", 2020), hence 2.7e-3 per metre squared.
NOISE = 2.7e-3
NEAR_SIDE = 0.3     # of the span that makes a jump: how far behind its nearest neighbour a near one may be

_NEIGHBOURS = np.ones((3, 3), np.uint8)


def decode_depth(image: np.ndarray) -> np.ndarray:
    """Give a raw depth image in metres, by its type (REP-118): uint16 is millimetres, float32 is metres.

    :param image: (H, W) uint16 (16UC1) or float32 (32FC1).
    :return: (H, W) float32 metres along the optical axis; NaN where there is no reading (zero, negative,
        infinite or not a number).
    :raises ValueError: another type or shape.
    """
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f'depth has the shape {image.shape}; it must be (height, width)')
    if image.dtype == np.uint16:
        depth = image.astype(np.float32) * np.float32(1e-3)
    elif image.dtype == np.float32:
        depth = image.copy()
    else:
        raise ValueError(f'depth is {image.dtype}; it must be uint16 millimetres or float32 metres')
    depth[~((depth > 0) & (depth < np.inf))] = np.nan
    return depth


def readings(depth: np.ndarray) -> np.ndarray:
    """Return depth (H, W) float32 metres with NaN where there is no reading, be it 0, below or infinite.

    It is the same array where there is nothing to change.
    """
    # fmin and fmax leave NaN out of account
    if np.fmin.reduce(depth, axis=None) > 0 and np.fmax.reduce(depth, axis=None) < np.inf:
        return depth
    return np.where((depth > 0) & (depth < np.inf), depth, np.float32(np.nan))


def noise_at(distance: float) -> float:
    """Return the standard deviation, in metres, that stereo depth is expected to have at a distance."""
    return NOISE * distance * distance


def ends(values: np.ndarray) -> tuple[float, float]:
    """Return the value below which 2 % of many (N,) lie, N > 0, and that above which 2 % lie."""
    low, high = int(0.02 * len(values)), int(0.98 * len(values))
    ordered = np.partition(values, (low, high))
    return float(ordered[low]), float(ordered[high])


def middle(values: np.ndarray) -> float:
    """Return the (upper) median of values (N,), N > 0; of few values, np.median takes longer to begin."""
    half = len(values) // 2
    return float(np.partition(values, half)[half])


def edges(depth: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the pixels at a jump in depth: outlines, and the flying pixels that hang between near and far.

    A pixel is at a jump when the depths of its 3x3 neighbourhood span more than noise and a steep surface
    explain.

    :param depth: (H, W) float32 metres, NaN where there is no reading.
    :param pixel: the angle of one pixel in radians (1 / focal length).
    :return: (H, W) bool, the pixels at a jump, and (H, W) bool, those of them that are of the nearer surface:
        its last pixels, and all of a thin rim. False where there is no reading.
    """
    z = np.fmax(depth, np.float32(0))
    near = cv2.erode(np.fmin(depth, np.float32(np.inf)), _NEIGHBOURS)
    farthest = cv2.dilate(z, _NEIGHBOURS)
    most = np.multiply(z, np.float32(4 * NOISE))
    most += np.float32(2.5 * pixel)
    most *= z
    most += np.float32(0.008)
    jumps = np.subtract(farthest, near, out=farthest) > most
    jumps &= z > 0
    most *= np.float32(NEAR_SIDE)
    return jumps, jumps & (np.subtract(z, near, out=z) < most)
