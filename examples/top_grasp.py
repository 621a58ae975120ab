#!/usr/bin/env python3
"""A grasp planner in under 100 lines: from the focus topics to a top-down grasp for a parallel-jaw gripper.

Takes focus/target/pose, focus/target/points and focus/regions_3d of one image. Gives `grasp` (PoseStamped:
between the fingertips, z along the approach, y along the closing direction) and `grasp/width` (metres across
the thing); or `grasp/refused` with the reason: too wide, or in the way is the box of a thing to avoid.

    python3 examples/top_grasp.py --ros-args -p opening:=0.1
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Float32, String
from vision_msgs.msg import Detection3DArray

from vla_attention.focus.pose import quaternion, rotation
from vla_attention.ros.clouds import read_cloud

# metres; keep_out is how near to the box of a thing to avoid the fingers and the thing may come
SETTINGS = {'opening': 0.08, 'finger_depth': 0.04, 'finger_thickness': 0.02, 'approach': 0.15,
            'keep_out': 0.03}


class TopGrasp(Node):
    """Plans one grasp for each image in which the target is seen in space."""

    def __init__(self) -> None:
        super().__init__('top_grasp')
        number = ParameterDescriptor(dynamic_typing=True)       # "opening:=1" is an integer
        self.declare_parameters('', [(*each, number) for each in SETTINGS.items()])
        self._parts: dict[tuple[int, int], dict] = {}
        for kind, topic in ((PoseStamped, 'focus/target/pose'), (PointCloud2, 'focus/target/points'),
                            (Detection3DArray, 'focus/regions_3d')):
            self.create_subscription(kind, topic, lambda message, kind=kind: self._take(kind, message), 5)
        self._grasp = self.create_publisher(PoseStamped, 'grasp', 5)
        self._width = self.create_publisher(Float32, 'grasp/width', 5)
        self._refused = self.create_publisher(String, 'grasp/refused', 5)

    def _take(self, kind: type, message) -> None:
        stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
        parts = self._parts.setdefault(stamp, {})
        parts[kind] = message
        if len(parts) == 3:
            del self._parts[stamp]
            self._plan(parts[PoseStamped], read_cloud(parts[PointCloud2])[0], parts[Detection3DArray])
        while len(self._parts) > 10:        # of images without a target, only some parts come
            del self._parts[next(iter(self._parts))]

    def _plan(self, pose: PoseStamped, points: np.ndarray, regions: Detection3DArray) -> None:
        opening, depth, thickness, approach, keep_out = (self.get_parameter(name).value for name in SETTINGS)
        center, axes = matrix(pose.pose)            # y across the shorter side, z down into the thing
        boxes = [(each, *matrix(each.bbox.center)) for each in regions.detections]
        own = min(boxes, key=lambda box: float(np.linalg.norm(box[1] - center)))[0].bbox.size
        if own.y > opening:
            return self._refuse(f'{own.y * 1e3:.0f} mm are wider than the hand opens, {opening * 1e3:.0f} mm')
        top = np.quantile((points - center) @ axes[:, 2], 0.02)     # the bottom may be hidden: the box's
        tips = center + (top + min(depth, (own.z / 2 - top) / 2)) * axes[:, 2]
        # where the two fingers pass on their way down, and the thing itself on its way up
        way, side = np.meshgrid(np.linspace(-approach, 0, 16), (-1, 1))
        fingers = tips + np.outer(side, axes[:, 1]) * (opening + thickness) / 2 + np.outer(way, axes[:, 2])
        passed = np.vstack([fingers, points[::20], points[::20] - approach * axes[:, 2]])
        for box, box_center, box_axes in boxes:
            half = np.array([box.bbox.size.x, box.bbox.size.y, box.bbox.size.z]) / 2 + keep_out
            if box.id.startswith('avoid/') and (np.abs((passed - box_center) @ box_axes) < half).all(1).any():
                name = box.results[0].hypothesis.class_id
                return self._refuse(f'within {keep_out * 1e3:.0f} mm of "{name}", which is to be avoided')
        grasp = PoseStamped(header=pose.header)
        place, turn = grasp.pose.position, grasp.pose.orientation
        place.x, place.y, place.z = (float(value) for value in tips)
        turn.x, turn.y, turn.z, turn.w = (float(value) for value in quaternion(axes))
        self._grasp.publish(grasp)
        return self._width.publish(Float32(data=own.y))

    def _refuse(self, reason: str) -> None:
        self.get_logger().warning(reason, throttle_duration_sec=5.0)
        self._refused.publish(String(data=reason))


def matrix(pose) -> tuple[np.ndarray, np.ndarray]:
    """Return position (3,) and axes (3, 3), as columns, of a pose message."""
    place, turn = pose.position, pose.orientation
    return np.array([place.x, place.y, place.z]), rotation(np.array([turn.x, turn.y, turn.z, turn.w]))


if __name__ == '__main__':
    ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter).parse_known_args()
    rclpy.init()
    try:
        rclpy.spin(TopGrasp())
    except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
