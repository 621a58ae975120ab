"""Pictures and depth, from files and to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vla_attention.cli.common import UsageError


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


def write_image(path: Path, image: Any) -> None:
    """Write (H, W, 3) uint8 RGB as PNG, making folders on the way.

    :raises UsageError: OpenCV cannot encode it, or it cannot be written: a full disk, for one.
    """
    import cv2
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise UsageError(f'{path}: OpenCV could not encode the picture')
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:    # that of a full disk does not say where
        raise UsageError(f'{path} cannot be written: {error.strerror}') from error
