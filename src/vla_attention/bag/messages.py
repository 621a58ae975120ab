"""ROS 2 messages without ROS: made, and serialized as rosbag2 keeps them.

The classes are those of rosbags, whose fields are plain Python and NumPy; only :mod:`vla_attention.ros` may
import those of rclpy. A test holds each message made here to be, field for field, what the nodes publish.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from vla_attention.focus import FocusRegion, region_ids
from vla_attention.language import Instruction
from vla_attention.pixels import image_fields, jpeg_fields

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
STRING = 'std_msgs/msg/String'
DETECTIONS = 'vision_msgs/msg/Detection2DArray'
DETECTIONS_3D = 'vision_msgs/msg/Detection3DArray'

_VISION_MSGS = Path(__file__).parent / 'vision_msgs.msg'


@lru_cache(maxsize=1)
def type_store() -> Any:
    """Return the types of ROS 2 Jazzy, and those of vision_msgs 4."""
    store = get_typestore(Stores.ROS2_JAZZY)
    # the first definition of the text is that of the name given, so it goes without its title
    text = _VISION_MSGS.read_text(encoding='utf-8').partition('\n')[2]
    store.register(get_types_from_msg(text, DETECTIONS_3D))
    return store


def make(name: str, **fields: Any) -> Any:
    """Return a message of a type; fields that are not given are zero or empty, as those of rclpy are."""
    return type_store().types[name](**{
        field: fields[field] if field in fields else _default(kind, detail)
        for field, (kind, detail) in type_store().fielddefs[name][1]})


def _default(kind: Nodetype, detail: Any) -> Any:
    if kind == Nodetype.NAME:
        return make(detail)
    if kind == Nodetype.BASE:
        return _zero(detail[0])
    (inner, what), length = detail
    count = length if kind == Nodetype.ARRAY else 0
    if inner == Nodetype.BASE and what[0] != 'string':
        return np.zeros(count, np.dtype(what[0]))
    return [_default(inner, what) for _ in range(count)]


def _zero(base: str) -> Any:
    return {'string': '', 'bool': False, 'float32': 0.0, 'float64': 0.0}.get(base, 0)


def serialize(message: Any) -> bytes:
    """Return a message as CDR."""
    return bytes(type_store().serialize_cdr(message, message.__msgtype__))


def definition(name: str) -> str:
    """Return the text of a type and of those that it holds, as MCAP keeps it (encoding ros2msg).

    :raises KeyError: it is no type that is known here.
    """
    try:
        return str(type_store().generate_msgdef(name, ros_version=2)[0])
    except TypesysError as error:
        raise KeyError(name) from error


def header_of(message: Any) -> Any:
    """Return a header with the stamp and frame_id of any message that has one, of ROS 1 or 2."""
    stamp = message.header.stamp
    return make('std_msgs/msg/Header', frame_id=message.header.frame_id, stamp=make(
        'builtin_interfaces/msg/Time', sec=int(stamp.sec), nanosec=int(stamp.nanosec)))


def nanoseconds(header: Any) -> int:
    """Return a header's stamp."""
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)


def image(pixels: np.ndarray, encoding: str, header: Any) -> Any:
    """Return an array as sensor_msgs/Image; see :func:`vla_attention.pixels.image_fields`."""
    return make(IMAGE, header=header, **image_fields(pixels, encoding))


def jpeg(rgb: np.ndarray, header: Any, *, quality: int = 85) -> Any:
    """Return (H, W, 3) uint8 RGB as sensor_msgs/CompressedImage."""
    return make(COMPRESSED, header=header, **jpeg_fields(rgb, quality))


def parsed(instruction: Instruction) -> Any:
    """Return an instruction as the JSON of ``instruction/parsed``."""
    return make(STRING, data=json.dumps(instruction.to_dict(), ensure_ascii=False))


def detections(regions: Sequence[FocusRegion], header: Any) -> Any:
    """Return regions as vision_msgs/Detection2DArray, in their order; empty when nothing is in view."""
    found = []
    for region, name in zip(regions, region_ids(regions), strict=True):
        x0, y0, x1, y1 = (float(value) for value in region.box)
        box = make('vision_msgs/msg/BoundingBox2D', size_x=x1 - x0, size_y=y1 - y0)
        box.center.position.x, box.center.position.y = (x0 + x1) / 2, (y0 + y1) / 2
        guess = _hypothesis(region)
        guess.pose.pose.position.x, guess.pose.pose.position.y = (float(value) for value in region.point)
        found.append(make('vision_msgs/msg/Detection2D', header=header, id=name, results=[guess], bbox=box))
    return make(DETECTIONS, header=header, detections=found)


def detections_3d(regions: Sequence[FocusRegion], header: Any) -> Any:
    """Return the regions that have a box in space as vision_msgs/Detection3DArray."""
    found = []
    for region, name in zip(regions, region_ids(regions), strict=True):
        if region.center is None or region.size is None or region.orientation is None:
            continue
        pose = make('geometry_msgs/msg/Pose', position=_xyz('Point', region.center), orientation=make(
            'geometry_msgs/msg/Quaternion', **_named('xyzw', region.orientation)))
        guess = _hypothesis(region)
        guess.pose.pose = pose
        box = make('vision_msgs/msg/BoundingBox3D', center=pose, size=_xyz('Vector3', region.size))
        found.append(make('vision_msgs/msg/Detection3D', header=header, id=name, results=[guess], bbox=box))
    return make(DETECTIONS_3D, header=header, detections=found)


def _hypothesis(region: FocusRegion) -> Any:
    guess = make('vision_msgs/msg/ObjectHypothesisWithPose')
    guess.hypothesis.class_id, guess.hypothesis.score = region.phrase, float(region.score)
    guess.pose.pose.orientation.w = 1.0     # the default of geometry_msgs/Quaternion
    return guess


def _xyz(name: str, values: np.ndarray) -> Any:
    return make(f'geometry_msgs/msg/{name}', **_named('xyz', values))


def _named(names: str, values: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}
