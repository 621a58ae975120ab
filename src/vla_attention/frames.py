"""Frames with their times, from a video file or a folder of images."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np

LOG = logging.getLogger(__name__)
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm')
DEFAULT_FOLDER_FPS = 10.0
WHOLE = 0.9     # of the frames that a video says it has; some containers tell an estimate


class FrameError(ValueError):
    """Frames cannot be read; the message names the file and says why."""


class FolderFrames:
    """The images of a folder in the order of their names, one every 1 / fps seconds.

    Numbers in the names count as numbers: frame2 comes before frame10.
    """

    def __init__(self, folder: Path, fps: float = DEFAULT_FOLDER_FPS) -> None:
        """List the folder.

        :raises FrameError: it holds no image.
        """
        self.paths = sorted((path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES),
                            key=_natural)
        self.fps = fps
        if not self.paths:
            raise FrameError(f'{folder} holds no image ({", ".join(IMAGE_SUFFIXES)})')

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yield (time in seconds, (H, W, 3) uint8 RGB)."""
        for number, path in enumerate(self.paths):
            yield number / self.fps, _read(path)

    def images(self, numbers: Collection[int]) -> dict[int, np.ndarray]:
        """Return some of the images, (H, W, 3) uint8 RGB, by their number from 0."""
        return {number: _read(self.paths[number]) for number in numbers}


class VideoFrames:
    """The frames of a video file; times are counted, ``fps`` of them a second."""

    def __init__(self, path: Path, fps: float | None = None) -> None:
        """Open the file.

        :param fps: frames per second of real time; None: what the file says, which is an
            average where the rate varies.
        :raises FrameError: OpenCV cannot read it.
        """
        self.path = path
        capture = self._open()
        stated = capture.get(cv2.CAP_PROP_FPS)
        self._length = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        capture.release()
        self._warned = False
        self.fps = fps if fps is not None else (stated if math.isfinite(stated) and stated > 0 else 0.0)
        if self.fps <= 0:
            raise FrameError(f'{path} does not say how many frames per second it has: give --fps')

    def _open(self) -> cv2.VideoCapture:
        # FFmpeg's own words, a line for each look at what is no video, are no use beside ours
        os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
        capture = cv2.VideoCapture(str(self.path))
        if not capture.isOpened():
            raise FrameError(f'{self.path} is no video that OpenCV can read')
        return capture

    def __len__(self) -> int:
        """Return how many frames the file says that it has (an estimate for some containers)."""
        return self._length

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yield (time in seconds, (H, W, 3) uint8 RGB); warn once where the file breaks off."""
        capture = self._open()
        try:
            number = 0
            while True:
                read, image = capture.read()
                if not read:
                    break
                yield number / self.fps, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                number += 1
        finally:
            capture.release()
        if number == 0:
            raise FrameError(f'{self.path} holds no frame that OpenCV can decode')
        if number < WHOLE * self._length and not self._warned:
            self._warned = True
            LOG.warning('%s breaks off after %d of %d frames', self.path, number, self._length)

    def images(self, numbers: Collection[int]) -> dict[int, np.ndarray]:
        """Return some of the frames, (H, W, 3) uint8 RGB, by their number from 0; the file is read again.

        :raises FrameError: it has fewer frames.
        """
        found = {number: image for number, (_, image) in zip(range(max(numbers) + 1), self, strict=False)
                 if number in numbers}
        if len(found) < len(numbers):
            raise FrameError(f'{self.path} gave fewer frames when it was read again')
        return found


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Return what sorts by name with its runs of digits as numbers, and 01 before 1."""
    parts: list[str | int] = list(re.split(r'(\d+)', path.name))    # text and digits take turns
    parts[1::2] = [int(digits) for digits in parts[1::2]]
    return parts, path.name


def _read(path: Path) -> np.ndarray:
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:       # it says that it has too many pixels
        image = None
    if image is None:
        raise FrameError(f'{path} is no image that OpenCV can read')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def open_frames(source: Path | str, fps: float | None = None) -> FolderFrames | VideoFrames:
    """Open a folder of images or a video; ``len`` tells how many frames, iterating gives (time, image).

    :param fps: frames per second of real time; None: what the video says, 10 for a folder.
    :raises FrameError: there is no such source, it holds nothing readable, or ``fps`` is not above 0.
    """
    source = Path(source)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise FrameError(f'fps must be a finite number above 0, got {fps}')
    if source.is_dir():
        return FolderFrames(source, DEFAULT_FOLDER_FPS if fps is None else fps)
    if not source.exists():
        raise FrameError(f'{source} does not exist')
    return VideoFrames(source, fps)
