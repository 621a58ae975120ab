"""Depth images of boxes, cylinders and balls on a table by ray casting, with exact truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Thing:
    """A body on the table: ``shape`` box, cylinder or ball; table frame in metres, z up, ``yaw`` radians."""

    shape: str
    center: np.ndarray
    size: np.ndarray
    yaw: float = 0.0


@dataclass(frozen=True)
class Tabletop:
    """A rendered scene.

    ``depth`` (H, W) float32 metres without noise, ``instances`` (H, W) int: 0 nothing, 1 the table, 2 + i
    thing i; ``rotation`` (3, 3) and ``translation`` (3,) bring the table frame to the optical frame.
    """

    depth: np.ndarray
    instances: np.ndarray
    things: tuple[Thing, ...]
    rotation: np.ndarray
    translation: np.ndarray
    focal: float

    def center(self, index: int) -> np.ndarray:
        """Return a thing's centre in the optical frame."""
        return self.rotation @ self.things[index].center + self.translation

    def axes(self, index: int) -> np.ndarray:
        """Return the axes of a thing's box in the optical frame, as columns."""
        return self.rotation @ _turn(self.things[index].yaw)


def _turn(yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def render(things: tuple[Thing, ...], eye: np.ndarray, focal: float = 615.0,
           size: tuple[int, int] = (640, 480), look_at: np.ndarray | None = None,
           table: float = 0.6) -> Tabletop:
    """Cast a ray through every pixel.

    :param eye: where the camera is, table frame.
    :param table: half the side of the square table; beyond it, the floor is 0.75 m lower.
    """
    width, height = size
    forward = (np.zeros(3) if look_at is None else look_at) - eye
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    x, y = np.meshgrid((np.arange(width) - (width - 1) / 2) / focal,
                       (np.arange(height) - (height - 1) / 2) / focal)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ rotation       # depth 1 along the optical axis
    best = np.full((height, width), np.inf)
    instances = np.zeros((height, width), int)

    def keep(distance: np.ndarray, index: int) -> None:
        closer = (distance > 0) & (distance < best)
        best[closer] = distance[closer]
        instances[closer] = index

    with np.errstate(divide='ignore', invalid='ignore'):
        down = -eye[2] / rays[..., 2]
        hit = eye + down[..., None] * rays
        keep(np.where(np.abs(hit[..., :2]).max(-1) < table, down, np.inf), 1)
        keep((-0.75 - eye[2]) / rays[..., 2], 0)
        for index, thing in enumerate(things):
            turn = _turn(thing.yaw)
            keep(_SHAPES[thing.shape](rays @ turn, (eye - thing.center) @ turn, thing.size / 2), 2 + index)
    depth = np.where(np.isfinite(best), best, np.nan).astype(np.float32)
    return Tabletop(depth, instances, things, rotation, -rotation @ eye, focal)


def _box(rays: np.ndarray, eye: np.ndarray, half: np.ndarray) -> np.ndarray:
    one, two = (-half - eye) / rays, (half - eye) / rays
    near, far = np.minimum(one, two).max(-1), np.maximum(one, two).min(-1)
    return np.where(near <= far, near, np.inf)


def _quadratic(a: np.ndarray, b: np.ndarray, c: float) -> np.ndarray:
    disc = b * b - 4 * a * c
    return np.where(disc >= 0, (-b - np.sqrt(np.maximum(disc, 0))) / (2 * a), np.inf)


def _cylinder(rays: np.ndarray, eye: np.ndarray, half: np.ndarray) -> np.ndarray:
    radius = half[0]
    side = _quadratic((rays[..., :2] ** 2).sum(-1), 2 * rays[..., :2] @ eye[:2],
                      eye[:2] @ eye[:2] - radius ** 2)
    side = np.where(np.abs(eye[2] + side * rays[..., 2]) <= half[2], side, np.inf)
    lid = (half[2] - eye[2]) / rays[..., 2]
    lid = np.where(((eye + lid[..., None] * rays)[..., :2] ** 2).sum(-1) <= radius ** 2, lid, np.inf)
    return np.minimum(side, lid)


def _ball(rays: np.ndarray, eye: np.ndarray, half: np.ndarray) -> np.ndarray:
    return _quadratic((rays ** 2).sum(-1), 2 * rays @ eye, eye @ eye - half[0] ** 2)


_SHAPES = {'box': _box, 'cylinder': _cylinder, 'ball': _ball}


def d435(depth: np.ndarray, rng: np.random.Generator, focal: float = 615.0, baseline: float = 0.05,
         subpixel: float = 0.08) -> np.ndarray:
    """Give a depth image what a RealSense D435 does to it.

    Disparity noise of 0.08 pixel that neighbours share (the matching window), steps of 1/32 pixel, the band
    left of a near thing that the second camera cannot see, outlines that hang between near and far, and
    single pixels without a reading.
    """
    disparity = focal * baseline / depth
    noise = cv2.GaussianBlur(rng.normal(size=depth.shape).astype(np.float32), (0, 0), 1.0)
    disparity = disparity + subpixel / noise.std() * noise
    disparity = np.round(disparity * 32) / 32
    clean = focal * baseline / np.nan_to_num(depth, nan=10.0)
    hidden = np.zeros(depth.shape, bool)
    for shift in range(1, 24):
        hidden[:, :-shift] |= clean[:, shift:] - shift > clean[:, :-shift] + 0.5
    noisy = (focal * baseline / disparity).astype(np.float32)
    near = cv2.erode(noisy, np.ones((3, 3), np.uint8))
    far = cv2.dilate(np.nan_to_num(noisy, nan=0.0), np.ones((3, 3), np.uint8))
    blend = (far - near > 0.02) & (rng.random(depth.shape) < 0.4)
    noisy = np.where(blend, near + rng.random(depth.shape) * (far - near), noisy)
    noisy[hidden | (rng.random(depth.shape) < 0.005)] = np.nan
    return noisy.astype(np.float32)
