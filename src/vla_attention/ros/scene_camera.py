"""A camera for demos and tests: publishes pictures, depth where there is some, and instructions."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from vla_attention.ros import qos
from vla_attention.ros.camera_sources import BUILT_IN, CameraFrame, FrameStream, open_source
from vla_attention.ros.messages import write_image, write_jpeg
from vla_attention.ros.parameters import CONFIGURE, Setting
from vla_attention.ros.perception_node import PerceptionNode
from vla_attention.ros.running import run

STANDING = 3.0  # seconds without a picture, at least, after which the clock is said to stand still
RETRY = 1.0     # seconds until a source that cannot be opened again is tried once more

SETTINGS = (
    Setting('source', 'coffee', f'What to show: {", ".join(BUILT_IN)}, or the path of a photograph, a video, '
            'or a folder of frames.', when=CONFIGURE),
    Setting('rate', 10.0, 'Pictures per second (Hz).', low=0.1, high=120.0),
    Setting('loop', True, 'Begin again at the end of the source.'),
    Setting('frame_id', 'camera_color_optical_frame', 'Frame of every picture (REP-103: z forward, x right, '
            'y down).', check=lambda value: '' if value.strip('/ ') else 'a frame has a name'),
    Setting('field_of_view', 60.0, 'Horizontal field of view in degrees; the intrinsics of sources that have '
            'none are made of it.', low=1.0, high=170.0, when=CONFIGURE),
    Setting('seed', 0, 'Which scene is generated (source: scene).', low=0, high=2**31 - 1, when=CONFIGURE),
    Setting('scene_width', 640, 'Width of a generated scene in pixels; its height is three quarters of it.',
            low=64, high=1920, when=CONFIGURE),
    Setting('scene_frames', 30, 'Frames of a generated scene, rendered in the background and played to and '
            'fro (2.2 MB each at 640x480).', low=1, high=1000, when=CONFIGURE),
    Setting('instructions', [''], 'Instructions to publish one after the other; one empty text: that of the '
            'source, or none.'),
    Setting('instruction_period', 0.0, 'Seconds until the next of the instructions follows; 0: the first '
            'stays.', low=0.0, high=3600.0),
    Setting('jpeg_quality', 90, 'Quality of `image/compressed`.', low=1, high=100),
)


class SceneCamera(PerceptionNode):
    """Plays a source at a steady rate."""

    def __init__(self, **options: Any) -> None:
        super().__init__('scene_camera', SETTINGS, **options)
        self._frames: FrameStream | None = None
        self._next: CameraFrame | None = None

    def configure(self) -> None:
        """Open the source: what cannot be shown is said here."""
        self._frames = self._open()
        self._next = next(self._frames)
        self.health.fact('source', self.parameters['source'])
        self._image = self.output(Image, 'image', qos.camera())
        self._compressed = self.output(CompressedImage, 'image/compressed', qos.camera())
        self._depth = self.output(Image, 'depth', qos.camera())
        self._camera_info = self.output(CameraInfo, 'camera_info', qos.camera())
        self._instruction = self.output(String, 'instruction', qos.result())

    def activate(self) -> None:
        """Begin to play."""
        self._said = ''
        self._taken = False         # what it has said last is worked with, or was until
        self._overruled = False     # somebody else has said something since
        self._listeners = 0
        self._retry = 0.0           # when the source may be opened again, by time.monotonic()
        for key in ('end', 'source'):
            self.health.standing(key, '')
        # not `instruction` itself: "ros2 topic pub --once" goes as soon as it has found anybody who takes it
        self.subscribe(String, 'instruction/parsed', self._hear, qos.latched())
        self._since = self._played = time.monotonic()
        self._timer = self.create_timer(1 / self.parameters['rate'], self._play)

    def described(self) -> str:
        """Return what it plays, and how fast."""
        return f'source {self.parameters["source"]}, {self.parameters["rate"]:g} Hz'

    def deactivate(self) -> None:
        """Stop playing."""
        self.destroy_timer(self._timer)

    def tick(self) -> None:
        """Say so where no picture comes because /clock stands still."""
        silent = time.monotonic() - self._played if self.state == 'active' else 0.0
        standing = silent > max(STANDING, 2 / self.parameters['rate'])
        self.trouble('clock', f'no picture for {silent:.0f} s: does /clock stand still (use_sim_time)?'
                     if standing else '', 'pictures come again' if self.state == 'active' else '')

    def cleanup(self) -> None:
        """Close the source."""
        if self._frames is not None:
            self._frames.close()
        self._frames = self._next = None

    def _open(self) -> FrameStream:
        named = ('field_of_view', 'seed', 'scene_width', 'scene_frames', 'rate')
        return open_source(self.parameters['source'], **{name: self.parameters[name] for name in named})

    def _play(self) -> None:
        self._played = time.monotonic()
        period = round(1e9 / self.parameters['rate'])
        if self._timer.timer_period_ns != period:
            self._timer.timer_period_ns = period
        frame = self._next or self._begin_again()
        if frame is None or self._frames is None:
            return
        self._show(frame)
        self._instruct(frame.instruction)
        self._next = next(self._frames, None)

    def _begin_again(self) -> CameraFrame | None:
        """Return the first frame of another pass; None, and why in diagnostics, where there is none."""
        source, now = self.parameters['source'], time.monotonic()
        ended = '' if self.parameters['loop'] else f'{source} is at its end and `loop` is false'
        self.health.standing('end', ended)
        if ended or now < self._retry:
            return None
        try:
            self._frames = self._open()
            frame = next(self._frames)
        except Exception as error:      # a file that is gone, or just being written
            self._retry = now + RETRY
            self.trouble('source', f'{source} cannot be played again: {error}')
            return None
        self.trouble('source', '', f'{source} is played again')
        return frame

    def _show(self, frame: CameraFrame) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self.parameters['frame_id'])
        self._camera_info.publish(_camera_info(frame, header))
        if frame.depth is not None and self._depth.wanted:
            self._depth.publish(write_image(frame.depth, '32FC1', header))
        if self._image.wanted:
            self._image.publish(write_image(frame.rgb, 'rgb8', header))
            self.health.count('images')
        if self._compressed.wanted:
            self._compressed.publish(write_jpeg(frame.rgb, header, quality=self.parameters['jpeg_quality']))
        self.health.done(self.age(header))

    def _instruct(self, of_source: str) -> None:
        texts = [text for text in self.parameters['instructions'] if text] or [of_source]
        period = self.parameters['instruction_period']
        turn = int((time.monotonic() - self._since) / period) if period else 0
        text = texts[turn % len(texts)]
        listeners = self._instruction.listeners
        # said again to a listener that came late, or came back, unless people have taken over
        if text and (text != self._said or (listeners > self._listeners and not self._overruled)):
            self._taken = self._taken and text == self._said
            self._said, self._overruled = text, False
            self._instruction.publish(String(data=text))
            self.health.fact('instruction', text)
        self._listeners = listeners

    def _hear(self, message: String) -> None:
        try:
            parse = json.loads(message.data)
            text, initial = parse['text'], parse.get('initial', False)
        except (ValueError, KeyError, TypeError) as error:
            self.complain('instruction', f'{self.resolve_topic_name("instruction/parsed")}: data is no parse '
                          f'of an instruction ({error!r}): {message.data[:60]!r}')
            return
        if text == self._said:
            self._taken = True
        elif self._taken and not initial:
            self._overruled = True


def _camera_info(frame: CameraFrame, header: Header) -> CameraInfo:
    height, width = frame.rgb.shape[:2]
    projection = np.hstack([frame.matrix, np.zeros((3, 1))])
    return CameraInfo(header=header, height=height, width=width, distortion_model='plumb_bob', d=[0.0] * 5,
                      k=frame.matrix.ravel().tolist(), r=np.eye(3).ravel().tolist(),
                      p=projection.ravel().tolist())


def main() -> int:
    """Run the node."""
    return run(SceneCamera)


if __name__ == '__main__':
    sys.exit(main())
