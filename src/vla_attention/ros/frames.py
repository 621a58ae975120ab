"""Poses, points and boxes in another frame, through tf2 where it is installed."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from geometry_msgs.msg import Transform, TransformStamped
from rclpy.clock import JumpThreshold, ROSClock
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

POLL = 0.005    # seconds from one look for a transform to the next (tf2's own is 0.02)
AHEAD = 5.0     # seconds by which a transform may be ahead of simulated time
STALLED = 1.0   # seconds by which the newest transform may be older than the image to be worth waiting


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
        self._clock = node.get_clock()
        self._listener = tf2_ros.TransformListener(self, node)
        # a buffer without a node of its own watches the wall clock: a bag that starts over would leave it
        # full of transforms from the future, beside which tf2 drops all that come
        back = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self._jumps = self._clock.create_jump_callback(back, post_callback=lambda _: self._buffer.clear())

    def close(self) -> None:
        """Listen no more."""
        self._jumps.unregister()
        self._listener.unregister()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform of /tf (the listener calls it)."""
        # one from before the jump that was queued, or lost and sent again: one is enough to fill the buffer
        # with the future once more
        simulated = isinstance(self._clock, ROSClock) and self._clock.ros_time_is_active
        now = self._clock.now().nanoseconds * 1e-9 if simulated else 0.0
        stamp = transform.header.stamp
        if not now or stamp.sec + stamp.nanosec * 1e-9 - now <= AHEAD:
            self._buffer.set_transform(transform, authority)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform of /tf_static (the listener calls it)."""
        self._buffer.set_transform_static(transform, authority)

    def lookup(self, target: str, header: Header, timeout: float) -> tuple[np.ndarray, np.ndarray]:
        """Return rotation (3, 3) and translation (3,) from the header's frame, at its stamp, to another.

        A stamp of zero asks for the newest transform, as everywhere in tf2.

        :param timeout: seconds to wait for a transform that is on its way: the frames are known, and the
            newest transform between them is a little older than the stamp. For a frame that nobody names, or
            a stamp older than what the buffer holds, waiting is no use and would cost every image its turn.
            Not to be called in the thread that takes /tf.
        :raises FrameError: there is none.
        """
        source = header.frame_id
        try:
            found = self._await(target, source, Time.from_msg(header.stamp), timeout)
        except (FrameError, tf2_ros.TransformException, ValueError) as error:   # ValueError: before 1970
            raise FrameError(f'no transform from {source!r} to {target!r} at the image\'s stamp: '
                             + str(error).strip(' ,.')) from error
        turn, move = found.rotation, found.translation
        return rotation(np.array([turn.x, turn.y, turn.z, turn.w])), np.array([move.x, move.y, move.z])

    def _await(self, target: str, source: str, stamp: Time, timeout: float) -> Transform:
        end = time.monotonic() + timeout
        while True:
            behind = self._behind(target, source, stamp)    # first, for a transform may come between the two
            try:
                return self._buffer.lookup_transform(target, source, stamp).transform
            except tf2_ros.ExtrapolationException:
                if behind is None:
                    raise
                if behind > STALLED:
                    raise FrameError(f'the newest is {behind:.1f} s older than the image (has its publisher '
                                     'stopped? are the clocks in step?)') from None
                if time.monotonic() >= end:
                    raise FrameError(f'the newest is {behind * 1e3:.0f} ms older than the image (raise '
                                     f'transform_timeout, which is {timeout * 1e3:.0f} ms?)') from None
            time.sleep(POLL)

    def _behind(self, target: str, source: str, stamp: Time) -> float | None:
        """Return by how many seconds the newest transform is older than the stamp; None where it is not."""
        try:
            newest = self._buffer.get_latest_common_time(target, source)
        except tf2_ros.TransformException:
            return None
        gap = stamp.nanoseconds - newest.nanoseconds    # of two types of clock, which rclpy does not subtract
        return gap * 1e-9 if gap > 0 else None


def moved(region: FocusRegion, turn: np.ndarray, move: np.ndarray) -> FocusRegion:
    """Return a region with its 3-D part in another frame; without one it comes back as it is."""
    if region.center is None or region.orientation is None or region.points is None:
        return region
    return replace(region, center=turn @ region.center + move,
                   orientation=quaternion(turn @ rotation(region.orientation)),
                   points=region.points @ turn.T.astype(np.float32) + move.astype(np.float32))
