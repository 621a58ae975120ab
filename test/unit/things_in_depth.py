"""Ray-cast scenes whose truth is exact, and the regions of things in them."""

import cv2
import numpy as np

from vla_attention.focus import FocusRegion, Intrinsics

FOCAL = 615.0
CAMERA = Intrinsics(FOCAL, FOCAL, 319.5, 239.5)
EYE = np.array([0.0, -0.5, 0.5])


def region_of(scene, index, grow=0):
    visible = (scene.instances == 2 + index).astype(np.uint8)
    if grow:
        visible = cv2.dilate(visible, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8))
    x, y, width, height = cv2.boundingRect(visible)
    return FocusRegion('target', 'thing', 1.0, (x, y, x + width, y + height), (x + width / 2, y + height / 2),
                       visible * np.uint8(255))


def coloured(scene, *colours):
    """Paint the table grey, and each thing as it is said."""
    image = np.random.default_rng(0).normal(130, 5, (*scene.depth.shape, 3))
    for index, colour in enumerate(colours):
        image[scene.instances == 2 + index] += np.array(colour) - 130
    return np.clip(image, 0, 255).astype(np.uint8)


def overlap(scene, index, mask):
    visible = scene.instances == 2 + index
    return ((mask > 0) & visible).sum() / ((mask > 0) | visible).sum()
