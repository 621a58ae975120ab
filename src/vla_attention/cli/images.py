"""Pictures and depth, from files and to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vla_attention.cli.common import UsageError, make_folder


def read_image(path: Path) -> Any:
    """Read a picture as (H, W, 3) uint8 RGB.

    :raises UsageError: it is not a picture that OpenCV reads.
    """
    import cv2
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _decode(path: Path, flags: int) -> Any:
    import cv2
    import numpy as np
    try:
        data = np.fromfile(path, np.uint8)      # imread would not tell a missing file from a broken one
        image = cv2.imdecode(data, flags) if data.size else None
    except (cv2.error, ValueError):     # too many pixels, or a name that no file can have
        image = None
    if image is None:
        raise UsageError(f'{path} is not an image that OpenCV reads')
    return image


def read_depth(path: Path) -> Any:
    """Read registered depth as (H, W) float32 metres, NaN where there is no reading.

    :raises UsageError: it is not depth; the message says why.
    """
    import cv2
    import numpy as np

    from vla_attention.focus import decode_depth
    try:
        if path.suffix == '.npy':
            with path.open('rb') as file:
                return decode_depth(np.lib.format.read_array(file, allow_pickle=False))
        return decode_depth(_decode(path, cv2.IMREAD_UNCHANGED))
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f'{path}: {error}') from error


def check_picture(path: Path, option: str) -> None:
    """Make sure that a picture can be written where ``option`` says, before the work for it; make its folder.

    :raises UsageError: it is a folder, of a kind that is not written, or its folder is no good.
    """
    from vla_attention.frames import IMAGE_SUFFIXES
    if path.is_dir():
        raise UsageError(f'{option} {path}: is a folder; give the name of a picture')
    if path.suffix and path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f'{option} {path}: a picture ends in one of {", ".join(IMAGE_SUFFIXES)}')
    if not path.exists():
        make_folder(path.parent, option)
    elif not os.access(path, os.W_OK):
        raise UsageError(f'{option} {path}: cannot be written to')


def write_image(path: Path, image: Any) -> None:
    """Write (H, W, 3) uint8 RGB as its name ends, without an end as PNG, making folders on the way.

    :raises UsageError: OpenCV cannot encode it, or it cannot be written: a full disk, for one.
    """
    import cv2
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        done, data = cv2.imencode(path.suffix.lower() or '.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:       # more pixels a side than the format has, or OpenCV was built without it
        done = False
    if not done:
        raise UsageError(f'{path}: OpenCV could not encode the picture')
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:    # that of a full disk does not say where
        raise UsageError(f'{path} cannot be written: {error.strerror}') from error
