"""Bottom-up saliency: where the eye goes without any instruction."""

from __future__ import annotations

import cv2
import numpy as np

from vla_attention.vision.image import PATCH, check_image, model_size

_FLAT = 2.0         # levels of Lab (0..255) within which a picture is of one colour
_SPECTRUM = 64      # pixels of the side on which the spectral residual works (Hou and Zhang use 64)


def saliency(image: np.ndarray) -> np.ndarray:
    """Return what stands out.

    The mean of two parts, each scaled to 0..1: the spectral residual of lightness (Hou and Zhang, CVPR
    2007) and the distance in Lab of each place's colour from its wider surround (centre-surround, after
    Itti, Koch and Niebur, PAMI 1998), both on a small copy, so that it takes few milliseconds at any size.

    :param image: (H, W, 3) uint8 RGB.
    :return: (rows, cols) float32 in 0..1 on the grid of 16x16-pixel patches of the image as the model sees
        it: (30, 40) for 640x480. A picture of one colour is 0 everywhere.
    :raises ValueError: another shape or dtype.
    """
    check_image(image)
    height, width = image.shape[:2]
    cols, rows = (side // PATCH for side in model_size(width, height))
    small = cv2.resize(image, (cols * 4, rows * 4), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    if np.ptp(lab, axis=(0, 1)).max() < _FLAT:      # the spectral residual would make something of nothing
        return np.zeros((rows, cols), np.float32)
    residual = _spectral_residual(lab[..., 0])
    centre = cv2.GaussianBlur(lab, (0, 0), 2)
    surround = cv2.GaussianBlur(lab, (0, 0), 0.15 * max(lab.shape[:2]))
    contrast = np.sqrt(((centre - surround) ** 2).sum(axis=2))
    parts = [cv2.resize(part, (cols, rows), interpolation=cv2.INTER_AREA) for part in (residual, contrast)]
    mean = (_scaled(parts[0]) + _scaled(parts[1])) / 2
    return _scaled(mean)


def _spectral_residual(light: np.ndarray) -> np.ndarray:
    size = (light.shape[1], light.shape[0])
    spectrum = np.fft.fft2(cv2.resize(light, (_SPECTRUM, _SPECTRUM), interpolation=cv2.INTER_AREA))
    log_amplitude = np.log(np.abs(spectrum) + 1e-6).astype(np.float32)
    residual = log_amplitude - cv2.blur(log_amplitude, (3, 3), borderType=cv2.BORDER_REFLECT)
    salient = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    return cv2.resize(cv2.GaussianBlur(salient.astype(np.float32), (0, 0), 2.5), size)


def _scaled(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 * max(1.0, abs(high)):
        return np.zeros(values.shape, np.float32)
    return ((values - low) / (high - low)).astype(np.float32)
