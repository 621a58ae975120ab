"""Poses, points and boxes in another frame, through tf2 where it is installed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from vla_attention.focus import FocusRegion
from vla_attention.focus.pose import quaternion, rotation

try:
    import tf2_ros
except ImportError:     # the wheels have no tf2; robots do
    tf2_ros = None


class FrameError(RuntimeError):
    """No transform; the message says between which frames, when and why."""


class Frames:
    """Looks up transforms at the stamp of an image."""

    def __init__(self, node: Node) -> None:
        """Listen to /tf and /tf_static.

        :raises FrameError: tf2_ros is not installed.
        """
        if tf2_ros is None:
            raise FrameError('tf2_ros is not installed (apt install ros-$ROS_DISTRO-tf2-ros-py)')
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        # a buffer without a node of its own watches the wall clock: a bag that starts over would leave it
        # full of transforms from the future, beside which tf2 drops all that come
        back = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self._jumps = node.get_clock().create_jump_callback(
            back, post_callback=lambda _: self._buffer.clear())

    def close(self) -> None:
        """Listen no more."""
        self._jumps.unregister()
        self._listener.unregister()

    def lookup(self, target: str, header: Header, timeout: float) -> tuple[np.ndarray, np.ndarray]:
        """Return rotation (3, 3) and translation (3,) from the header's frame, at its stamp, to another.

        :param timeout: seconds to wait for it; not to be called in the thread that takes /tf.
        :raises FrameError: there is none.
        """
        try:
            found = self._buffer.lookup_transform(target, header.frame_id, Time.from_msg(header.stamp),
                                                  Duration(seconds=timeout)).transform
        except tf2_ros.TransformException as error:
            raise FrameError(f'no transform from {header.frame_id!r} to {target!r} at the image\'s stamp: '
                             f'{error}') from error
        turn, move = found.rotation, found.translation
        return rotation(np.array([turn.x, turn.y, turn.z, turn.w])), np.array([move.x, move.y, move.z])


def moved(region: FocusRegion, turn: np.ndarray, move: np.ndarray) -> FocusRegion:
    """Return a region with its 3-D part in another frame; without one it comes back as it is."""
    if region.center is None or region.orientation is None or region.points is None:
        return region
    return replace(region, center=turn @ region.center + move,
                   orientation=quaternion(turn @ rotation(region.orientation)),
                   points=region.points @ turn.T.astype(np.float32) + move.astype(np.float32))
