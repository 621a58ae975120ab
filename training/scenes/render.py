"""Pictures of a world: light, depth and instances, smooth at edges where it shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.scenes.camera import Camera
from training.scenes.sampler import Item
from training.scenes.tracer import OFFSET, Hits, Surroundings, World

EDGE_RAYS = 3
LIGHT_SAMPLES = 2
MARGIN = 0.5    # of the picture's size, beyond its border, that counts when a whole thing is measured


@dataclass(frozen=True)
class Render:
    """``light`` (H, W, 3) linear float32, ``depth`` (H, W) float32 metres along the axis, ``instances`` (H, W)."""

    light: np.ndarray
    depth: np.ndarray
    instances: np.ndarray


def render(world: World, camera: Camera, around: Surroundings, rng: np.random.Generator) -> Render:
    """Trace one ray a pixel, and some more where edges are."""
    width, height = camera.size
    origins, directions = camera.rays(camera.grid())
    hits = world.hit(origins, directions)
    lit = _smooth_lighting(world, hits, around, rng, (height, width))
    light = world.shade(origins, directions, around, rng, spread=camera.spread, hits=hits, lit=lit)
    edges = np.flatnonzero(_edges(light, hits, (height, width)))
    pixels = camera.grid()[edges]
    for _ in range(EDGE_RAYS if len(edges) else 0):
        origins_more, directions_more = camera.rays(pixels + rng.uniform(-0.5, 0.5, pixels.shape))
        light[edges] += world.shade(origins_more, directions_more, around, rng, spread=camera.spread)
    light[edges] /= EDGE_RAYS + 1
    ahead = directions @ camera.pose[:3, 2].astype(np.float32)
    depth = np.where(hits.found, hits.distance * ahead, 0).astype(np.float32)
    return Render(light.reshape(height, width, 3), depth.reshape(height, width),
                  hits.instance.reshape(height, width).astype(np.int32))


def whole_area(item: Item, camera: Camera) -> int:
    """Count the pixels that a thing would cover alone, in a picture with a wide margin."""
    world = World(item.parts, [1] * len(item.parts))
    pixels, local = camera.project(world.vertices.astype(np.float64))
    if (local[:, 2] < 0.02).any():
        return 0
    size = np.array(camera.size)
    low = np.floor(np.maximum(pixels.min(0), -MARGIN * size)).astype(int)
    high = np.ceil(np.minimum(pixels.max(0), (1 + MARGIN) * size)).astype(int)
    if (high <= low).any():
        return 0
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    origins, directions = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    return int(world.hit(origins, directions).found.sum())


def _smooth_lighting(world: World, hits: Hits, around: Surroundings, rng: np.random.Generator,
                     shape: tuple[int, int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Sample shadows and occlusion, and average them over neighbours on the same even surface."""
    occlusion, shadows = world.lighting(hits.point + hits.normal * OFFSET, hits.normal, around, rng,
                                        samples=LIGHT_SAMPLES)
    part = hits.part.reshape(shape).astype(np.float32)
    normal = hits.normal.reshape(*shape, 3)
    square = np.ones((5, 5), np.uint8)
    even = cv2.dilate(part, square) == cv2.erode(part, square)
    even &= (cv2.dilate(normal, square) - cv2.erode(normal, square)).max(-1) < 0.5

    def smooth(values: np.ndarray) -> np.ndarray:
        picture = values.reshape(shape)
        return np.where(even, cv2.blur(picture, (5, 5)), cv2.blur(picture, (2, 2))).ravel()

    return smooth(occlusion), [smooth(shadow) for shadow in shadows]


def _edges(light: np.ndarray, hits: Hits, shape: tuple[int, int]) -> np.ndarray:
    """Mark pixels where parts meet, surfaces bend or brightness jumps, (H * W,) bool."""
    part = hits.part.reshape(shape).astype(np.float32)
    bright = np.sqrt(np.clip(light, 0, 2)).mean(-1).reshape(shape).astype(np.float32)
    square = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(bright, square) - cv2.erode(bright, square) > 0.22
    return ((cv2.dilate(part, square) != cv2.erode(part, square)) | jump).ravel()
