"""What scene_camera shows: a photograph, a folder of frames, a video, or generated RGB-D scenes."""

from __future__ import annotations

import functools
import importlib
import math
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vla_attention.frames import IMAGE_SUFFIXES, open_frames

BUILT_IN = ('coffee', 'scene')


class SourceError(ValueError):
    """There is nothing to show; the message names the source and says why."""


@dataclass(frozen=True)
class CameraFrame:
    """One picture.

    ``rgb`` (H, W, 3) uint8, ``depth`` (H, W) float32 metres or None, ``matrix`` (3, 3) intrinsics in pixels,
    ``instruction`` that fits the picture or ''.
    """

    rgb: np.ndarray
    depth: np.ndarray | None
    matrix: np.ndarray
    instruction: str = ''


FrameStream = Generator[CameraFrame, None, None]    # closing it ends what runs in the background


def open_source(source: str, *, field_of_view: float = 60.0, seed: int = 0, scene_width: int = 640,
                scene_frames: int = 30, rate: float = 10.0) -> FrameStream:
    """Return the frames of one pass over the source.

    :param source: 'coffee' (the photograph in scikit-image), 'scene' (generated, with depth), or a path.
    :param field_of_view: horizontal, in degrees: what intrinsics are made of where the source has none.
    :param seed: which scene is generated.
    :param scene_width: its width in pixels; the height is three quarters of it.
    :param scene_frames: how many frames are rendered in the background, to be played to and fro.
    :param rate: frames per second for which the scene's motion is rendered.
    :raises SourceError: there is no such source, or what it needs is not installed.
    """
    if source == 'scene':
        return _scenes(seed, scene_width, scene_frames, rate)
    if source == 'coffee':
        return _still(_coffee(), field_of_view)
    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return _still(_photograph(path, path.stat().st_mtime_ns), field_of_view)
    try:
        frames = open_frames(path)
    except ValueError as error:
        raise SourceError(f'{error}; a source is a path or one of {", ".join(BUILT_IN)}') from error
    return (CameraFrame(image, None, _matrix(image, field_of_view)) for _, image in frames)


def _still(image: np.ndarray, field_of_view: float) -> FrameStream:
    yield CameraFrame(image, None, _matrix(image, field_of_view))


def _scenes(seed: int, width: int, frames: int, rate: float) -> FrameStream:
    play = _scene_player()
    rendered: list[CameraFrame] = []
    failure: list[Exception] = []
    begun, ended = threading.Event(), threading.Event()

    def render() -> None:
        try:
            for _, scene in play(seed, size=(width, width * 3 // 4), rate_hz=rate, seconds=frames / rate,
                                 split='test', moving=True):
                fx, fy, cx, cy = scene.intrinsics
                depth = np.where(scene.depth > 0, scene.depth, np.float32(np.nan)).astype(np.float32)
                matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
                instruction = _pick_up(scene.phrases[0].text_ko) if scene.phrases else ''
                rendered.append(CameraFrame(scene.image, depth, matrix, instruction))
                begun.set()
                if ended.is_set():
                    return
        except Exception as error:
            failure.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=render, name='scene-renderer', daemon=True)
    thread.start()
    try:
        begun.wait()
        index, step = 0, 1
        while True:
            if failure:
                raise SourceError(f'scene: rendering failed: {failure[0]}') from failure[0]
            yield rendered[index]
            # to and fro over what there is: smooth at the end, and before all frames are rendered
            if not 0 <= index + step < len(rendered):
                step = -step
            index = min(max(index + step, 0), len(rendered) - 1)
    finally:
        ended.set()
        thread.join()


def _pick_up(phrase: str) -> str:
    closed = '가' <= phrase[-1] <= '힣' and (ord(phrase[-1]) - ord('가')) % 28 > 0   # ends in a consonant
    return f'{phrase}{"을" if closed else "를"} 집어줘'


def _scene_player() -> Callable[..., Any]:
    """Return the generator's ``play``: of the source checkout, or as setup.py installs it."""
    checkout = Path(__file__).resolve().parents[3]
    name = 'vla_attention.scenes'
    if (checkout / 'training' / 'scenes').is_dir():
        name = 'training.scenes'
        if str(checkout) not in sys.path:
            sys.path.append(str(checkout))
    try:
        return importlib.import_module(name).play
    except ModuleNotFoundError as error:
        if error.name and error.name.partition('.')[0] == 'embreex':
            raise SourceError('scene: scenes are rendered with embreex, which is not installed: '
                              'python3 -m pip install embreex') from error
        raise SourceError(f'scene: the generator cannot be imported: {error}') from error


@functools.lru_cache(maxsize=1)     # a still is opened again for every frame
def _coffee() -> np.ndarray:
    try:
        from skimage import data
    except ImportError as error:
        raise SourceError('coffee: the photograph is in scikit-image, which is not installed') from error
    return data.coffee()


@functools.lru_cache(maxsize=1)
def _photograph(path: Path, modified: int) -> np.ndarray:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f'{path} is no image that OpenCV reads')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _matrix(image: np.ndarray, field_of_view: float) -> np.ndarray:
    height, width = image.shape[:2]
    focal = width / 2 / math.tan(math.radians(field_of_view) / 2)
    # pixel centres are at whole numbers, as in sensor_msgs/CameraInfo
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
