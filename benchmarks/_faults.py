"""What goes wrong in a lab, done to a running stack on purpose."""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from rclpy.context import Context
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from benchmarks._observer import Observer
from vla_attention.ros import qos
from vla_attention.ros.messages import write_image

ENCODINGS = ('rgb8', 'bgr8', 'mono16', '32FC1', 'bayer_rggb8', 'nv12', 'rgb9', '')
SENTENCES = ('빨간 컵을 {}번째로 집어줘', '파란 접시를 {}번 집어줘', 'pick up the red mug number {}',
             'put spoon {} on the blue plate', '노란 상자 {}을 집어줘', 'do not touch knife {}')


class Faults:
    """Each method does one thing and returns what it found, or nothing."""

    ALL = ('camera_stops', 'camera_changes_size', 'instructions_at_200_hz', 'malformed_images',
           'depth_of_nan', 'subscriber_that_never_reads')

    def __init__(self, observer: Observer, spin: Callable[[float], None]) -> None:
        """Prepare.

        :param spin: lets so many seconds pass.
        """
        self._observer = observer
        self._spin = spin
        self._random = np.random.default_rng(0)
        self._say = observer.node.create_publisher(String, 'instruction', 1000)
        self._parsed = observer.latest(String, 'instruction/parsed', qos.latched())
        self._image = observer.node.create_publisher(Image, 'image', qos.camera())
        self._depth = observer.node.create_publisher(Image, 'depth', qos.camera())
        self._lazy_context = Context()
        self._lazy: rclpy.node.Node | None = None
        self._said = 0

    def camera_stops(self) -> None:
        """No picture for 5 s."""
        self._observer.change('scene_camera', 'deactivate')
        self._spin(5.0)
        self._observer.change('scene_camera', 'activate')

    def camera_changes_size(self) -> None:
        """Another camera for 8 s: 600x400, without depth."""
        self._observer.change('scene_camera', 'deactivate')
        self._observer.change('other_camera', 'activate')
        self._spin(8.0)
        self._observer.change('other_camera', 'deactivate')
        self._observer.change('scene_camera', 'activate')

    def instructions_at_200_hz(self) -> dict[str, Any]:
        """Three seconds of new instructions; the last one counts."""
        text, sent, begin = '', 0, time.monotonic()
        while sent < 600:
            for _ in range(int((time.monotonic() - begin) * 200) + 1 - sent):   # what is due by now
                self._said, sent = self._said + 1, sent + 1
                text = SENTENCES[self._said % len(SENTENCES)].format(self._said)
                self._say.publish(String(data=text))
            self._spin(0.005)
        return {'lost': int(not self._read_within(text, 20.0))}

    def _read_within(self, text: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            parse = self._parsed()
            if parse is not None and json.loads(parse.data)['text'] == text:
                return True
            self._spin(0.1)
        return False

    def malformed_images(self) -> None:
        """Five seconds of images whose fields contradict each other, among the camera's own."""
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            size = int(self._random.integers(0, 3000))
            width, height, step = (int(value) for value in self._random.integers(0, 3000, 3))
            self._image.publish(Image(
                header=self._header(), encoding=str(self._random.choice(ENCODINGS)), width=width,
                height=height, step=step, data=array('B', bytes(size))))
            self._spin(0.01)

    def depth_of_nan(self) -> None:
        """Three seconds of depth without a reading, among the camera's own."""
        nothing = np.full((480, 640), np.nan, np.float32)
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            self._depth.publish(write_image(nothing, '32FC1', self._header()))
            self._spin(0.033)

    def subscriber_that_never_reads(self) -> None:
        """Somebody takes images and regions reliably, and never looks at them; from now to the next time."""
        if self._lazy is not None:
            self._lazy.destroy_node()
            self._lazy = None
            return
        if not self._lazy_context.ok():
            rclpy.init(context=self._lazy_context, domain_id=self._observer.domain)
        self._lazy = rclpy.create_node('lazy', context=self._lazy_context)
        for topic in ('overlay', 'focus/labels', 'focus/target/mask', 'attention/target'):
            self._lazy.create_subscription(Image, topic, lambda message: None, qos.result())

    def _header(self) -> Header:
        return Header(stamp=self._observer.node.get_clock().now().to_msg(),
                      frame_id='camera_color_optical_frame')
