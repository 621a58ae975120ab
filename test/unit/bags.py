"""Bags to attend to, and a backend that does so at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import skimage.data
from quick_backends import Quick
from rosbags.highlevel import AnyReader

from vla_attention.bag import messages
from vla_attention.bag.writer import BagWriter
from vla_attention.cli import main

START = 1_700_000_000_000_000_000   # nanoseconds
STEP = 100_000_000
DELAY = 30_000_000      # from taking a picture to recording it
COFFEE = skimage.data.coffee()      # 600x400


class Colours(Quick):
    """The phrase is where the image is brighter than its mean."""

    name = 'colours'

    def maps(self, image, count):
        grid = image[:image.shape[0] // 16 * 16, :image.shape[1] // 16 * 16].mean(axis=2)
        grid = grid.reshape(grid.shape[0] // 16, 16, -1, 16).mean(axis=(1, 3))
        bright = ((grid > grid.mean()) & (np.arange(grid.shape[1]) > 8)).astype(np.float32)
        return np.repeat(bright[None], count, 0)


def header(index: int, frame: str = ''):
    stamp = START + index * STEP - DELAY
    return messages.make('std_msgs/msg/Header', frame_id=frame or 'camera_optical', stamp=messages.make(
        'builtin_interfaces/msg/Time', sec=stamp // 10**9, nanosec=stamp % 10**9))


def of(message) -> tuple[int, str]:
    """Return stamp (nanoseconds) and frame of a message."""
    return messages.nanoseconds(message.header), message.header.frame_id


def record(path: Path, *, frames: int = 3, instructions: dict[int, str] | None = None, depth: bool = False,
           broken: int | None = None, compressed: bool = False, tiny: int | None = None,
           depth_frame: str = '', **camera: object) -> Path:
    """Write a bag of the coffee photograph; image message ``broken`` is cut short, ``tiny`` 8x8.

    :param depth_frame: frame of depth, where it is not the image's.
    :param camera: fields of camera_info that are otherwise.
    """
    with BagWriter(path, {}) as writer:
        for index in range(frames):
            time = START + index * STEP
            if instructions and index in instructions:
                said = messages.make(messages.STRING, data=instructions[index])
                writer.write('/instruction', said, time - 1)
            picture = np.roll(COFFEE, 4 * index, axis=1)
            image = (messages.jpeg(picture, header(index)) if compressed else
                     messages.image(picture[:8, :8] if index == tiny else picture, 'rgb8', header(index)))
            topic = '/camera/color/image_raw' + '/compressed' * compressed
            data = messages.serialize(image)
            data = data[:len(data) // 2] if index == broken else data
            writer.write_raw(topic, image.__msgtype__, data, time)
            if depth:   # comes after its image, as that of most cameras
                millimetres = np.full(COFFEE.shape[:2], 800, np.uint16)
                writer.write('/camera/aligned_depth_to_color/image_raw',
                             messages.image(millimetres, '16UC1', header(index, depth_frame)), time + 5)
                info = messages.make(messages.CAMERA_INFO, **{
                    'header': header(index), 'height': 400, 'width': 600,
                    'k': np.array([500, 0, 300, 0, 500, 200, 0, 0, 1], float), **camera})
                writer.write('/camera/color/camera_info', info, time - 2)
    return path


def read(path: Path) -> dict[str, list[tuple[int, object]]]:
    """Return the messages of a bag by topic, as others read it: by the definitions that it carries."""
    found: dict[str, list[tuple[int, object]]] = {}
    with AnyReader([path]) as reader:
        for connection, time, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((time, message))
    return found


def run(capsys, *arguments):
    status = main(['bag', *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err
