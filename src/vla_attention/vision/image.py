"""The image as the model sees it: checked, and resized so that the patch grid fits."""

from __future__ import annotations

import cv2
import numpy as np

PATCH = 16
STRIDE = 32             # the coarsest features: width and height are multiples of it
MIN_SIDE = 32           # pixels; less is no picture of anything
LONGEST = 640           # pixels of the longer side that the model sees


def check_image(image: np.ndarray) -> None:
    """Refuse what is no picture.

    :raises ValueError: not (H, W, 3) uint8, or a side below :data:`MIN_SIDE`; the message says what came.
    """
    if not isinstance(image, np.ndarray):
        raise ValueError(f'image must be a numpy array, got {type(image).__name__}')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}')
    if min(image.shape[:2]) < MIN_SIDE:
        raise ValueError(f'image must be at least {MIN_SIDE} pixels high and wide, got {image.shape[:2]}')


def model_size(width: int, height: int, longest: int = LONGEST) -> tuple[int, int]:
    """Return (width, height) in which the model sees an image.

    The longer side becomes ``longest`` pixels, the shorter one follows; both are then rounded to multiples
    of :data:`STRIDE`, so the aspect is kept to within half of it: 640x480 stays, 1280x720 becomes 640x352.

    :raises ValueError: ``longest`` is below :data:`STRIDE` pixels.
    """
    if longest < STRIDE:
        raise ValueError(f'longest must be at least {STRIDE} pixels, got {longest}')
    scale = longest / max(width, height)
    fitted = [max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in (width, height)]
    return fitted[0], fitted[1]


def fit(image: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """Return the image (H, W, 3) uint8 in the size of :func:`model_size`."""
    height, width = image.shape[:2]
    size = model_size(width, height, longest)
    if size == (width, height):
        return image
    shrinks = size[0] < width
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
