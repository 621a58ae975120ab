"""The colour image as something that is taken only while it changes an answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import CompressedImage, Image

from vla_attention.ros import qos
from vla_attention.ros.perception_node import PerceptionNode
from vla_attention.ros.topics import Input

PATIENCE = 1.0      # seconds that the first image is awaited before work goes on without colour


class ColourStream:
    """Images of a node that works on something else and uses colour where it comes.

    What a node answers must not depend on who else listens, so colour is taken as soon as anybody takes
    anything of the node, and the first answers wait until it comes.
    """

    def __init__(self, node: PerceptionNode, take: Callable[[str, Any], None], *, compressed: bool) -> None:
        """Take nothing yet.

        :param take: called with topic and message of each image.
        :param compressed: `image/compressed` in place of `image`.
        """
        self.topic = 'image/compressed' if compressed else 'image'
        self._kind = CompressedImage if compressed else Image
        self._node = node
        self._take = take
        self._input: Input | None = None
        self._opened = float('inf')
        self._came = False

    def follow(self, wanted: bool) -> None:
        """Open the stream while it is wanted, else close it."""
        if wanted and self._input is None:
            self._opened, self._came = time.monotonic(), False
            self._input = self._node.subscribe(self._kind, self.topic, self._taken, qos.stream())
        elif not wanted and self._input is not None:
            self._node.unsubscribe(self._input)
            self._input, self._opened, self._came = None, float('inf'), False

    @property
    def due(self) -> bool:
        """Whether colour is about to come, so that an answer without it would differ from the next one."""
        if self._came or not self._node.count_publishers(self._node.resolve_topic_name(self.topic)):
            return False
        return time.monotonic() < self._opened + PATIENCE

    def _taken(self, message: Any) -> None:
        self._came = True
        self._take(self.topic, message)
