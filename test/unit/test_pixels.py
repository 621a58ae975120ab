"""Compressed pictures are measured by their headers before they are unpacked."""

from __future__ import annotations

import io
import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from vla_attention import pixels
from vla_attention.pixels import MOST_PIXELS, ImageError, read_rgb

PICTURE = np.full((48, 64, 3), (20, 120, 220), np.uint8)
SUFFIXES = ('.jpg', '.png', '.bmp', '.gif', '.ppm', '.tiff', '.webp', '.jp2', '.avif')


def compressed(data, form: str = 'some') -> SimpleNamespace:
    return SimpleNamespace(format=form, data=data)


def encoded(suffix: str) -> np.ndarray:
    dtype = np.float32 if suffix == '.hdr' else np.uint8
    try:
        done, data = cv2.imencode(suffix, PICTURE.astype(dtype))
    except cv2.error:
        done = False
    if not done:
        pytest.skip(f'this OpenCV writes no {suffix}')
    return data.reshape(-1)


def png(width: int, height: int) -> bytes:
    """Return a PNG that says its size and ends there."""
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    head = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + head + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')


@pytest.mark.parametrize(('width', 'height', 'said'), [
    (8000, 8000, '8000x8000'),
    (30_000, 30_000, '900000000 pixels'),       # beyond what Pillow itself opens
])
def test_a_picture_too_large_is_refused_by_its_header(monkeypatch, width, height, said):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('it was unpacked'))
    with pytest.raises(ImageError, match=said):
        read_rgb(compressed(png(width, height)))


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_the_limit_holds_for_every_format_and_what_is_within_is_read(monkeypatch, suffix):
    data = encoded(suffix)
    monkeypatch.setattr(pixels, 'MOST_PIXELS', PICTURE.shape[0] * PICTURE.shape[1])
    assert np.abs(read_rgb(compressed(data)).astype(int) - PICTURE[..., ::-1]).mean() < 20
    monkeypatch.setattr(pixels, 'MOST_PIXELS', PICTURE.shape[0] * PICTURE.shape[1] - 1)
    with pytest.raises(ImageError, match='64x48'):
        read_rgb(compressed(data))


def test_what_pillow_cannot_read_but_opencv_can_is_read():
    assert read_rgb(compressed(encoded('.hdr'))).shape == PICTURE.shape


def test_cameras_of_many_pixels_stay_within_the_limit():
    assert MOST_PIXELS >= 8000 * 6000


def test_a_jpeg_that_says_it_is_to_be_turned_stays_as_depth_and_camera_info_have_it():
    turned = Image.Exif()
    turned[0x0112] = 6      # the orientation of a camera on edge
    data = io.BytesIO()
    Image.fromarray(PICTURE).save(data, 'JPEG', exif=turned)
    assert read_rgb(compressed(data.getvalue(), 'jpeg')).shape == PICTURE.shape


@pytest.mark.parametrize('encoding', ['bayer_rggb8', 'bayer_grbg16'])
def test_a_compressed_mosaic_gets_its_colours(encoding):
    colour = {'r': 200, 'g': 120, 'b': 40}
    tile = np.array([colour[letter] for letter in encoding[6:10]], np.uint16).reshape(2, 2)
    mosaic = np.tile(tile * 256 if encoding.endswith('16') else tile.astype(np.uint8), (8, 8))
    data = cv2.imencode('.png', mosaic)[1].reshape(-1)
    read = read_rgb(compressed(data, f'{encoding}; png compressed '))
    np.testing.assert_array_equal(read[4:-4, 4:-4], np.broadcast_to([200, 120, 40], (8, 8, 3)))
