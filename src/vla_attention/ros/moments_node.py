"""Images, and the attention on target and destination where there is one, in; phase and importance out."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray, Header, String
from vision_msgs.msg import Classification, Detection2D, ObjectHypothesis, ObjectHypothesisWithPose

from vla_attention.moments import Moment, MomentAttention
from vla_attention.moments.phase_model import FAILURE_RATE
from vla_attention.moments.weights import WEIGHTS
from vla_attention.ros import image_node, qos
from vla_attention.ros.health import fingerprint
from vla_attention.ros.image_node import ImageNode
from vla_attention.ros.messages import ImageError, read_array, seconds, write_floats
from vla_attention.ros.parameters import CONFIGURE, Setting
from vla_attention.ros.running import run
from vla_attention.ros.topics import Input
from vla_attention.ros.worker import BACKGROUND

ROLES = ('target', 'destination')

SETTINGS = (
    *image_node.SETTINGS,
    Setting('weights', '', 'Safetensors file of the moments model; empty: the one in the package.',
            when=CONFIGURE),
    Setting('failure_rate', FAILURE_RATE, 'Share of the grasps that are expected to miss, or to drop the '
            'thing. Higher for an arm that fails often: what looks like it is then sooner called retreat.',
            low=0.001, high=0.999, when=CONFIGURE),
    Setting('use_attention', True, 'Take `attention/target` and `attention/destination`; false: follow what '
            'moves, whatever the instruction. Takes hold when the node is activated next.'),
    Setting('attention_timeout', 1.0, 'Seconds by which an attention map may be older than the image.',
            low=0.0, high=10.0),
)


class MomentsNode(ImageNode):
    """Tells what is going on, about five times a second; takes images only while somebody takes that."""

    niceness = BACKGROUND   # a phase that is 50 ms older is as good, a box is not

    def __init__(self, **options: Any) -> None:
        super().__init__('moments_node', SETTINGS, **options)
        self._lock = threading.Lock()
        self._maps: dict[str, tuple[float, np.ndarray]] = {}
        self._instruction = ''
        self._stale = False     # the window is to be emptied before the next image

    def configure(self) -> None:
        """Load the weights and make the outputs."""
        self._attention = MomentAttention(self.parameters['weights'] or None,
                                          failure_rate=self.parameters['failure_rate'])
        self.health.fact('weights', fingerprint(self.parameters['weights'] or WEIGHTS))
        self._phase = self.output(Classification, 'moments/phase')
        self._importance = self.output(Detection2D, 'moments/importance')
        self._events = self.output(Classification, 'moments/events')
        self._weights = self.output(Float32MultiArray, 'moments/attention')

    def activate(self) -> None:
        """Take the instruction; images and attention once somebody takes what comes of them."""
        self._attention_inputs: list[Input] = []
        if self.parameters['use_attention']:
            self.subscribe(String, 'instruction/parsed', self._take_instruction, qos.latched())
        super().activate()
        self.tick()

    def tick(self) -> None:
        """Open the inputs when somebody takes an output, close them when nobody does.

        Images cost their transport, and a subscription to attention makes attention_node work for it.
        """
        wanted = self.state == 'active' and self._wanted()
        self.health.fact('watched', 'yes' if wanted else 'no, so no image is taken')
        if wanted:
            self.take_images()
        elif self.state == 'active':
            self.leave_images()

    def on_demand(self) -> Sequence[str]:
        """Return what is taken while somebody wants the answer."""
        attention = [f'attention/{role}' for role in ROLES] if self.parameters['use_attention'] else []
        return [self.image_topic(), *attention]

    def take_images(self) -> None:
        """Take images and the attention on target and destination, where somebody wants the answer."""
        if self._image_input is not None or not self._wanted():
            return
        self._forget()
        if self.parameters['use_attention']:
            self._attention_inputs = [
                self.subscribe(Image, f'attention/{role}', self._taker(role), qos.result()) for role in ROLES]
        super().take_images()

    def leave_images(self) -> None:
        """Take neither images nor attention."""
        for entry in self._attention_inputs:
            self.unsubscribe(entry)
        self._attention_inputs.clear()
        super().leave_images()

    def _wanted(self) -> bool:
        outputs = (self._phase, self._importance, self._events, self._weights)
        return any(output.wanted for output in outputs)

    def cleanup(self) -> None:
        """Let go of the model."""
        with contextlib.suppress(AttributeError):   # it could not be loaded
            del self._attention

    def time_jumped_back(self) -> None:
        """Start a new window."""
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._maps.clear()
            self._stale = True

    # ---- input

    def _take_instruction(self, message: String) -> None:
        try:
            text = str(json.loads(message.data)['text'])
        except (ValueError, KeyError, TypeError) as error:
            self.complain('instruction', f'{self.resolve_topic_name("instruction/parsed")}: data is no parse '
                          f'of an instruction ({error!r}): {message.data[:60]!r}; the window goes on')
            return
        if text != self._instruction:
            self._instruction = text
            self._forget()

    def _taker(self, role: str) -> Any:
        def take(message: Image) -> None:
            try:
                attention = np.asarray(read_array(message), np.float32)
            except ImageError as error:
                topic = self.resolve_topic_name(f'attention/{role}')
                self.complain(role, f'{topic}: {error}; it is left out')
                return
            with self._lock:
                self._maps[role] = (seconds(message.header), attention)
        return take

    def _map(self, role: str, time: float) -> np.ndarray | None:
        """Return the newest map of a role, where it is of this moment and says anything."""
        with self._lock:
            when, attention = self._maps.get(role, (float('-inf'), None))
        if attention is None or abs(time - when) > self.parameters['attention_timeout']:
            return None
        return attention if attention.ndim == 2 and attention.max() > 0 else None

    # ---- output

    def look(self, image: np.ndarray, header: Header) -> bool:
        """Take one image in, and publish what is new."""
        if not self._wanted():
            return False
        with self._lock:
            stale, self._stale = self._stale, False
        if stale:
            self._attention.reset()
        stamp = seconds(header)
        moment = self._attention.update(self.moment(header), image, target_map=self._map('target', stamp),
                                        destination_map=self._map('destination', stamp))
        self._phase.publish(write_phase(moment, header))
        self._importance.publish(write_importance(moment, header))
        for event in moment.events:
            self.health.count(event)
            self._events.publish(Classification(header=header, results=[
                ObjectHypothesis(class_id=event, score=float(moment.importance))]))
        if self._weights.wanted and moment.attention:
            ages = moment.time - np.array(moment.attention_times)
            self._weights.publish(write_floats(np.stack([ages, moment.attention]),
                                               ('age_and_weight', 'frame')))
        self.health.fact('phase', moment.phase)
        return True


def write_phase(moment: Moment, header: Header) -> Classification:
    """Return the phases with their probabilities, the most likely first."""
    ranked = sorted(moment.probabilities.items(), key=lambda item: -item[1])
    return Classification(header=header, results=[
        ObjectHypothesis(class_id=phase, score=float(probability)) for phase, probability in ranked])


def write_importance(moment: Moment, header: Header) -> Detection2D:
    """Return the importance as the score of a detection whose box is the focus area.

    ``id`` is the phase, the hypothesis' class_id 'importance'. A box of size 0 says that nothing has moved.
    """
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id = 'importance'
    result.hypothesis.score = float(moment.importance)
    detection = Detection2D(header=header, id=moment.phase, results=[result])
    if moment.focus_area is not None:
        x0, y0, x1, y1 = (float(value) for value in moment.focus_area)
        detection.bbox.center.position.x = (x0 + x1) / 2
        detection.bbox.center.position.y = (y0 + y1) / 2
        detection.bbox.size_x, detection.bbox.size_y = x1 - x0, y1 - y0
    return detection


def main() -> int:
    """Run the node."""
    torch.set_num_threads(1)    # a small network: a second thread would only be in attention_node's way
    return run(MomentsNode)


if __name__ == '__main__':
    sys.exit(main())
