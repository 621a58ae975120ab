"""The plane that things stand on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

TRIPLES = 64            # draws of RANSAC; a plane that holds 40 % of the points is missed once in 70
LEAST_SCORE = 1e-3      # a plane that the thing is half behind, or half a metre above, is none it stands on
MIN_SHARE = 0.25        # a plane that holds fewer of the points around a thing carries nothing
LEAN = np.cos(np.radians(6))    # a plane that leans more against the surface at its points cuts through it

_DRAWS = np.random.default_rng(0).random((TRIPLES, 3))      # of points, in shares of their number


@dataclass(frozen=True)
class Plane:
    """Points p with ``normal`` @ p = ``offset``, in the camera's optical frame.

    ``normal`` (3,) unit vector towards the camera; ``spread`` standard deviation in metres of the points
    that lie on it.
    """

    normal: np.ndarray
    offset: float
    spread: float

    def height(self, points: np.ndarray) -> np.ndarray:
        """Return how far points (..., 3) stand above the plane, in metres."""
        return points @ self.normal.astype(points.dtype) - points.dtype.type(self.offset)

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return two unit vectors (3,) along the plane; with the normal they make a right-handed frame."""
        start = np.zeros(3)
        start[np.argmin(np.abs(self.normal))] = 1.0
        u = cross(start, self.normal)
        u /= np.sqrt(u @ u)
        return u, cross(self.normal, u)


def fit_plane(points: np.ndarray, weights: np.ndarray, resting: np.ndarray, tolerance: float,
              facing: np.ndarray | None = None) -> Plane | None:
    """Find the plane that a thing rests on: RANSAC (Fischler and Bolles, 1981), then least squares.

    Of planes that many points lie on, that one is taken which the thing stands on: none of the thing is
    behind it, and the thing's lowest points are near it. A wall behind a cup loses to the table, and so does
    a plane from the table up to the box that the cup stands on: at its points, neither lies in it. The same
    points give the same plane: draws are always the same.

    :param points: (N, 3) around the thing, metres.
    :param weights: (N,) how near the thing each is, in the image.
    :param resting: (M, 3) points of the thing itself; may be empty.
    :param tolerance: how far from the plane a point may lie, in metres.
    :param facing: (N, 3) unit normals of the surface at ``points``, towards the camera; zeros where unknown.
    :return: None where no plane holds :data:`MIN_SHARE` of the weight and could carry the thing.
    """
    if len(points) < 12 or weights.sum() <= 0:
        return None
    triples = points[(_DRAWS * len(points)).astype(np.intp)].astype(np.float64)
    normals = cross(triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0])
    lengths = np.sqrt(np.einsum('ij,ij->i', normals, normals))
    good = lengths > 1e-8
    normals = normals[good] / lengths[good, None]
    offsets = np.einsum('ij,ij->i', normals, triples[good, 0])
    towards = np.where(offsets > 0, -1.0, 1.0)      # the camera is at the origin, on the upper side
    normals, offsets = normals * towards[:, None], offsets * towards
    normals32, offsets32 = normals.astype(np.float32), offsets.astype(np.float32)
    away = points @ normals32.T
    away -= offsets32
    on = np.abs(away, out=away) < tolerance     # (N, draws)
    counted = on.astype(np.float32)
    votes = weights @ counted / weights.sum()
    carries = votes >= MIN_SHARE
    if facing is not None:
        mean = facing.T @ counted       # (3, draws)
        carries &= np.einsum('ij,ji->i', normals32, mean) >= LEAN * np.linalg.norm(mean, axis=0)
    if not carries.any():
        return None
    draws = np.flatnonzero(carries)
    scores = votes[draws]
    if len(resting):
        scores = scores * _stands_on(normals32[draws] @ resting.T - offsets32[draws, None], tolerance)
    if scores.max() < LEAST_SCORE:
        return None
    best = draws[np.argmax(scores)]
    exact = points.astype(np.float64)
    plane = _least_squares(exact.compress(on[:, best], axis=0))
    near = np.abs(plane.height(exact)) < min(tolerance, 2.5 * plane.spread + 1e-3)
    return _least_squares(exact.compress(near, axis=0)) if np.count_nonzero(near) >= 12 else None


def _stands_on(heights: np.ndarray, tolerance: float) -> np.ndarray:
    """Return 0..1 a plane: how well a thing with these heights (draws, M) above it stands on it."""
    behind = np.mean(heights < -2 * tolerance, axis=1)
    low = heights.shape[1] // 20
    lowest = np.partition(heights, low, axis=1)[:, low]
    gap = np.maximum(lowest - tolerance, 0.0)
    return (1 - behind) ** 2 * np.exp(-gap / 0.05)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cross products of vectors (..., 3); np.cross takes longer to begin than to compute."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    product = np.empty_like(a)
    product[..., 0] = ay * bz - az * by
    product[..., 1] = az * bx - ax * bz
    product[..., 2] = ax * by - ay * bx
    return product


def _least_squares(points: np.ndarray) -> Plane:
    """Return the plane nearest to points (N, 3) float64, N > 2."""
    middle, axes, variances = cv2.PCACompute2(points, np.empty(0))      # the axis of least variance is last
    normal = axes[2]
    offset = float(normal @ middle[0])
    if offset > 0:
        normal, offset = -normal, -offset
    return Plane(normal, offset, float(np.sqrt(max(variances[2, 0], 0.0))))
