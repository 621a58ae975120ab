"""The camera of the image: the newest ``camera_info``, and what is worth a word about its lens."""

from __future__ import annotations

from collections.abc import Callable

from sensor_msgs.msg import CameraInfo

from vla_attention.focus import Camera, Intrinsics
from vla_attention.focus.intrinsics import is_rectified
from vla_attention.ros.perception_node import PerceptionNode, RefusedError

SHIFTED = 3.0       # pixels by which a lens may move the border before that is worth a word
OTHER_CAMERA = 'remap `camera_info` to that of the image'


class CameraInput:
    """What a node with parameter ``rectified`` is told of its camera.

    :param image_topic: gives the topic of the image, whose name may say that it is rectified.
    """

    def __init__(self, node: PerceptionNode, image_topic: Callable[[], str]) -> None:
        self.info: CameraInfo | None = None
        self._node, self._image_topic = node, image_topic
        self._lens: tuple[float, ...] = ()      # the distortion that was told last

    def take(self, message: CameraInfo) -> None:
        """Take the newest; a lens that is new is told."""
        self._node.health.came('camera_info')
        lens = self._lens_of(message)
        if self.info is None or self._lens != lens:
            self._tell_lens(message, lens)
        self.info, self._lens = message, lens

    def intrinsics(self, info: CameraInfo, frame: str, size: tuple[int, int]) -> Intrinsics:
        """Return the intrinsics of an image in a frame, of a size (width, height).

        :raises RefusedError: what ``info`` says cannot be, or is of another camera.
        """
        topic = self._node.resolve_topic_name('camera_info')
        try:
            camera, _ = Camera.read(info, info.k, info.p, self._lens_of(info))
        except ValueError as error:
            raise RefusedError('camera_info', f'{topic}: {error}') from error
        try:
            return camera.shown(frame, size)
        except ValueError as error:
            raise RefusedError('camera_info', f'{topic}: {error}: {OTHER_CAMERA}') from error

    def _lens_of(self, info: CameraInfo) -> tuple[float, ...]:
        rectified = self._node.parameters['rectified'] or is_rectified(
            self._node.resolve_topic_name(self._image_topic()))
        return () if rectified else tuple(info.d)

    def _tell_lens(self, info: CameraInfo, lens: tuple[float, ...]) -> None:
        topic = self._node.resolve_topic_name('camera_info')
        try:
            camera, unread = Camera.read(info, info.k, info.p, lens)
        except ValueError:      # each frame will be refused, and why
            return
        if unread:
            self._node.get_logger().warning(f'{topic}: {unread}; the lens is not taken into account')
            return
        self._node.health.fact('lens moves the border by (pixels)', f'{camera.shift:.1f}')
        if camera.shift > SHIFTED:
            self._node.get_logger().info(
                f'{topic}: the lens moves the border of the image by {camera.shift:.0f} pixels; 3-D takes '
                'that into account; where image and depth are rectified already, set the parameter rectified')
