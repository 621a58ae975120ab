"""Pictures of a world: light, depth and instances, smooth at edges where it shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Camera
from .sampler import Item
from .tracer import OFFSET, Hits, Surroundings, World

EDGE_RAYS = 2
LIGHT_SAMPLES = 1
MARGIN = 0.5  # of the picture's size, beyond its border, that counts when a whole thing is measured


Lighting = tuple[np.ndarray, list[np.ndarray]]  # occlusion (N,), and a shadow (N,) a light
_AROUND = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]


@dataclass(frozen=True)
class Render:
    """``light`` (H, W, 3) linear float32, ``depth`` (H, W) metres along the axis, ``instances`` (H, W)."""

    light: np.ndarray
    depth: np.ndarray
    instances: np.ndarray


def render(world: World, camera: Camera, around: Surroundings, rng: np.random.Generator) -> Render:
    """Trace one ray a pixel, and some more where edges are."""
    width, height = camera.size
    grid = camera.grid()
    origins, directions = camera.rays(grid)
    hits = world.hit(origins, directions)
    lit = _smooth_lighting(world, hits, around, rng, (height, width))
    light = world.shade(origins, directions, around, rng, spread=camera.spread, hits=hits, lit=lit)
    edges = np.flatnonzero(_edges(light, hits, (height, width)))
    for _ in range(EDGE_RAYS if len(edges) else 0):
        more = camera.rays(grid[edges] + rng.uniform(-0.5, 0.5, (len(edges), 2)))
        seen = world.hit(*more)
        near = _lighting_nearby(world, seen, edges, hits, lit, around, rng, (height, width))
        light[edges] += world.shade(*more, around, rng, spread=camera.spread, hits=seen, lit=near)
    light[edges] /= EDGE_RAYS + 1
    ahead = directions @ camera.pose[:3, 2].astype(np.float32)
    depth = np.where(hits.found, hits.distance * ahead, 0).astype(np.float32)
    return Render(
        light.reshape(height, width, 3),
        depth.reshape(height, width),
        hits.instance.reshape(height, width).astype(np.int32),
    )


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


def _smooth_lighting(
    world: World, hits: Hits, around: Surroundings, rng: np.random.Generator, shape: tuple[int, int]
) -> Lighting:
    """Sample shadows and occlusion, and average them over neighbours on the same even surface.

    Two passes over 3x3 neighbours, one and two pixels apart (edge-avoiding a-trous, Dammertz et al. 2010).
    """
    occlusion, shadows = world.lighting(
        hits.point + hits.flat * OFFSET, hits.flat, around, rng, samples=LIGHT_SAMPLES
    )
    values: np.ndarray = np.stack([occlusion, *shadows], axis=1).reshape(*shape, -1)
    bend = np.rint(hits.normal * 1.6).astype(np.int32) @ np.array([1, 5, 25], np.int32)
    surface = (hits.part * 125 + bend).reshape(shape)
    for step in (1, 2):
        total = values.copy()
        weight: np.ndarray = np.ones((*shape, 1), np.float32)
        for rows, columns in _AROUND:
            here, there = _overlap(rows * step, columns * step)
            same = (surface[here] == surface[there])[..., None].astype(np.float32)
            total[here] += values[there] * same
            weight[here] += same
        values = total / weight
    values = values.reshape(-1, values.shape[-1])
    return values[:, 0], list(values[:, 1:].T)


def _lighting_nearby(
    world: World,
    seen: Hits,
    pixels: np.ndarray,
    hits: Hits,
    lit: Lighting,
    around: Surroundings,
    rng: np.random.Generator,
    shape: tuple[int, int],
) -> Lighting:
    """Take the smoothed lighting of the same part beside a pixel; sample it where there is none."""
    height, width = shape
    source: np.ndarray = np.full(len(pixels), -1)
    rows, columns = np.divmod(pixels, width)
    for down, right in ((0, 0), *_AROUND):
        other = np.clip(rows + down, 0, height - 1) * width + np.clip(columns + right, 0, width - 1)
        source = np.where((source < 0) & (hits.part[other] == seen.part), other, source)
    occlusion, shadows = lit[0][source], [shadow[source] for shadow in lit[1]]
    alone = np.flatnonzero(source < 0)
    if len(alone):
        fresh = world.lighting(
            (seen.point + seen.flat * OFFSET)[alone], seen.flat[alone], around, rng, samples=2 * LIGHT_SAMPLES
        )
        occlusion[alone] = fresh[0]
        for shadow, value in zip(shadows, fresh[1], strict=True):
            shadow[alone] = value
    return occlusion, shadows


def _overlap(rows: int, columns: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices of an image and of its copy shifted by (rows, columns) where they overlap."""

    def pair(shift: int) -> tuple[slice, slice]:
        return (
            (slice(0, -shift), slice(shift, None))
            if shift > 0
            else ((slice(-shift, None), slice(0, shift)) if shift < 0 else (slice(None), slice(None)))
        )

    (here_rows, there_rows), (here_columns, there_columns) = pair(rows), pair(columns)
    return (here_rows, here_columns), (there_rows, there_columns)


def _edges(light: np.ndarray, hits: Hits, shape: tuple[int, int]) -> np.ndarray:
    """Mark pixels where parts meet, surfaces bend or brightness jumps, (H * W,) bool."""
    part = hits.part.reshape(shape).astype(np.float32)
    bright = np.sqrt(np.clip(light, 0, 2)).mean(-1).reshape(shape).astype(np.float32)
    square = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(bright, square) - cv2.erode(bright, square) > 0.22
    return ((cv2.dilate(part, square) != cv2.erode(part, square)) | jump).ravel()
