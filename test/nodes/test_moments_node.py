"""moments_node at work: images go in, phase, importance and attention come out under the image's stamp."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray, Header, String
from vision_msgs.msg import Classification, Detection2D

from vla_attention.moments import PHASES
from vla_attention.ros import qos
from vla_attention.ros.messages import read_floats, seconds, write_image

BACKGROUND = cv2.resize(np.random.default_rng(0).integers(60, 200, (15, 20, 3), dtype=np.uint8), (320, 240),
                        interpolation=cv2.INTER_CUBIC)


class Watcher:
    """A camera whose clock is the test's, and what the node says."""

    def __init__(self, graph) -> None:
        self.graph = graph
        self.image = graph.node.create_publisher(Image, 'image', qos.camera())
        self.parsed = graph.node.create_publisher(String, 'instruction/parsed', qos.latched())
        self.target = graph.node.create_publisher(Image, 'attention/target', qos.result())
        self.phases = graph.collect(Classification, 'moments/phase')
        self.importance = graph.collect(Detection2D, 'moments/importance')
        self.weights = graph.collect(Float32MultiArray, 'moments/attention')
        self.diagnostics: list = graph.collect(DiagnosticArray, '/diagnostics')
        graph.wait(self.image.get_subscription_count, 60)

    def show(self, time: float, left: int = 0) -> Header:
        """Send one frame, with a block at ``left``, and wait for its answer."""
        header = Header(frame_id='camera')
        header.stamp.sec, header.stamp.nanosec = int(time), round((time - int(time)) * 1e9)
        picture = BACKGROUND.copy()
        picture[90:150, left:left + 60] = (220, 30, 30)
        picture[100:110, left:left + 60] = (10, 10, 10)
        picture[90:150, left + 25:left + 32] = (250, 250, 250)

        def answered():
            return any(phase.header == header for phase in self.phases)

        def sent():     # anew where it was lost, but late: a stamp that comes a third time stands still
            self.image.publish(write_image(picture, 'rgb8', header))
            return self.graph.wait(answered, 5, needed=False)
        self.graph.wait(sent, 40)
        return header

    def cross(self, begin: float) -> None:
        for step in range(8):
            self.show(begin + 0.2 * step, 20 + 12 * step)

    def ages(self):
        """Return (seconds ago, weight) of the frames that the last answer looked at."""
        self.graph.spin(0.2)
        return read_floats(self.weights[-1])


@pytest.fixture(scope='module')
def watcher(shared_graph):
    shared_graph.start('moments_node')
    return Watcher(shared_graph)


def test_phase_and_importance_carry_stamp_and_frame_of_the_image(watcher):
    header = watcher.show(100.0)
    phase = next(phase for phase in watcher.phases if phase.header == header)
    assert {result.class_id for result in phase.results} == set(PHASES)
    scores = [result.score for result in phase.results]
    assert scores == sorted(scores, reverse=True) and sum(scores) == pytest.approx(1.0, abs=1e-4)
    watcher.graph.wait(lambda: any(each.header == header for each in watcher.importance))
    importance = next(each for each in watcher.importance if each.header == header)
    assert importance.id == phase.results[0].class_id
    assert importance.results[0].hypothesis.class_id == 'importance'
    assert 0.0 <= importance.results[0].hypothesis.score <= 1.0
    assert importance.bbox.size_x == 0.0        # nothing has moved


def test_the_focus_area_follows_what_moves(watcher):
    watcher.cross(200.0)
    watcher.graph.wait(lambda: watcher.importance[-1].bbox.size_x > 0)
    box = watcher.importance[-1].bbox
    assert abs(box.center.position.x - (20 + 12 * 7 + 30)) < 60
    assert abs(box.center.position.y - 120) < 60


def test_a_clock_that_jumps_back_empties_the_window(watcher):
    watcher.cross(300.0)
    ages, weights = watcher.ages()
    assert len(ages) == 8 and ages[-1] == 0.0 and weights.sum() == pytest.approx(1.0, abs=1e-4)
    watcher.show(50.0)
    assert watcher.ages().shape == (2, 1)
    watcher.graph.wait(lambda: any('went back' in status.message for array in watcher.diagnostics
                                   for status in array.status if 'moments' in status.name))


def test_another_instruction_empties_the_window(watcher):
    watcher.cross(400.0)
    watcher.parsed.publish(String(data=json.dumps({'text': 'pick up the red block'})))
    watcher.graph.spin(0.3)
    watcher.show(401.6)
    assert watcher.ages().shape == (2, 1)


def test_what_cannot_be_used_is_complained_of_and_the_node_goes_on(watcher):
    watcher.parsed.publish(String(data='no JSON'))
    watcher.target.publish(Image(width=0, height=0, encoding='32FC1'))
    watcher.graph.spin(0.3)
    watcher.show(500.0)
    watcher.target.publish(write_image(np.full((15, 20), 0.5, np.float32), '32FC1',
                                       watcher.show(500.2)))
    header = watcher.show(500.4)
    assert seconds(header) == pytest.approx(500.4)


def test_images_and_attention_are_taken_only_while_somebody_takes_the_answer(graph):
    topics = ('image', 'attention/target', 'attention/destination')
    watched: list[str] = []
    graph.node.create_subscription(
        DiagnosticArray, '/diagnostics',
        lambda message: watched.extend(value.value for status in message.status for value in status.values
                                       if value.key == 'watched'), 20)

    def taken() -> list[int]:
        return [graph.node.count_subscribers(topic) for topic in topics]
    graph.start('moments_node')
    graph.wait(lambda: any(said.startswith('no') for said in watched), 60)
    assert taken() == [0, 0, 0]
    subscription = graph.node.create_subscription(Classification, 'moments/phase', lambda message: None, 1)
    graph.wait(lambda: taken() == [1, 1, 1], 20)
    graph.node.destroy_subscription(subscription)
    graph.wait(lambda: taken() == [0, 0, 0], 20)
