"""A moving camera over a scene: what a camera on an arm or in a hand sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .camera import Camera, look_at
from .make import Setting, generator, make_setting, photograph
from .render import render
from .sampler import Item
from .scene import Scene

TURN = np.radians(25)  # the camera swings by as much to either side
PERIOD = 9.0  # seconds of one swing


@dataclass(frozen=True)
class Journey:
    """A camera's way around a scene, before any picture is taken.

    ``moments`` are (time in seconds, items where they are then, camera); ``style`` is a seed for how the
    sensor renders all of them alike.
    """

    setting: Setting
    style: int
    moments: tuple[tuple[float, tuple[Item, ...], Camera], ...]


def journey(
    seed: int,
    *,
    size: tuple[int, int] = (320, 240),
    rate_hz: float = 10.0,
    seconds: float = 5.0,
    split: str = 'train',
    moving: bool = False,
) -> Journey:
    """Draw the way of :func:`play`; the arguments and errors are the same."""
    if rate_hz <= 0 or seconds <= 0:
        raise ValueError(f'rate_hz and seconds must be positive, got {rate_hz} and {seconds}')
    rng = generator(seed, split)
    setting = make_setting(rng, size, split)
    sway = rng.uniform(0.5, 1.0, 3) * [TURN, 0.35 * TURN, 0.12]
    phase = rng.uniform(0, 2 * np.pi, 3)
    heading = rng.uniform(0, 2 * np.pi)
    free = [
        index
        for index, item in enumerate(setting.items)
        if item.carrier < 0 and not any(other.carrier == index for other in setting.items)
    ]
    slider = free[int(rng.integers(len(free)))] if moving and free else -1
    style = int(rng.integers(2**31))
    moments = []
    for frame in range(max(1, round(seconds * rate_hz))):
        time = frame / rate_hz
        camera = _swing(setting.camera, sway * (np.sin(2 * np.pi * time / PERIOD + phase) - np.sin(phase)))
        items = list(setting.items)
        if slider >= 0:
            way = 0.08 * np.sin(2 * np.pi * time / PERIOD) * np.array([np.cos(heading), np.sin(heading), 0.0])
            items[slider] = items[slider].moved(way)
        moments.append((time, tuple(items), camera))
    return Journey(setting, style, tuple(moments))


def play(
    seed: int,
    *,
    size: tuple[int, int] = (320, 240),
    rate_hz: float = 10.0,
    seconds: float = 5.0,
    split: str = 'train',
    moving: bool = False,
    depth_noise: bool = True,
) -> Iterator[tuple[float, Scene]]:
    """Yield (time in seconds, scene) of a camera that swings around a table.

    Phrases are those of the first picture; objects keep their ids from frame to frame. The same arguments
    give the same frames.

    :param moving: one object slides over the table besides.
    :raises ValueError: a rate or a length that is not positive, no such split, or a size below 32 pixels.
    """
    way = journey(seed, size=size, rate_hz=rate_hz, seconds=seconds, split=split, moving=moving)
    phrases = None
    for frame, (time, items, camera) in enumerate(way.moments):
        noise = np.random.default_rng([way.style, frame])
        picture = render(way.setting.world(items), camera, way.setting.around, noise)
        # one camera, one exposure and white balance: the sensor's mood is drawn from the same seed each time
        scene = photograph(
            seed,
            items,
            way.setting.clutter,
            camera,
            picture,
            np.random.default_rng(way.style),
            depth_noise=depth_noise,
            sensor_noise=True,
            with_phrases=phrases is None,
        )
        phrases = scene.phrases if phrases is None else phrases
        yield time, replace(scene, phrases=phrases)


def _swing(camera: Camera, by: np.ndarray) -> Camera:
    """Turn a camera around the point that it looks at.

    :param by: azimuth and elevation in radians, and the share by which the distance grows.
    """
    eye, forward = camera.pose[:3, 3], camera.pose[:3, 2]
    target = eye + forward * (eye[2] / max(-forward[2], 0.1))
    offset = eye - target
    distance = np.linalg.norm(offset) * (1 + by[2])
    azimuth = np.arctan2(offset[1], offset[0]) + by[0]
    elevation = np.clip(np.arcsin(offset[2] / np.linalg.norm(offset)) + by[1], 0.2, 1.5)
    eye = target + distance * np.array(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    )
    return Camera(look_at(eye, target), camera.intrinsics, camera.size)
