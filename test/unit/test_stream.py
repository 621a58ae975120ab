"""Which images of a stream are looked at, and what is said of the others."""

import json
import threading
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

from vla_attention.focus import FocusRegion
from vla_attention.grounding import AttentionMaps
from vla_attention.language import Instruction, Step
from vla_attention.pipeline import Look, Query
from vla_attention.stream import StreamAttention

IMAGE = cv2.resize(np.random.default_rng(0).integers(0, 255, (15, 20, 3), np.uint8), (640, 480))
OTHER = cv2.resize(np.random.default_rng(1).integers(0, 255, (15, 20, 3), np.uint8), (640, 480))
QUERY = Query(Instruction('the cup'), ('target',), ('the cup',), None)


class _Eyes:
    """Looks: finds the same place in every image, and counts."""

    def __init__(self):
        self.images = []
        self.wait = None
        self.found = True

    def __call__(self, image, stamp):
        self.images.append(image)
        if self.wait is not None:
            assert self.wait.wait(10)
        mask = np.zeros(image.shape[:2], np.uint8)
        mask[200:280, 300:400] = 255
        region = FocusRegion('target', 'the cup', 0.9, (300.0, 200.0, 400.0, 280.0), (350.0, 240.0), mask)
        grid = np.zeros((1, 30, 40), np.float32)
        grid[0, 15, 21] = 1
        maps = AttentionMaps(('the cup',), grid, np.ones(1, np.float32), (640, 480))
        return Look(QUERY, maps, (region,) if self.found else ())


@pytest.fixture
def eyes():
    return _Eyes()


def test_images_between_two_looks_are_followed(eyes):
    stream = StreamAttention(eyes, every=lambda: 0.2)
    first = stream.see(IMAGE, 10.0)
    assert not first.followed
    assert not stream.due(10.1)
    moved = stream.see(np.roll(IMAGE, 32, 1), 10.1)
    assert moved.followed
    assert len(eyes.images) == 1
    assert moved.look.regions[0].box == pytest.approx((332, 200, 432, 280), abs=0.5)
    assert np.unravel_index(moved.look.maps.maps[0].argmax(), (30, 40)) == (15, 23)
    assert first.look.maps.maps[0, 15, 21] == 1
    assert stream.due(10.25)
    stream.look_ahead(IMAGE, 10.25)
    assert len(eyes.images) == 2
    assert not stream.due(10.3)


def test_every_image_is_looked_at_where_that_is_asked(eyes):
    stream = StreamAttention(eyes, every=lambda: 0.0)
    assert [stream.see(IMAGE, time / 10).followed for time in range(3)] == [False] * 3
    assert len(eyes.images) == 3
    assert not stream.due(5.0)
    stream = StreamAttention(eyes, every=lambda: 1.0)
    assert [stream.see(IMAGE, time / 10, look=True).followed for time in range(3)] == [False] * 3
    assert len(eyes.images) == 6


@pytest.mark.parametrize('change', ['picture', 'late', 'before', 'forget', 'instruction'])
def test_what_cannot_be_followed_is_looked_at(eyes, change):
    holds = [True]
    stream = StreamAttention(eyes, every=lambda: 0.2, holds=lambda look: holds[0])
    stream.see(IMAGE, 10.0)
    if change == 'forget':
        stream.forget()
    holds[0] = change != 'instruction'
    time = {'late': 20.0, 'before': 9.9}.get(change, 10.1)
    seen = stream.see(OTHER if change == 'picture' else IMAGE, time)
    assert not seen.followed
    assert len(eyes.images) == 2


def test_nothing_in_view_is_said_until_the_next_look(eyes):
    eyes.found = False
    stream = StreamAttention(eyes, every=lambda: 0.2)
    stream.see(IMAGE, 10.0)
    look, followed = stream.see(np.roll(IMAGE, 8, 1), 10.1)
    assert (look.regions, followed) == ((), True)
    assert len(eyes.images) == 1


def test_a_black_frame_in_which_nothing_is_seen_does_not_answer_the_next_one(eyes):
    stream = StreamAttention(eyes, every=lambda: 0.2)
    stream.see(IMAGE, 10.0)
    eyes.found = False
    assert stream.see(np.zeros_like(IMAGE), 10.03).look.regions == ()
    eyes.found = True
    assert len(stream.see(IMAGE, 10.07).look.regions) == 1
    assert stream.see(IMAGE, 10.1).followed


def test_an_instruction_that_is_said_again_leaves_what_was_seen():
    node_module = pytest.importorskip('vla_attention.ros.attention_node')
    node = node_module.AttentionNode.__new__(node_module.AttentionNode)     # its state, without ROS
    node._instruction, node.health, told = Instruction(''), Mock(), []
    node._work_with = told.append
    for text in ('pick up the cup', 'pick up the cup', 'pick up the bowl'):
        parse = Instruction(text, 'en', steps=(Step(action='pick up', target=text[8:]),)).to_dict()
        node._take_instruction(Mock(data=json.dumps(parse)))
        told.append(node._instruction)
    assert told[1] is told[3] and told[5].text == 'pick up the bowl'


def test_a_look_beside_does_not_hold_up_what_is_followed_and_serves_what_waits(eyes):
    stream = StreamAttention(eyes, every=lambda: 0.2)
    stream.see(IMAGE, 10.0)
    eyes.wait = threading.Event()
    beside = threading.Thread(target=stream.look_ahead, args=(OTHER, 10.2))
    beside.start()
    while len(eyes.images) < 2:
        beside.join(0.01)
    assert not stream.due(10.23)            # one look at a time
    assert stream.see(IMAGE, 10.23).followed
    answers = []
    waits = threading.Thread(target=lambda: answers.append(stream.see(OTHER, 10.26)))   # lost: waits for it
    waits.start()
    waits.join(0.1)
    assert waits.is_alive()
    eyes.wait.set()
    waits.join(10)
    beside.join(10)
    assert answers[0].followed              # from what was seen beside, without a look of its own
    assert len(eyes.images) == 2


def test_a_look_that_was_under_way_when_all_was_forgotten_is_not_followed(eyes):
    stream = StreamAttention(eyes, every=lambda: 0.2)
    eyes.wait = threading.Event()
    beside = threading.Thread(target=stream.look_ahead, args=(IMAGE, 10.0))
    beside.start()
    while not eyes.images:
        beside.join(0.01)
    stream.forget()
    eyes.wait.set()
    beside.join(10)
    assert not stream.see(IMAGE, 10.1).followed


def test_an_error_of_a_look_comes_through_and_the_next_image_is_answered(eyes):
    def fails_once(image, stamp):
        if not eyes.images:
            eyes.images.append(image)
            raise RuntimeError('no memory')
        return eyes(image, stamp)
    stream = StreamAttention(fails_once, every=lambda: 0.2)
    with pytest.raises(RuntimeError, match='no memory'):
        stream.see(IMAGE, 10.0)
    assert not stream.see(IMAGE, 10.1).followed
