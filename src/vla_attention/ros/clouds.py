"""Between focus regions in space and PointCloud2, Detection3DArray, PoseStamped, CameraInfo and markers."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
from geometry_msgs.msg import Point, PoseStamped, Quaternion, Vector3
from geometry_msgs.msg import Pose as PoseMessage
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose
from visualization_msgs.msg import Marker, MarkerArray

from vla_attention.focus import FocusRegion, Pose
from vla_attention.focus.pose import rotation

COLOURS = {'target': (0.1, 0.8, 0.2), 'destination': (0.1, 0.4, 1.0), 'avoid': (0.95, 0.1, 0.1)}
OPACITY = 0.45
GREY = np.full((1, 3), 160, np.uint8)     # of points whose colour is not known
LETTERS = 0.025     # height of labels in metres
ARROW = 0.012       # thickness of the arrow to the destination in metres


def write_cloud(points: np.ndarray, colors: np.ndarray | None, header: Header) -> PointCloud2:
    """Return an unorganised, dense cloud of x, y, z (float32 metres) and rgb as PCL packs it.

    :param points: (N, 3) metres, without NaN; N may be 0.
    :param colors: (N, 3) uint8 RGB; grey when None, for RViz forgets how to colour where a field goes away.
    """
    names = ['x', 'y', 'z', 'rgb']
    records = np.empty((len(points), len(names)), '<f4')
    records[:, :3] = points
    red, green, blue = (GREY if colors is None else colors).astype(np.uint32).T
    records[:, 3] = (red << 16 | green << 8 | blue).astype('<u4').view('<f4')
    data = array('B')
    data.frombytes(records.tobytes())
    message = PointCloud2(header=header, height=1, width=len(points), is_bigendian=False, is_dense=True,
                          point_step=4 * len(names), row_step=4 * len(names) * len(points))
    message.fields = [PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
                      for index, name in enumerate(names)]
    message.data = data
    return message


def read_cloud(message: PointCloud2) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what :func:`write_cloud` wrote: (N, 3) float32 metres, and (N, 3) uint8 RGB or None.

    :raises ValueError: a field is missing, or the data is shorter than the fields say.
    """
    order = '>' if message.is_bigendian else '<'
    offsets = {field.name: field.offset for field in message.fields if field.datatype == PointField.FLOAT32}
    missing = [name for name in ('x', 'y', 'z') if name not in offsets]
    if missing:
        raise ValueError(f'fields lack {", ".join(missing)} as FLOAT32')
    names = [name for name in ('x', 'y', 'z', 'rgb') if name in offsets]
    count = message.width * message.height
    if len(message.data) < count * message.point_step:
        raise ValueError(f'data has {len(message.data)} bytes; {count} points take '
                         f'{count * message.point_step}')
    dtype = np.dtype({'names': names, 'formats': [order + 'f4'] * len(names),
                      'offsets': [offsets[name] for name in names], 'itemsize': message.point_step})
    records = np.frombuffer(message.data, dtype, count)
    points = np.stack([records[name].astype(np.float32) for name in ('x', 'y', 'z')], axis=-1)
    if 'rgb' not in names:
        return points, None
    packed = records['rgb'].astype(np.float32).view(np.uint32)
    return points, np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8)


def write_regions_3d(regions: Sequence[FocusRegion], ids: Sequence[str], header: Header) -> Detection3DArray:
    """Return the regions that have a box as detections, in their order.

    A region that has none is left out: a box of size 0 at the camera would be worse than none.

    :param ids: role and number of each region, as in the 2-D detections.
    """
    message = Detection3DArray(header=header)
    for region, name in zip(regions, ids, strict=True):
        if region.center is None or region.size is None or region.orientation is None:
            continue
        pose = _pose(region.center, region.orientation)
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = region.phrase
        hypothesis.hypothesis.score = float(region.score)
        hypothesis.pose.pose = pose
        detection = Detection3D(header=header, id=name, results=[hypothesis])
        detection.bbox.center = pose
        detection.bbox.size = _vector(region.size)
        message.detections.append(detection)
    return message


def write_pose(pose: Pose, header: Header) -> PoseStamped:
    """Return a pose as a message."""
    return PoseStamped(header=header, pose=_pose(pose.position, pose.orientation))


def write_markers(regions: Sequence[FocusRegion], current: Mapping[str, int | None],
                  header: Header) -> MarkerArray:
    """Return what RViz shows: a box and a label for each region, and an arrow from target to destination.

    The first marker takes away those of the frame before. Boxes of things to avoid are red.

    :param current: the region of 'target' and that of 'destination' whose pose is given, by its index: the
        arrow goes from the one to the other.
    """
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    solid = [region for region in regions if region.center is not None]
    for number, region in enumerate(solid):
        assert region.center is not None and region.size is not None and region.orientation is not None
        markers.append(Marker(
            header=header, ns=f'{region.role}/box', id=number, type=Marker.CUBE, action=Marker.ADD,
            pose=_pose(region.center, region.orientation), scale=_vector(np.maximum(region.size, 1e-3)),
            color=_colour(region.role, OPACITY)))
        text = f'{region.phrase} {region.score:.2f}' if region.role != 'avoid' else f'avoid: {region.phrase}'
        label = Marker(header=header, ns=f'{region.role}/label', id=number, type=Marker.TEXT_VIEW_FACING,
                       action=Marker.ADD, text=text, color=_colour(region.role, 1.0))
        label.pose = _pose(_top(region, LETTERS), np.array([0, 0, 0, 1]))
        label.scale.z = LETTERS
        markers.append(label)
    ends = [regions[index] for index in (current['target'], current['destination']) if index is not None]
    if len(ends) == 2 and all(region.center is not None for region in ends):
        arrow = Marker(header=header, ns='arrow', id=0, type=Marker.ARROW, action=Marker.ADD,
                       color=_colour('destination', 1.0))
        arrow.points = [_point(_top(region)) for region in ends]
        arrow.scale = Vector3(x=ARROW, y=2 * ARROW, z=2 * ARROW)
        markers.append(arrow)
    return MarkerArray(markers=markers)


def _top(region: FocusRegion, above: float = 0.0) -> np.ndarray:
    assert region.center is not None and region.size is not None and region.orientation is not None
    return region.center + rotation(region.orientation)[:, 2] * (region.size[2] / 2 + above)


def _pose(position: np.ndarray, orientation: np.ndarray) -> PoseMessage:
    x, y, z, w = (float(value) for value in orientation)
    return PoseMessage(position=_point(position), orientation=Quaternion(x=x, y=y, z=z, w=w))


def _point(position: np.ndarray) -> Point:
    return Point(x=float(position[0]), y=float(position[1]), z=float(position[2]))


def _vector(size: np.ndarray) -> Vector3:
    return Vector3(x=float(size[0]), y=float(size[1]), z=float(size[2]))


def _colour(role: str, opacity: float) -> ColorRGBA:
    red, green, blue = COLOURS.get(role, (0.7, 0.7, 0.7))
    return ColorRGBA(r=red, g=green, b=blue, a=opacity)
