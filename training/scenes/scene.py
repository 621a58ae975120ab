"""What a generated scene holds: pictures, ground truth and phrases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SceneObject:
    """One object of the table that the picture shows, with its ground truth.

    ``id`` is its value in :attr:`Scene.instances`, ``box2d`` (x0, y0, x1, y1; x1 and y1 exclusive) holds
    its visible pixels, ``visible`` is their share of the pixels that it would have alone and whole, 0..1.
    In metres in the camera's optical frame (REP-103: x right, y down, z forward): ``center`` (3,),
    ``size`` (3,) along the box's own axes and ``orientation`` quaternion (x, y, z, w) of the box; its
    third axis points up where the object stands on the table. ``size_class`` is 'small', 'medium' or
    'large' among things of its kind.
    """

    id: int
    kind: str
    colour: str
    material: str
    size_class: str
    box2d: tuple[int, int, int, int]
    center: np.ndarray
    size: np.ndarray
    orientation: np.ndarray
    visible: float


@dataclass(frozen=True)
class ScenePhrase:
    """A referring phrase in both languages that fits exactly one object, or none (``target_id`` 0).

    ``needs`` says what it takes to tell the target apart in this scene: out of 'kind', 'colour', 'size',
    'position', 'relation', 'ordinal'. It is empty for a phrase whose thing is absent, and where none of what
    is said is missed if it alone is left out: a single thing in view, or a kind and a colour that would each
    do alone.
    """

    text_en: str
    text_ko: str
    target_id: int
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """One picture of a table with its ground truth.

    ``image`` (H, W, 3) uint8 RGB; ``depth`` (H, W) float32 metres along the optical axis, 0 where there
    is no reading; ``instances`` (H, W) int32, 0 where no object is; ``intrinsics`` (fx, fy, cx, cy) in
    pixels, with pixel centres at whole numbers as in OpenCV and sensor_msgs/CameraInfo; ``camera_pose``
    (4, 4) float64, camera optical frame to world (z up, table top at z = 0, metres).
    """

    seed: int
    image: np.ndarray
    depth: np.ndarray
    instances: np.ndarray
    intrinsics: tuple[float, float, float, float]
    camera_pose: np.ndarray
    objects: tuple[SceneObject, ...]
    phrases: tuple[ScenePhrase, ...]

    def box_of(self, number: int) -> tuple[int, int, int, int] | None:
        """Return ``box2d`` of the object with an id, None where it is not in the picture."""
        return next((thing.box2d for thing in self.objects if thing.id == number), None)
