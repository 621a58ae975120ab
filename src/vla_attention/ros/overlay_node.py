"""The image with attention, focus regions and phase drawn over it: what RViz shows."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Classification, Detection2D, Detection2DArray

from vla_attention.ros import image_node, qos
from vla_attention.ros.detections import read_regions
from vla_attention.ros.messages import ImageError, read_array, read_rgb, seconds, write_image, write_jpeg
from vla_attention.ros.parameters import Setting
from vla_attention.ros.perception_node import PerceptionNode
from vla_attention.ros.running import run
from vla_attention.ros.topics import Input
from vla_attention.timing import JUMP
from vla_attention.view.overlay import draw_overlay

LEAST_WAIT = 0.5    # seconds that an image waits at least for what belongs to it
MOST_WAIT = 5.0     # and at most, where results are that late
EVENLY = 0.75       # of 1 / max_rate: stamps of a camera are not quite even
PHASE_AGE = 2.0     # seconds after which a phase is no longer shown
RESULTS = ('attention/target', 'focus/labels', 'focus/regions', 'moments/phase', 'moments/importance')

SETTINGS = (
    *image_node.SETTINGS,
    Setting('max_rate', 15.0, 'Pictures a second at most, of as many images as come: what a person looks at '
            'should not take processor time from what the arm acts on. 0: each image.', low=0.0, high=1000.0),
    Setting('jpeg_quality', 85, 'Quality of `overlay/compressed`.', low=1, high=100),
    Setting('show_attention', True, 'Draw the attention on the target as heat.'),
    Setting('show_regions', True, 'Draw focus regions.'),
)


class OverlayNode(PerceptionNode):
    """Draws over each image what belongs to it by stamp; takes images only while somebody looks."""

    def __init__(self, **options: Any) -> None:
        super().__init__('overlay_node', SETTINGS, **options)
        self._parts: OrderedDict[tuple[int, int], dict[str, Any]] = OrderedDict()
        self._stream: list[Input] = []
        self._newest = 0.0                                 # stamp of the last image, in seconds
        self._drawn = float('-inf')                        # and of the last one that was drawn
        self._late = 0.0                                   # seconds that regions are behind it
        self._phase: tuple[float, str] = (0.0, '')         # when it came (monotonic, s), and what
        self._importance: tuple[float, float] = (0.0, 0.0)

    def configure(self) -> None:
        """Make the outputs."""
        self._overlay = self.output(Image, 'overlay')
        self._compressed = self.output(CompressedImage, 'overlay/compressed')

    def activate(self) -> None:
        """Start to wait for somebody who looks."""
        self._drawer = self.worker(self._draw)
        self.health.latency_limit = lambda: self.parameters['latency_limit']
        self.tick()

    def deactivate(self) -> None:
        """Forget what waited."""
        self._stream.clear()
        self._forget_parts()

    def tick(self) -> None:
        """Open the stream when somebody looks, close it when nobody does."""
        wanted = self._overlay.wanted or self._compressed.wanted if self.state == 'active' else False
        self.health.fact('watched', 'yes' if wanted else 'no, so nothing is drawn')
        if wanted and not self._stream:
            self._open()
        elif not wanted and self._stream:
            for entry in self._stream:
                self.unsubscribe(entry)
            self._stream.clear()
            self._forget_parts()
            self.health.no_longer_expect()

    def on_demand(self) -> Sequence[str]:
        """Return what is taken while somebody looks."""
        return self._image_topic(), *RESULTS

    def _image_topic(self) -> str:
        return 'image/compressed' if self.parameters['image_transport'] == 'compressed' else 'image'

    def _forget_parts(self) -> None:
        with self._callback_lock:   # in a stack one may be on its way in another node's thread
            self._parts.clear()

    def _open(self) -> None:
        image = self._image_topic()
        for topic in (image, 'focus/regions'):
            name = self.resolve_topic_name(topic)
            self.health.expect(topic.split('/')[0], f'message on {name}',
                               timeout=lambda: self.parameters['image_timeout'],
                               missing=f'nothing on {name} yet')
        self._stream = [
            self.subscribe(Image if image == 'image' else CompressedImage, image, self._part('image'),
                           qos.stream()),
            self.subscribe(Image, 'attention/target', self._part('attention'), qos.result()),
            self.subscribe(Image, 'focus/labels', self._part('labels'), qos.result()),
            self.subscribe(Detection2DArray, 'focus/regions', self._part('focus'), qos.result()),
            self.subscribe(Classification, 'moments/phase', self._take_phase, qos.result()),
            self.subscribe(Detection2D, 'moments/importance', self._take_importance, qos.result()),
        ]

    def _part(self, kind: str) -> Any:
        def take(message: Any) -> None:
            self.health.came(kind)
            stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
            if kind == 'image':
                self._image_came(seconds(message.header))
            self._parts.setdefault(stamp, {})[kind] = message
            if kind == 'focus':
                self._late = max(0.95 * self._late, self._newest - seconds(message.header))
                # what is left of earlier images will not come any more
                done = [have for have, held in self._parts.items() if have < stamp and 'focus' in held]
                for earlier in done:
                    self._hand_on(earlier)
            if len(self._parts[stamp]) == 4:
                self._hand_on(stamp)
            wait = min(MOST_WAIT, max(LEAST_WAIT, 1.5 * self._late))
            for have in [have for have in self._parts if abs(self._newest - have[0] - have[1] * 1e-9) > wait]:
                del self._parts[have]
        return take

    def _image_came(self, time: float) -> None:
        self.health.count('images')
        if time < self._newest - JUMP:      # stamps started over
            self._parts.clear()
        self._newest = time

    def _hand_on(self, stamp: tuple[int, int]) -> None:
        parts = self._parts.pop(stamp)
        if 'image' not in parts:
            return
        time, rate = seconds(parts['image'].header), self.parameters['max_rate']
        if rate and 0 < time - self._drawn < EVENLY / rate:
            self.health.count('left out')
            return
        self._drawn = time
        if self._drawer.put(parts):
            self.health.count('replaced')

    def _take_phase(self, message: Classification) -> None:
        if message.results:
            self._phase = (time.monotonic(), message.results[0].class_id)

    def _take_importance(self, message: Detection2D) -> None:
        if message.results:
            self._importance = (time.monotonic(), message.results[0].hypothesis.score)

    def _draw(self, parts: dict[str, Any]) -> None:
        header = parts['image'].header
        try:
            image = read_rgb(parts['image'])
            labels = read_array(parts['labels']) if 'labels' in parts else None
            attention = read_array(parts['attention']) if 'attention' in parts else None
            regions = read_regions(parts['focus'], labels)
        except ImageError as error:
            self.complain('image', f'{self.resolve_topic_name("image")} or what was made of it: {error}')
            return
        oldest = time.monotonic() - PHASE_AGE
        overlay = draw_overlay(
            image, regions if self.parameters['show_regions'] else (),
            attention=attention if self.parameters['show_attention'] else None,
            phase=self._phase[1] if self._phase[0] > oldest else '',
            importance=self._importance[1] if self._importance[0] > oldest else None)
        if self._overlay.wanted:
            self._overlay.publish(write_image(overlay, 'rgb8', header))
        if self._compressed.wanted:
            self._compressed.publish(write_jpeg(overlay, header, quality=self.parameters['jpeg_quality']))
        self.health.done(self.age(header))


def main() -> int:
    """Run the node."""
    return run(OverlayNode)


if __name__ == '__main__':
    sys.exit(main())
