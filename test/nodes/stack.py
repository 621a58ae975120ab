"""What the tests of the running stack share: pictures to send, and a stack to send them to."""

from __future__ import annotations

import json
from array import array

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import String
from vision_msgs.msg import Detection2DArray


def picture(width: int = 320, height: int = 240) -> np.ndarray:
    """Return (H, W, 3) uint8: a red disc and a blue box on a grey table."""
    rows, cols = np.mgrid[:height, :width]
    image = np.full((height, width, 3), (150, 140, 130), np.uint8)
    image[(cols - width * 0.3) ** 2 + (rows - height * 0.5) ** 2 < (height * 0.2) ** 2] = (200, 30, 30)
    image[int(height * 0.4):int(height * 0.6), int(width * 0.6):int(width * 0.8)] = (30, 60, 200)
    return image


class Stack:
    """Instruction and attention node of a graph, with what they say."""

    def __init__(self, graph) -> None:
        self.graph = graph
        self.latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.image = graph.node.create_publisher(Image, 'image', best_effort)
        self.instruction = graph.node.create_publisher(String, 'instruction', 200)
        self.parsed = graph.collect(String, 'instruction/parsed', latched=True)
        self.regions = graph.collect(Detection2DArray, 'focus/regions')
        self.diagnostics: dict = {}
        graph.node.create_subscription(
            DiagnosticArray, '/diagnostics',
            lambda message: self.diagnostics.update({each.name: each for each in message.status}), 20)
        self._sent = 0

    def send(self, pixels: np.ndarray | None = None, **changes) -> Image:
        """Publish a picture with a stamp of its own; ``changes`` are made to the message."""
        pixels = picture() if pixels is None else pixels
        self._sent += 1
        message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding='rgb8',
                        step=pixels.shape[1] * 3, data=array('B', pixels.tobytes()))
        message.header.frame_id = 'some_camera'
        message.header.stamp = self.graph.node.get_clock().now().to_msg()
        for name, value in changes.items():
            setattr(message, name, value)
        self.image.publish(message)
        return message

    def say(self, text: str) -> dict:
        """Publish an instruction and return the parse that comes of it."""
        self.graph.wait(lambda: self.instruction.get_subscription_count())
        self.parsed.clear()     # what is under way of an earlier one may still come
        self.instruction.publish(String(data=text))

        def answer() -> dict | None:
            parses = [json.loads(each.data) for each in self.parsed]
            return next((parse for parse in parses if parse['text'] == text), None)
        return self.graph.wait(answer)

    def answer(self, got: list, pixels: np.ndarray | None = None, seconds: float = 180.0):
        """Send pictures until one of them, by its stamp, has an answer in the list; return both."""
        sent = {}

        def answered():
            message = self.send(pixels)
            sent[message.header.stamp.sec, message.header.stamp.nanosec] = message
            return self.graph.wait(answer, 0.1, needed=False)

        def answer():
            for each in got:
                stamp = each.header.stamp
                if (stamp.sec, stamp.nanosec) in sent:
                    return sent[stamp.sec, stamp.nanosec], each
            return None
        return self.graph.wait(answered, seconds)

    def found(self, pixels: np.ndarray | None = None) -> Detection2DArray:
        """Send pictures until one has regions, and return them.

        What was said may be on its way to attention_node while pictures come already.
        """
        def answered() -> Detection2DArray | None:
            _, regions = self.answer(self.regions, pixels)
            return regions if regions.detections else None
        return self.graph.wait(answered)

    def status(self, node: str) -> dict:
        """Return the values of a node's diagnostics, with level and message, once there are any."""
        status = self.diagnostics.get(node) or self.graph.wait(lambda: self.diagnostics.get(node))
        return {'level': status.level, 'message': status.message,
                **{value.key: value.value for value in status.values}}

    def state(self, node: str) -> str:
        """Return a node's lifecycle state as its diagnostics tell it, '' before they do."""
        return self.status(node)['state'] if node in self.diagnostics else ''

    def complaint(self, node: str) -> str:
        """Return what a node's diagnostics complain of."""
        return self.status(node)['message'] if node in self.diagnostics else ''
