"""What the demo hears from the running nodes; it waits for messages, never for time to pass."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header, String
from vision_msgs.msg import Classification, Detection2DArray, Detection3DArray
from visualization_msgs.msg import MarkerArray

TOPICS = {
    'image': Image, 'depth': Image, 'camera_info': CameraInfo,
    'attention/saliency': Image, 'attention/target': Image, 'attention/destination': Image,
    'focus/regions': Detection2DArray, 'focus/target/mask': Image,
    'focus/regions_3d': Detection3DArray, 'focus/target/points': PointCloud2,
    'focus/target/pose': PoseStamped, 'focus/markers': MarkerArray,
    'moments/phase': Classification, 'overlay': Image,
}


class NothingCameError(Exception):
    """What was waited for did not come in time."""


def nanoseconds(header: Header) -> int:
    """Return the stamp in nanoseconds."""
    return header.stamp.sec * 10**9 + header.stamp.nanosec


class Listener:
    """A node that publishes instructions and keeps the newest of every topic."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node('demo')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._instruction = self.node.create_publisher(String, 'instruction', 10)
        self.latest: dict[str, Any] = {}
        self.counts: dict[str, int] = dict.fromkeys(TOPICS, 0)
        self.diagnostics: dict[str, dict[str, str]] = {}
        self._since = time.monotonic()
        for topic, message_type in TOPICS.items():
            self._listen(topic, message_type, QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT))
        self._listen('instruction/parsed', String,
                     QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnose, 20)

    def _listen(self, topic: str, message_type: type, profile: QoSProfile) -> None:
        def keep(message: Any) -> None:
            self.latest[topic] = message
            self.counts[topic] = self.counts.get(topic, 0) + 1
        self.node.create_subscription(message_type, topic, keep, profile)

    def _diagnose(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {each.key: each.value for each in status.values}
            self.diagnostics[status.name] = {'summary': status.message, **values}

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = 90.0) -> Any:
        """Handle messages until the condition holds, and return its value.

        :raises NothingCameError: it did not within so many seconds; names ``what`` was waited for.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            self.spin_once()
        raise NothingCameError(f'{what}: nothing came within {seconds:.0f} s')

    def now(self) -> int:
        """Return the time now in nanoseconds, as stamps count it."""
        return self.node.get_clock().now().nanoseconds

    def forget(self) -> None:
        """Count and keep from here on."""
        self.latest.clear()
        self.counts = dict.fromkeys(self.counts, 0)
        self._since = time.monotonic()

    def rates(self) -> dict[str, float]:
        """Return messages a second since :meth:`forget`, of the topics that anything came from."""
        span = time.monotonic() - self._since
        return {topic: count / span for topic, count in self.counts.items() if count and topic in TOPICS}

    def newer(self, topics: Iterable[str], stamp: int) -> Callable[[], bool]:
        """Return a condition: the newest message of each topic is of an image taken after the stamp."""
        wanted = tuple(topics)
        return lambda: all(
            topic in self.latest and nanoseconds(self.latest[topic].header) > stamp for topic in wanted)

    def ask(self, text: str) -> dict:
        """Give an instruction; return its parse once the nodes have it."""
        self.wait('instruction_node', lambda: self._instruction.get_subscription_count() > 0)
        self.latest.pop('instruction/parsed', None)
        self._instruction.publish(String(data=text))

        self.wait(f'the parse of {text!r} on instruction/parsed',
                  lambda: self.parse().get('text', '').strip() == text.strip())
        return self.parse()

    def parse(self) -> dict:
        """Return the newest parse; empty where none has come."""
        message = self.latest.get('instruction/parsed')
        return json.loads(message.data) if message else {}

    def spin_once(self) -> None:
        """Handle one message, or none within a tenth of a second."""
        self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()
