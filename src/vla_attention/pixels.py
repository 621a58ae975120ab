"""The pixels of image messages: by encoding, step and byte order to NumPy arrays.

Any object with the fields of sensor_msgs/Image or sensor_msgs/CompressedImage will do: a message of rclpy, or
one out of a bag where there is no ROS. It is read here rather than with cv_bridge: its Python part ignores
``step`` where rows are padded, and asks NumPy for what NumPy 2 removed when the sender's byte order is not
ours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image

MOST_PIXELS = 50_000_000    # of a compressed picture: 8000x6000 passes, and takes 150 MB when it is unpacked
# whose size Pillow tells by the first bytes; it loads what comes after PPM when such a picture comes first
SIZED_BY_PILLOW = ('JPEG', 'PNG', 'BMP', 'GIF', 'PPM', 'TIFF', 'WEBP', 'JPEG2000', 'AVIF')
CHANNELS = {
    'mono8': (np.uint8, 1), 'mono16': (np.uint16, 1),
    'rgb8': (np.uint8, 3), 'bgr8': (np.uint8, 3), 'rgba8': (np.uint8, 4), 'bgra8': (np.uint8, 4),
    'rgb16': (np.uint16, 3), 'bgr16': (np.uint16, 3), 'rgba16': (np.uint16, 4), 'bgra16': (np.uint16, 4),
}
OPENCV_TYPES = {'8U': np.uint8, '8S': np.int8, '16U': np.uint16, '16S': np.int16, '32S': np.int32,
                '32F': np.float32, '64F': np.float64}
# OpenCV names a Bayer pattern by the pixel at row 1, column 1, ROS by the one at the origin
BAYER = {'rggb': cv2.COLOR_BayerBG2RGB, 'bggr': cv2.COLOR_BayerRG2RGB,
         'gbrg': cv2.COLOR_BayerGR2RGB, 'grbg': cv2.COLOR_BayerGB2RGB}
YUV422 = {'yuv422': cv2.COLOR_YUV2RGB_UYVY, 'uyvy': cv2.COLOR_YUV2RGB_UYVY,
          'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUY2, 'yuyv': cv2.COLOR_YUV2RGB_YUY2}
YUV420 = {'nv12': cv2.COLOR_YUV2RGB_NV12, 'nv21': cv2.COLOR_YUV2RGB_NV21}
TO_RGB: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'rgb8': lambda pixels: pixels,
    'bgr8': lambda pixels: cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB),
    'rgba8': lambda pixels: cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB),
    'bgra8': lambda pixels: cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB),
    'mono8': lambda pixels: cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB),
}
# what OpenCV's own type names stand for by custom (image_pipeline, cv_bridge) where colour is asked for
COLOUR_ALIASES = {'8UC1': 'mono8', '8UC3': 'bgr8', '8UC4': 'bgra8'}



class RawImage(Protocol):
    """The fields of sensor_msgs/Image; ``data`` is anything with the buffer protocol."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedPicture(Protocol):
    """The fields of sensor_msgs/CompressedImage; ``data`` is anything with the buffer protocol."""

    format: str
    data: Any


class ImageError(ValueError):
    """An image message that cannot be read; the message names the field and its value."""


def read_array(message: RawImage) -> np.ndarray:
    """Return the pixels as they are sent, in native byte order.

    :returns: (H, W) or (H, W, C) of the encoding's dtype; a view of the message's memory where the rows
        and bytes are in order already, so do not write into it. Bayer patterns come as they are (H, W),
        yuv422 as (H, W, 2), nv12 and nv21 as (3 H / 2, W).
    :raises ImageError: unknown encoding, zero size, step too small, data too short.
    """
    encoding = message.encoding
    dtype, channels = _pixel_type(encoding)
    width, height = int(message.width), int(message.height)
    if width <= 0 or height <= 0:
        raise ImageError(f'width x height is {width}x{height}; both must be positive')
    rows = height
    if encoding in YUV420:
        if width % 2 or height % 2:
            raise ImageError(f'width x height is {width}x{height}; {encoding} needs even numbers')
        rows = height * 3 // 2
    elif encoding in YUV422 and width % 2:
        raise ImageError(f'width is {width}; {encoding} needs an even number')
    row_bytes = width * channels * dtype.itemsize
    step = int(message.step)
    if step < row_bytes:
        raise ImageError(f'step is {step}; a row of {width} pixels in {encoding} takes {row_bytes} bytes')
    data = np.frombuffer(message.data, np.uint8)
    needed = step * (rows - 1) + row_bytes  # a last row without its padding is common, and enough
    if data.size < needed:
        raise ImageError(f'data has {data.size} bytes; {rows} rows with step {step} take {needed}')
    if dtype.itemsize > 1:
        dtype = dtype.newbyteorder('>' if message.is_bigendian else '<')
    shape = (rows, width) if channels == 1 else (rows, width, channels)
    strides = (step, channels * dtype.itemsize, dtype.itemsize)[:len(shape)]
    if step % dtype.itemsize:  # odd padding: copy the rows together, then reinterpret
        lines = np.lib.stride_tricks.as_strided(data, (rows, row_bytes), (step, 1))
        pixels = np.ascontiguousarray(lines).view(dtype).reshape(shape)
    else:
        pixels = np.ndarray(shape, dtype, buffer=data, strides=strides)
    return pixels.astype(dtype.newbyteorder('='), copy=False)


def read_rgb(message: Any) -> np.ndarray:
    """Return a colour or grey image, raw or compressed, as (H, W, 3) uint8 RGB.

    16-bit colours and greys keep their upper eight bits. Do not write into the result: it may be the
    message's own memory.

    :raises ImageError: it cannot be read, its encoding is no picture (depth, for example), or it is
        compressed and has more than ``MOST_PIXELS``.
    """
    if not hasattr(message, 'encoding'):
        return _read_compressed(message)
    pixels = read_array(message)
    encoding = COLOUR_ALIASES.get(message.encoding, message.encoding)
    if encoding.startswith('bayer_'):
        return _from_mosaic(_eight_bit(pixels), encoding)
    if encoding in YUV422:
        return cv2.cvtColor(np.ascontiguousarray(pixels), YUV422[encoding])
    if encoding in YUV420:
        return cv2.cvtColor(np.ascontiguousarray(pixels), YUV420[encoding])
    if encoding in CHANNELS:
        name = encoding.replace('16', '8')
        return np.ascontiguousarray(TO_RGB[name](_eight_bit(pixels)))
    raise ImageError(f'encoding is {message.encoding!r}; that is no colour or grey picture')


def read_depth(message: RawImage) -> np.ndarray:
    """Return depth as (H, W) float32 metres, NaN where it is unknown (REP-118).

    The encoding decides the unit: 16UC1 and mono16 are millimetres with 0 for unknown, 32FC1 is metres.

    :raises ImageError: it cannot be read, or its encoding is not one of these.
    """
    if message.encoding in ('16UC1', 'mono16'):
        millimetres = read_array(message)
        metres = millimetres.astype(np.float32) * np.float32(0.001)
        metres[millimetres == 0] = np.nan
        return metres
    if message.encoding == '32FC1':
        metres = read_array(message).astype(np.float32)
        metres[~(np.isfinite(metres) & (metres > 0))] = np.nan
        return metres
    raise ImageError(f'encoding is {message.encoding!r}; depth is 16UC1 (mm) or 32FC1 (m)')


def image_fields(pixels: np.ndarray, encoding: str) -> dict[str, Any]:
    """Return the fields of sensor_msgs/Image that an array makes, ``data`` as contiguous bytes-like memory.

    :param pixels: (H, W) or (H, W, C) of the dtype that ``encoding`` names.
    :raises ImageError: array and encoding do not fit.
    """
    dtype, channels = _pixel_type(encoding)
    rest = (channels,) if channels > 1 else ()
    if encoding in YUV420 or pixels.dtype != dtype or pixels.ndim < 2 or pixels.shape[2:] != rest:
        raise ImageError(f'an array of {pixels.dtype} {pixels.shape} is no {encoding} image')
    if dtype.itemsize > 1:
        pixels = pixels.astype(dtype.newbyteorder('<'), copy=False)
    return {'height': pixels.shape[0], 'width': pixels.shape[1], 'encoding': encoding, 'is_bigendian': 0,
            'step': pixels.shape[1] * channels * dtype.itemsize,
            'data': np.ascontiguousarray(pixels).view(np.uint8).reshape(-1)}


def jpeg_fields(rgb: np.ndarray, quality: int = 85) -> dict[str, Any]:
    """Return the fields of sensor_msgs/CompressedImage that (H, W, 3) uint8 RGB makes as JPEG.

    :param quality: 1 to 100.
    :raises ImageError: it cannot be written as JPEG.
    """
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ImageError(f'an array of {rgb.dtype} {rgb.shape} cannot be written as JPEG')
    return {'format': 'rgb8; jpeg compressed bgr8', 'data': data.reshape(-1)}


def _pixel_type(encoding: str) -> tuple[np.dtype, int]:
    if encoding in CHANNELS:
        dtype, channels = CHANNELS[encoding]
        return np.dtype(dtype), channels
    if encoding in YUV422:
        return np.dtype(np.uint8), 2
    if encoding in YUV420:
        return np.dtype(np.uint8), 1
    bayer = re.fullmatch('bayer_(rggb|bggr|gbrg|grbg)(8|16)', encoding)
    if bayer:
        return np.dtype(np.uint8 if bayer[2] == '8' else np.uint16), 1
    plain = re.fullmatch('(8U|8S|16U|16S|32S|32F|64F)(?:C([1-9][0-9]?))?', encoding)
    if plain:
        return np.dtype(OPENCV_TYPES[plain[1]]), int(plain[2] or 1)
    raise ImageError(f'encoding is {encoding[:40]!r}; this encoding is not known')


def _from_mosaic(pixels: np.ndarray, encoding: str) -> np.ndarray:
    height, width = pixels.shape
    if height < 2 or width < 2:
        raise ImageError(f'width x height is {width}x{height}; {encoding} needs 2x2 at least')
    return cv2.cvtColor(pixels, BAYER[encoding[6:10]])


def _eight_bit(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def _read_compressed(message: CompressedPicture) -> np.ndarray:
    data = np.frombuffer(message.data, np.uint8)
    if not data.size:
        raise ImageError(f'data has 0 bytes; format is {message.format[:40]!r}')
    _refuse_what_is_too_large(data)
    # image_transport packs a Bayer mosaic as it is, as a grey picture
    pattern = re.match('bayer_(rggb|bggr|gbrg|grbg)(8|16) *;', message.format)
    # nor does it turn what was taken on edge, and depth and camera_info are of the pixels as they lie
    flags = (cv2.IMREAD_GRAYSCALE if pattern else cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(data, flags)
    except cv2.error as error:
        raise ImageError(f'data ({data.size} bytes, format {message.format[:40]!r}) is no picture '
                         f'that OpenCV reads: {error.err}') from error
    if pixels is None:
        raise ImageError(f'data ({data.size} bytes, format {message.format[:40]!r}) is no picture '
                         'that OpenCV reads')
    if pattern is None:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return _from_mosaic(pixels, message.format.partition(';')[0].strip())


def _refuse_what_is_too_large(data: np.ndarray) -> None:
    """Look at the size that the header tells, before anything of that size is allocated.

    :raises ImageError: it is more than ``MOST_PIXELS``.
    """
    try:
        with Image.open(io.BytesIO(data.tobytes()), formats=SIZED_BY_PILLOW) as header:
            width, height = header.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f'data ({data.size} bytes) is too large a picture: {error}') from error
    except Exception:       # whatever Pillow trips over, OpenCV may read it: its own limit is 2**30 pixels
        return
    if width * height > MOST_PIXELS:
        raise ImageError(f'data ({data.size} bytes) is a picture of {width}x{height}; '
                         f'{MOST_PIXELS} pixels are allowed')
