"""Triangle meshes made with numpy: lofts (lathes, extrusions, tubes), boxes and panels.

Every shape is a loft: a stack of rings with the same number of corners, joined by quads. Rings that go up
(+z) and round counter-clockwise seen from above have outward normals; a ring whose corners coincide closes
the shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np

SEGMENTS = 26
Vector = Union[Sequence[float], np.ndarray]


@dataclass(frozen=True)
class Mesh:
    """``vertices`` (N, 3) metres, ``normals`` (N, 3) unit, ``uv`` (N, 2) in 0..1, ``faces`` (M, 3) int32."""

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray

    def moved(self, rotation: np.ndarray | None = None, offset: Vector = (0.0, 0.0, 0.0)) -> Mesh:
        """Rotate by a (3, 3) matrix about the origin, then shift by metres."""
        if rotation is None:
            return Mesh(self.vertices + np.asarray(offset), self.normals, self.uv, self.faces)
        return Mesh(
            self.vertices @ rotation.T + np.asarray(offset), self.normals @ rotation.T, self.uv, self.faces
        )


def loft(rings: np.ndarray, *, crease: float = 40.0, closed: bool = True) -> Mesh:
    """Join rings by quads; edges sharper than ``crease`` degrees stay sharp.

    :param rings: (K, n, 3) metres.
    :param closed: the last corner of a ring joins the first.
    """
    rings = np.asarray(rings, np.float64)
    if closed:
        rings = np.concatenate([rings, rings[:, :1]], axis=1)
    a, b = rings[:-1, :-1], rings[:-1, 1:]
    c, d = rings[1:, 1:], rings[1:, :-1]
    face = _unit(np.cross(c - a, d - b))
    limit = np.cos(np.radians(crease))
    corners = []
    for up, around in ((-1, -1), (-1, 1), (1, 1), (1, -1)):
        total = face.copy()
        for dk, dn in ((up, 0), (0, around), (up, around)):
            neighbour = _shifted(face, dk, dn, closed)
            near = (neighbour * face).sum(-1, keepdims=True) > limit
            total += np.where(near, neighbour, 0.0)
        corners.append(_unit(total))
    u, v = _parameters(rings)
    uv = np.stack([u, v], axis=-1)
    vertices = np.stack([a, b, c, d], axis=2)
    uvs = np.stack([uv[:-1, :-1], uv[:-1, 1:], uv[1:, 1:], uv[1:, :-1]], axis=2)
    normals = np.stack(corners, axis=2)
    quads = np.arange(vertices.shape[0] * vertices.shape[1], dtype=np.int32)[:, None] * 4
    faces = np.concatenate([quads + np.array([0, 1, 2], np.int32), quads + np.array([0, 2, 3], np.int32)])
    return Mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), faces)


def lathe(profile: Sequence[tuple[float, float]], *, segments: int = SEGMENTS, crease: float = 40.0) -> Mesh:
    """Turn (radius, height) points about z; start and end at radius 0 for a closed solid."""
    points = np.asarray(profile, np.float64)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    rings = np.empty((len(points), segments, 3))
    rings[..., :2] = points[:, None, :1] * circle
    rings[..., 2] = points[:, None, 1]
    return loft(rings, crease=crease)


def extrude(polygon: np.ndarray, height: float, *, bevel: float = 0.0, bottom: float = 0.0) -> Mesh:
    """Raise a counter-clockwise (n, 2) polygon that is star-shaped about its mean, with rounded edges."""
    polygon = np.asarray(polygon, np.float64)
    middle = polygon.mean(0)
    reach = np.abs(polygon - middle).max()
    inner = middle + (polygon - middle) * (1 - bevel / reach)
    levels = [
        (middle + 0 * polygon, 0.0),
        (inner, 0.0),
        (polygon, bevel),
        (polygon, height - bevel),
        (inner, height),
        (middle + 0 * polygon, height),
    ]
    rings = np.stack(
        [np.concatenate([ring, np.full((len(ring), 1), bottom + z)], axis=1) for ring, z in levels]
    )
    return loft(rings, crease=50.0)


def prism(outline: np.ndarray, height: float, *, bottom: float = 0.0) -> Mesh:
    """Raise a strip: ``outline`` (K, 2, 2) gives the left and right edge of a flat shape along its length."""
    outline = np.asarray(outline, np.float64)
    rings = []
    for left, right in outline:
        rings.append([[*right, bottom], [*left, bottom], [*left, bottom + height], [*right, bottom + height]])
    ring = np.array(rings)
    ends = [
        np.repeat(ring[:1].mean(1, keepdims=True), 4, axis=1),
        ring,
        np.repeat(ring[-1:].mean(1, keepdims=True), 4, axis=1),
    ]
    return loft(np.concatenate(ends), crease=35.0)


def tube(
    path: np.ndarray,
    radius: float | Vector,
    *,
    segments: int = 12,
    flat: float = 1.0,
    caps: bool = True,
) -> Mesh:
    """Sweep a circle (an ellipse with ``flat`` times the radius across the path's plane) along a path.

    :param path: (K, 3) metres.
    :param radius: metres, one or one a point.
    """
    path = np.asarray(path, np.float64)
    radii = np.broadcast_to(np.asarray(radius, np.float64), (len(path),))
    tangent = _unit(np.gradient(path, axis=0))
    spread = path - path.mean(0)
    plane = np.linalg.svd(spread, full_matrices=True)[2][2]
    if abs(plane @ tangent[0]) > 0.9:
        plane = np.array([1.0, 0.0, 0.0])
    across = _unit(plane - tangent * (tangent @ plane)[:, None])
    side = np.cross(tangent, across)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rings = path[:, None] + radii[:, None, None] * (
        side[:, None] * np.cos(angle)[None, :, None] - across[:, None] * flat * np.sin(angle)[None, :, None]
    )
    if caps:
        rings = np.concatenate(
            [np.repeat(path[:1, None], segments, 1), rings, np.repeat(path[-1:, None], segments, 1)]
        )
    return loft(rings, crease=50.0)


def ellipsoid(radii: Vector, *, center: Vector = (0.0, 0.0, 0.0), rings: int = 14) -> Mesh:
    """Make an ellipsoid with half axes in metres."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings)
    ball = lathe(list(zip(np.cos(angle), np.sin(angle), strict=True)), crease=80.0)
    scale = np.asarray(radii, np.float64)
    return Mesh(ball.vertices * scale + np.asarray(center), _unit(ball.normals / scale), ball.uv, ball.faces)


def box(size: Vector, *, center: Vector = (0.0, 0.0, 0.0)) -> Mesh:
    """Make a box; each face has the whole texture."""
    return Mesh(
        _CUBE.vertices * np.asarray(size, np.float64) + np.asarray(center),
        _CUBE.normals,
        _CUBE.uv,
        _CUBE.faces,
    )


def panel(middle: np.ndarray, right: np.ndarray, up: np.ndarray) -> Mesh:
    """Make a rectangle from its middle and two half sides."""
    vertices = np.stack([middle - right - up, middle + right - up, middle + right + up, middle - right + up])
    normal = _unit(np.cross(right, up))
    return Mesh(
        vertices,
        np.tile(normal, (4, 1)),
        np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float64),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
    )


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """Put meshes into one."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]).astype(
            np.int32
        ),
    )


def rounded_rectangle(width: float, depth: float, corner: float, *, points: int = 4) -> np.ndarray:
    """Return the outline of a rounded rectangle, (n, 2), counter-clockwise, metres."""
    corner = min(corner, width / 2 - 1e-4, depth / 2 - 1e-4)
    quarter = np.linspace(0, np.pi / 2, points)
    outline = []
    for sx, sy, start in ((1, 1, 0.0), (-1, 1, np.pi / 2), (-1, -1, np.pi), (1, -1, 1.5 * np.pi)):
        middle = np.array([sx * (width / 2 - corner), sy * (depth / 2 - corner)])
        outline.append(
            middle + corner * np.stack([np.cos(quarter + start), np.sin(quarter + start)], axis=-1)
        )
    return np.concatenate(outline)


def circle(radius: float, *, segments: int = SEGMENTS, corners: int = 0) -> np.ndarray:
    """Return a circle's (or with ``corners`` a regular polygon's) outline, (n, 2), counter-clockwise."""
    angle = np.linspace(0, 2 * np.pi, corners or segments, endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def rotation(axis: str, degrees: float) -> np.ndarray:
    """Return the (3, 3) matrix that turns about 'x', 'y' or 'z'."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        'x': np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        'y': np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        'z': np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-12)


def _shifted(face: np.ndarray, dk: int, dn: int, closed: bool) -> np.ndarray:
    """Return each quad's neighbour's normal; beyond the rim there is none (zero)."""
    moved = face
    if dn:
        moved = np.roll(moved, -dn, axis=1)
        if not closed:
            moved = moved.copy()
            moved[:, -1 if dn > 0 else 0] = 0
    if dk:
        moved = np.roll(moved, -dk, axis=0)
        moved[-1 if dk > 0 else 0] = 0
    return moved


def _parameters(rings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return u (around) and v (along; 1 at the first ring) by arc length of the longest run."""
    around = np.linalg.norm(np.diff(rings, axis=1), axis=-1).max(0)
    along = np.linalg.norm(np.diff(rings, axis=0), axis=-1).max(1)
    u = np.concatenate([[0.0], np.cumsum(around)]) / max(around.sum(), 1e-9)
    v = 1 - np.concatenate([[0.0], np.cumsum(along)]) / max(along.sum(), 1e-9)
    return np.broadcast_to(u, rings.shape[:2]), np.broadcast_to(v[:, None], rings.shape[:2])


def _cube() -> Mesh:
    """Make the box of side 1 around the origin."""
    faces = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            right = np.zeros(3)
            right[1 if axis == 0 else 0] = 1.0
            up = np.cross(normal, right)
            if axis != 2 and up[2] < 0:
                right, up = -right, -up
            faces.append(panel(normal / 2, right / 2, up / 2))
    return merge(faces)


_CUBE = _cube()
