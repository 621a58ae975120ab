"""Between NumPy arrays and sensor_msgs images, std_msgs multi-arrays and compressed images."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float32MultiArray, Header, MultiArrayDimension

from vla_attention.pixels import ImageError, image_fields, jpeg_fields, read_array, read_depth, read_rgb

__all__ = ['ImageError', 'read_array', 'read_depth', 'read_floats', 'read_rgb', 'seconds', 'write_floats',
           'write_image', 'write_jpeg']


def write_image(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """Return an image message with the header given.

    :param pixels: (H, W) or (H, W, C) of the dtype that ``encoding`` names.
    :raises ImageError: array and encoding do not fit.
    """
    fields = image_fields(pixels, encoding)
    data = _byte_array(fields.pop('data'))
    message = Image(header=header, **fields)
    message.data = data
    return message


def write_jpeg(rgb: np.ndarray, header: Header, *, quality: int = 85) -> CompressedImage:
    """Return (H, W, 3) uint8 RGB as a JPEG message; ``quality`` is 1 to 100."""
    fields = jpeg_fields(rgb, quality)
    message = CompressedImage(header=header, format=fields['format'])
    message.data = _byte_array(fields['data'])
    return message


def write_floats(values: np.ndarray, labels: Sequence[str]) -> Float32MultiArray:
    """Return an array as a multi-array whose dimensions carry these labels, outermost first."""
    if values.ndim != len(labels):
        raise ValueError(f'{len(labels)} labels for an array of shape {values.shape}')
    message = Float32MultiArray()
    for axis, label in enumerate(labels):
        stride = int(np.prod(values.shape[axis:], dtype=np.int64))
        message.layout.dim.append(MultiArrayDimension(label=label, size=values.shape[axis], stride=stride))
    message.data = array('f', np.ascontiguousarray(values, np.float32).tobytes())
    return message


def read_floats(message: Float32MultiArray) -> np.ndarray:
    """Return a multi-array as a float32 array of the shape that its layout tells.

    :raises ValueError: layout and data do not fit.
    """
    shape = tuple(int(dimension.size) for dimension in message.layout.dim)
    values = np.asarray(message.data, np.float32)[message.layout.data_offset:]
    if values.size != int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f'layout.dim sizes are {shape}, data has {values.size} values')
    return values.reshape(shape)


def seconds(header: Header) -> float:
    """Return the header's stamp in seconds."""
    return header.stamp.sec + header.stamp.nanosec * 1e-9


def _byte_array(values: np.ndarray) -> array[int]:
    # an array.array goes into the message as one block; bytes and lists are walked byte by byte (Humble)
    data = array('B')
    data.frombytes(values.data)
    return data
