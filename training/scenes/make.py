"""One integer, one scene: layout, camera, light, picture, ground truth and phrases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import room
from .camera import Camera, draw_camera
from .materials import Part, names
from .phrases import write_phrases
from .referring import Seen
from .render import Render, render, whole_area
from .sampler import Item, lay_out
from .scene import Scene, SceneObject
from .sensor import develop, measure_depth
from .tracer import Surroundings, World

SPLITS = ('train', 'test')
FREE = 0.15  # metres that the camera keeps from every thing's ball
MIN_PIXELS = 6  # fewer visible pixels and a thing counts as not in view


@dataclass(frozen=True)
class Setting:
    """A scene before its picture is taken.

    Parts that are no objects: ``fixed`` (the table and the room), ``clutter`` (boxes behind the table) and
    ``visitors`` (a hand or a gripper).
    """

    items: tuple[Item, ...]
    fixed: tuple[Part, ...]
    clutter: tuple[Part, ...]
    visitors: tuple[Part, ...]
    around: Surroundings
    camera: Camera
    reach: float

    def world(self, items: tuple[Item, ...] | None = None) -> World:
        """Make the world, with other items (moved ones) where they are given.

        Ids of items follow the order from 1 up, those of clutter from -1 down, so that phrases can heed it.
        """
        parts = [*self.fixed, *self.clutter, *self.visitors]
        ids = [0] * len(self.fixed) + [-1 - index for index in range(len(self.clutter))]
        ids += [0] * len(self.visitors)
        for index, item in enumerate(self.items if items is None else items):
            parts += item.parts
            ids += [index + 1] * len(item.parts)
        return World(parts, ids)


def make_scene(
    seed: int,
    *,
    size: tuple[int, int] = (320, 240),
    split: str = 'train',
    depth_noise: bool = True,
    sensor_noise: bool = True,
) -> Scene:
    """Generate one scene; the same arguments give the same scene.

    Textures take photographs where a folder of them is found (see :mod:`training.scenes.textures`); with
    and without it scenes differ in texture.

    :param size: width and height in pixels.
    :param split: 'train', or 'test' for held-out shapes, textures and shades of colours.
    :param depth_noise: noise and holes as a depth camera makes them; exact depth otherwise.
    :param sensor_noise: the picture's exposure, blur, noise and compression vary; a plain one otherwise.
    :raises ValueError: no such split, or a size below 32 pixels.
    """
    rng = generator(seed, split)
    setting = make_setting(rng, size, split)
    picture = render(setting.world(), setting.camera, setting.around, rng)
    return photograph(
        seed,
        setting.items,
        setting.clutter,
        setting.camera,
        picture,
        rng,
        depth_noise=depth_noise,
        sensor_noise=sensor_noise,
    )


def generator(seed: int, split: str) -> np.random.Generator:
    """Return the random numbers of a scene.

    :raises ValueError: no such split.
    """
    if split not in SPLITS:
        raise ValueError(f'split is {split!r}; it must be one of {", ".join(SPLITS)}')
    return np.random.default_rng([seed, SPLITS.index(split)])


def make_setting(rng: np.random.Generator, size: tuple[int, int], split: str) -> Setting:
    """Draw everything but the picture.

    :raises ValueError: a size below 32 pixels.
    """
    if min(size) < 32:
        raise ValueError(f'size is {size}; width and height must be at least 32 pixels')
    held_out = split == 'test'
    items, reach = lay_out(rng, held_out=held_out)
    camera = draw_camera(rng, size, reach)
    for _ in range(20):
        if all(
            np.linalg.norm(item.middle - camera.pose[:3, 3]) > np.linalg.norm(item.half) + FREE
            for item in items
        ):
            break
        camera = draw_camera(rng, size, reach)
    fixed, clutter = room.furniture(rng, camera, reach, held_out=held_out)
    visitors = room.visitors(rng, camera, reach)
    if visitors and _hides(visitors, camera):
        visitors = []
    around = room.lighting(rng)
    return Setting(tuple(items), tuple(fixed), tuple(clutter), tuple(visitors), around, camera, reach)


def _hides(visitors: list[Part], camera: Camera) -> bool:
    """Tell whether a hand or gripper stands before the lens or covers much of the picture."""
    hits = World(visitors, [0] * len(visitors)).hit(*camera.rays(camera.grid()[::97]))
    return bool((hits.found & (hits.distance < FREE)).any() or hits.found.mean() > 0.3)


def photograph(
    seed: int,
    items: tuple[Item, ...],
    clutter: tuple[Part, ...],
    camera: Camera,
    picture: Render,
    rng: np.random.Generator,
    *,
    depth_noise: bool,
    sensor_noise: bool,
    with_phrases: bool = True,
) -> Scene:
    """Turn a render into a scene with its ground truth."""
    seen = describe(items, camera, picture.instances)
    instances = np.where(
        np.isin(picture.instances, [thing.object.id for thing in seen]), picture.instances, 0
    )
    behind = colours_behind(clutter, picture)
    return Scene(
        seed=seed,
        image=develop(picture.light, rng if sensor_noise else None),
        depth=measure_depth(picture.depth, rng) if depth_noise else picture.depth,
        instances=instances.astype(np.int32),
        intrinsics=camera.calibration,
        camera_pose=camera.pose,
        objects=tuple(thing.object for thing in seen),
        phrases=tuple(write_phrases(seen, camera.size, rng, behind)) if with_phrases else (),
    )


def colours_behind(clutter: tuple[Part, ...], picture: Render) -> frozenset[str]:
    """Return the names of colours that visible clutter may go by; empty where none is in view."""
    visible = [
        part
        for index, part in enumerate(clutter)
        if np.count_nonzero(picture.instances == -1 - index) >= MIN_PIXELS
    ]
    return frozenset().union(*(names(part.surface.colour) for part in visible))


def describe(items: tuple[Item, ...], camera: Camera, instances: np.ndarray) -> list[Seen]:
    """List the things in view with their ground truth."""
    seen = []
    to_camera = camera.pose[:3, :3].T
    right = camera.pose[:2, 0] / np.linalg.norm(camera.pose[:2, 0])
    away = np.array([-right[1], right[0]])
    for index, item in enumerate(items):
        rows, columns = np.nonzero(instances == index + 1)
        if len(rows) < MIN_PIXELS:
            continue
        visible = min(1.0, len(rows) / max(whole_area(item, camera), len(rows)))
        thing = SceneObject(
            id=index + 1,
            kind=item.kind.name,
            colour=item.colour,
            material=item.material,
            size_class=item.size_class,
            box2d=(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1),
            center=to_camera @ (item.middle - camera.pose[:3, 3]),
            size=2 * item.half,
            orientation=quaternion(to_camera @ item.turn),
            visible=visible,
        )
        seen.append(
            Seen(
                thing,
                item.kind,
                len(rows),
                (float(columns.mean()), float(rows.mean())),
                (float(item.middle[:2] @ right), float(item.middle[:2] @ away)),
                item.carrier + 1,
            )
        )
    return seen


def quaternion(matrix: np.ndarray) -> np.ndarray:
    """Return the unit quaternion (x, y, z, w), w >= 0, of a rotation matrix."""
    k = (
        np.array(
            [
                [matrix[0, 0] - matrix[1, 1] - matrix[2, 2], 0, 0, 0],
                [matrix[0, 1] + matrix[1, 0], matrix[1, 1] - matrix[0, 0] - matrix[2, 2], 0, 0],
                [
                    matrix[0, 2] + matrix[2, 0],
                    matrix[1, 2] + matrix[2, 1],
                    matrix[2, 2] - matrix[0, 0] - matrix[1, 1],
                    0,
                ],
                [
                    matrix[2, 1] - matrix[1, 2],
                    matrix[0, 2] - matrix[2, 0],
                    matrix[1, 0] - matrix[0, 1],
                    matrix.trace(),
                ],
            ]
        )
        / 3
    )
    q = np.linalg.eigh(k)[1][:, -1]  # eigh reads the lower triangle (Bar-Itzhack 2000)
    return q if q[3] >= 0 else -q
