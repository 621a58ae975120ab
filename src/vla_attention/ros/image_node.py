"""A perception node that works on the newest image of a stream."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from vla_attention.ros import qos
from vla_attention.ros.messages import read_rgb, seconds
from vla_attention.ros.parameters import Setting
from vla_attention.ros.perception_node import PerceptionNode
from vla_attention.ros.topics import Input
from vla_attention.timing import JUMP
from vla_attention.vision.image import check_image

STILL = 2   # stamps equal to the one before, in a row, from which they count as standing still

IMAGE_TRANSPORT = Setting(
    'image_transport', 'raw', 'Take `image` (sensor_msgs/Image) or `image/compressed` '
    '(sensor_msgs/CompressedImage). Takes hold when the node is activated next.',
    choices=('raw', 'compressed'))

SETTINGS = (
    IMAGE_TRANSPORT,
    Setting('image_timeout', 3.0, 'Seconds without an image after which diagnostics say so.',
            low=0.1, high=3600.0),
    Setting('latency_limit', 0.5, 'Seconds from capture to publish, at the 95th percentile of 10 s, above '
            'which diagnostics warn; 0: never.', low=0.0, high=60.0),
)


class ImageNode(PerceptionNode):
    """Takes `image`, or `image/compressed`, decodes it in a thread of its own, and calls :meth:`look`.

    A node that derives from it adds :data:`SETTINGS` to its table and, where it overrides :meth:`activate`,
    calls this one last. Images that cannot be read are refused with one throttled warning that names topic,
    field and value.
    """

    niceness = 0    # of the thread that works; see :class:`~vla_attention.ros.worker.NewestWorker`

    def look(self, image: np.ndarray, header: Header) -> bool:
        """Work on one image, in the worker's thread; return whether there was anything to do.

        :param image: (H, W, 3) uint8 RGB, perhaps the message's own memory: not to be written into.
        :param header: goes into every message that comes of it, as it is.
        """
        raise NotImplementedError

    def max_wait(self) -> float:
        """Return the share of the image period that an image may wait; 1: any; see :class:`NewestWorker`."""
        return 1.0

    def time_jumped_back(self) -> None:
        """Forget what was remembered of images that are now in the future."""

    def moment(self, header: Header) -> float:
        """Return when an image was taken, in seconds: by its stamp, or now where stamps stand still."""
        return time.monotonic() if self._unstamped else seconds(header)

    def activate(self) -> None:
        """Start to take images."""
        self._newest = float('-inf')
        self._unstamped = False
        self._still = 0
        self.health.latency_limit = lambda: self.parameters['latency_limit']
        self._image_worker = self.worker(self._work, max_wait=self.max_wait, niceness=self.niceness)
        self._image_input: Input | None = None
        self.take_images()

    def image_topic(self) -> str:
        """Return the topic that images are taken from, as it is before remapping."""
        return 'image/compressed' if self.parameters['image_transport'] == 'compressed' else 'image'

    def take_images(self) -> None:
        """Subscribe to images, where that is not done yet; until deactivate or :meth:`leave_images`."""
        if self._image_input is not None:
            return
        topic = self.image_topic()
        self._image_topic = self.resolve_topic_name(topic)
        self.health.expect('image', f'image on {self._image_topic}',
                           timeout=lambda: self.parameters['image_timeout'],
                           missing=f'no image on {self._image_topic} yet: is the camera on, is it remapped?')
        self._image_input = self.subscribe(Image if topic == 'image' else CompressedImage, topic, self._take,
                                           qos.stream())

    def leave_images(self) -> None:
        """Unsubscribe from images, and expect none: nobody wants what would come of them."""
        if self._image_input is not None:
            self.unsubscribe(self._image_input)
            self._image_input = None
            self.health.no_longer_expect('image')

    def _take(self, message: Any) -> None:
        self.health.came('image')
        self.health.count('images')
        if self._image_worker.put(message):
            self.health.count('replaced')

    def _work(self, message: Any) -> None:
        try:
            image = read_rgb(message)
            check_image(image)
        except ValueError as error:     # ImageError, and pictures too small to look at
            self.health.count('refused')
            self.complain('image', f'{self._image_topic}: {error}; the image is left out')
            return
        stamp = seconds(message.header)
        self._still = self._still + 1 if stamp == self._newest else 0
        # one repeat alone (a driver that hiccups) is the same moment again: another clock would be a jump
        self._unstamped = stamp == 0.0 or self._still >= STILL
        if self._unstamped:
            self.complain('stamp', f'{self._image_topic}: header.stamp is {stamp:.3f} s again; images are '
                          'told apart by when they come, but depth and tf need the stamp of the exposure')
        elif stamp < self._newest - JUMP:
            self.complain('clock', f'{self._image_topic}: header.stamp went back by '
                          f'{self._newest - stamp:.1f} s (a bag that starts over?); the past is forgotten')
            self.time_jumped_back()
        self._newest = stamp
        if self.look(image, message.header):
            self.health.done(self.age(message.header))
