"""Ray tracing on the CPU with Embree: geometry buffers and shaded colours of arbitrary rays.

Embree (Intel, through the wheel embreex) answers about ten million rays a second on one core, so shadows,
ambient occlusion, reflections and glass are simply traced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from .materials import Part

OFFSET = 4e-4  # metres that a secondary ray starts off the surface
OCCLUSION_REACH = 0.30  # metres within which neighbours darken
MIPS = 6


@dataclass(frozen=True)
class Light:
    """A round lamp: ``position`` (3,) metres, ``radius`` metres, ``colour`` (3,) its light at one metre."""

    position: np.ndarray
    radius: float
    colour: np.ndarray


@dataclass(frozen=True)
class Surroundings:
    """``lights``, ``ambient`` light (3,) from everywhere, and ``room`` (h, w, 3), a panorama to reflect."""

    lights: tuple[Light, ...]
    ambient: np.ndarray
    room: np.ndarray


@dataclass(frozen=True)
class Hits:
    """What N rays meet.

    ``found`` bool; ``distance`` in metres along the ray; ``part`` index; ``instance``; ``normal`` (smooth)
    and ``flat`` (the triangle's own), towards the eye; ``point``; ``face``, and ``weights`` of its corners.
    """

    found: np.ndarray
    distance: np.ndarray
    part: np.ndarray
    instance: np.ndarray
    normal: np.ndarray
    flat: np.ndarray
    point: np.ndarray
    face: np.ndarray
    weights: np.ndarray


class World:
    """Parts with their instance numbers, ready for rays."""

    def __init__(self, parts: Sequence[Part], instances: Sequence[int]) -> None:
        """Build the acceleration structure and pack the textures.

        :param instances: one number a part; 0 or below for what is no object.
        """
        counts = [len(part.mesh.faces) for part in parts]
        starts = np.cumsum([0] + [len(part.mesh.vertices) for part in parts[:-1]])
        self.vertices = np.concatenate([part.mesh.vertices for part in parts]).astype(np.float32)
        self.normals = np.concatenate([part.mesh.normals for part in parts]).astype(np.float32)
        self.uv = np.concatenate([part.mesh.uv for part in parts]).astype(np.float32)
        self.faces = np.concatenate(
            [part.mesh.faces + start for part, start in zip(parts, starts, strict=True)]
        ).astype(np.int32)
        self.part_of = np.repeat(np.arange(len(parts), dtype=np.int32), counts)
        self.instance = np.asarray(instances, np.int32)
        self.colour = np.stack([part.surface.colour for part in parts]).astype(np.float32)
        self.gloss = np.array([part.surface.gloss for part in parts], np.float32)
        self.metal = np.array([part.surface.metal for part in parts], np.float32)
        self.clear = np.array([part.surface.clear for part in parts], np.float32)
        self._textures = [part.surface.texture for part in parts]
        self._extent = [(part.mesh.vertices, part.mesh.uv) for part in parts]
        self._packed: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._scene = EmbreeScene()
        self._mesh = TriangleMesh(self._scene, self.vertices, self.faces)

    def hit(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """Find the first surface on each ray.

        :param origins: (N, 3) float32 metres.
        :param directions: (N, 3) float32 unit vectors.
        """
        answer = self._scene.run(origins, directions, query='INTERSECT', output=1)
        found = answer['geomID'] >= 0
        face = np.where(found, answer['primID'], 0)
        u, v = answer['u'], answer['v']
        weights = np.stack([1 - u - v, u, v], axis=1)
        corners = self.faces[face]
        normal = _facing(_unit(np.einsum('nk,nkc->nc', weights, self.normals[corners])), directions)
        flat = _facing(_unit(answer['Ng']), directions)
        distance = np.where(found, answer['tfar'], 0).astype(np.float32)
        part = self.part_of[face]
        return Hits(
            found,
            distance,
            part,
            np.where(found, self.instance[part], 0),
            normal,
            flat,
            origins + directions * distance[:, None],
            face,
            weights,
        )

    def open_to(
        self, points: np.ndarray, directions: np.ndarray, reach: np.ndarray | None = None
    ) -> np.ndarray:
        """Return 1.0 where nothing stands between a point and the way given, else 0.0.

        :param reach: (N,) metres to look; everywhere when None.
        """
        hit = self._scene.run(points, directions, dists=reach, query='OCCLUDED')
        return (hit < 0).astype(np.float32)

    def albedo(self, hits: Hits, footprint: np.ndarray) -> np.ndarray:
        """Return the base colour, linear (N, 3).

        :param footprint: (N,) metres that a ray's pixel covers there; picks the texture's level.
        """
        texels, levels, density = self._pack()
        uv = np.einsum('nk,nkc->nc', hits.weights, self.uv[self.faces[hits.face]])
        level = np.log2(np.maximum(footprint * density[hits.part], 1e-6))
        level = np.clip(np.rint(level), 0, MIPS - 1).astype(np.int64)
        start, height, width = levels[hits.part, level].T
        uv = np.minimum(1 - np.abs(1 - uv % 2.0), 0.99999)  # mirrored tiles have no seams
        index = start + (uv[:, 1] * height).astype(np.int64) * width + (uv[:, 0] * width).astype(np.int64)
        return self.colour[hits.part] * texels[index]

    def shade(
        self,
        origins: np.ndarray,
        directions: np.ndarray,
        around: Surroundings,
        rng: np.random.Generator,
        *,
        spread: float,
        hits: Hits | None = None,
        bounces: int = 3,
        lit: tuple[np.ndarray, list[np.ndarray]] | None = None,
    ) -> np.ndarray:
        """Return the light that comes along each ray, linear (N, 3) float32.

        :param spread: radians a pixel.
        :param hits: what the rays meet, where it is known already.
        :param lit: occlusion (N,) and one shadow (N,) a light, where they are known already.
        """
        hits = self.hit(origins, directions) if hits is None else hits
        base = self.albedo(hits, hits.distance * spread)
        start = hits.point + hits.flat * OFFSET
        occlusion, shadows = self.lighting(start, hits.flat, around, rng) if lit is None else lit
        up = (0.62 + 0.38 * hits.normal[:, 2:3]) * occlusion[:, None]
        diffuse = around.ambient * up
        shine = np.zeros_like(base)
        gloss, metal = self.gloss[hits.part][:, None], self.metal[hits.part][:, None]
        power = 2.0 ** (3 + 7 * gloss)
        for light, shadow in zip(around.lights, shadows, strict=True):
            way = light.position.astype(np.float32) - hits.point
            square = _dot(way, way)
            way /= np.sqrt(square)
            facing = np.maximum(_dot(way, hits.normal), 0) * shadow[:, None] / square
            diffuse = diffuse + light.colour * facing
            half = _unit(way - directions)
            shine += (
                light.colour
                * facing
                * np.maximum(_dot(half, hits.normal), 0) ** power
                * gloss
                * (power + 8)
                / 60
            )
        colour = base * diffuse * (1 - 0.85 * metal)
        tint = 1 - metal + metal * base
        colour += shine * tint * 0.5
        if bounces:
            colour += self._mirrored(
                hits, start, directions, around, rng, spread, occlusion, tint, gloss, metal
            )
            colour = self._through(hits, directions, colour, around, rng, spread, bounces)
        room = around_room(around.room, directions)
        return np.where(hits.found[:, None], colour, room).astype(np.float32)

    def lighting(
        self,
        start: np.ndarray,
        normal: np.ndarray,
        around: Surroundings,
        rng: np.random.Generator,
        *,
        samples: int = 1,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Sample how open each point is to the sky (N,) and to each light (N,)."""
        occlusion = np.zeros(len(start), np.float32)
        shadows = [np.zeros(len(start), np.float32) for _ in around.lights]
        reach = np.full(len(start), OCCLUSION_REACH, np.float32)
        for _ in range(samples):
            # a unit vector added to the normal is spread by the cosine (Lambert)
            occlusion += self.open_to(
                start, _unit(_ball(len(start), rng) + normal * np.float32(1.001)), reach
            )
            for light, shadow in zip(around.lights, shadows, strict=True):
                way = (
                    light.position.astype(np.float32)
                    + np.float32(light.radius) * _ball(len(start), rng)
                    - start
                )
                far = np.sqrt(_dot(way, way))
                shadow += self.open_to(start, way / far, far[:, 0])
        return occlusion / samples, [shadow / samples for shadow in shadows]

    def _mirrored(
        self,
        hits: Hits,
        start: np.ndarray,
        directions: np.ndarray,
        around: Surroundings,
        rng: np.random.Generator,
        spread: float,
        occlusion: np.ndarray,
        tint: np.ndarray,
        gloss: np.ndarray,
        metal: np.ndarray,
    ) -> np.ndarray:
        """Return reflections of the scene and the room on glossy and metal parts."""
        facing = np.clip(-_dot(directions, hits.normal), 0, 1)
        share = metal * 0.8 + (1 - metal) * gloss * (0.04 + 0.5 * (1 - facing) ** 5)
        light = np.zeros_like(tint)
        chosen = np.flatnonzero(hits.found & (share[:, 0] > 0.03))
        if len(chosen):
            way, normal = directions[chosen], hits.normal[chosen]
            way = way - 2 * _dot(way, normal) * normal
            way = _unit(way + (1 - gloss[chosen]) * 0.25 * _ball(len(chosen), rng))
            seen = self.hit(start[chosen], way)
            mirrored = self.albedo(seen, seen.distance * spread * 4) * around.ambient * 1.6
            mirrored = np.where(seen.found[:, None], mirrored, around_room(around.room, way))
            light[chosen] = mirrored * share[chosen] * tint[chosen]
        return light

    def _through(
        self,
        hits: Hits,
        directions: np.ndarray,
        colour: np.ndarray,
        around: Surroundings,
        rng: np.random.Generator,
        spread: float,
        bounces: int,
    ) -> np.ndarray:
        """Add what shines through clear parts."""
        clear = self.clear[hits.part] * hits.found
        chosen = np.flatnonzero(clear > 0)
        if len(chosen):
            way = directions[chosen]
            behind = self.shade(
                hits.point[chosen] + way * OFFSET * 5, way, around, rng, spread=spread, bounces=bounces - 1
            )
            share, tint = clear[chosen, None], 0.5 + 0.5 * self.colour[hits.part[chosen]]
            colour[chosen] = colour[chosen] * (1 - share) + behind * share * tint
        return colour

    def _pack(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Put every texture's levels into one array of linear texels (N, 3); when first asked for.

        :return: texels, (parts, levels, 3) start, height and width, and (parts,) texels a metre.
        """
        if self._packed is not None:
            return self._packed
        texels, levels, density = [np.ones((1, 3), np.float32)], [], []
        known: dict[int, list[tuple[int, int, int]]] = {}
        size = 1
        for texture, (vertices, uv) in zip(self._textures, self._extent, strict=True):
            if texture is None:
                levels.append([(0, 1, 1)] * MIPS)
                density.append(0.0)
                continue
            if id(texture) not in known:
                entry = []
                level = _DECODE[texture]
                for _ in range(MIPS):
                    entry.append((size, level.shape[0], level.shape[1]))
                    texels.append(level.reshape(-1, 3))
                    size += level.shape[0] * level.shape[1]
                    half = (max(1, level.shape[1] // 2), max(1, level.shape[0] // 2))
                    level = cv2.resize(level, half, interpolation=cv2.INTER_AREA)
                known[id(texture)] = entry
            levels.append(known[id(texture)])
            reach = np.ptp(vertices, axis=0).max() / max(np.ptp(uv), 1e-6)
            density.append(max(texture.shape[:2]) / max(reach, 1e-4))
        self._packed = np.concatenate(texels), np.array(levels, np.int64), np.array(density, np.float32)
        return self._packed


def around_room(room: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Look a direction (N, 3) up in a panorama (h, w, 3) whose first row is straight up."""
    height, width = room.shape[:2]
    row = ((1 - directions[:, 2]) / 2 * (height - 1)).astype(np.int64)
    turn = np.arctan2(directions[:, 1], directions[:, 0]) / (2 * np.pi) + 0.5
    column = (turn * (width - 1)).astype(np.int64)
    return room[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.einsum('nc,nc->n', first, second)[:, None]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.sqrt(_dot(vectors, vectors)), 1e-9)


def _facing(normal: np.ndarray, directions: np.ndarray) -> np.ndarray:
    return np.where(_dot(normal, directions) > 0, -normal, normal)


def _ball(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return unit vectors (count, 3) from a table: drawing each anew costs more than tracing its ray."""
    start = int(rng.integers(len(_UNITS)))
    return np.resize(np.roll(_UNITS, -start, axis=0), (count, 3))


_UNITS = _unit(np.random.default_rng(0).standard_normal((65521, 3)).astype(np.float32))
_DECODE = ((np.arange(256) / 255) ** 2.2).astype(np.float32)
