"""What is remembered of the images before, and what is looked at again."""

import numpy as np
import pytest

from vla_attention.grounding.embedded import EmbeddedBackend
from vla_attention.grounding.look_memory import KEPT, LookMemory

BOXES = np.array([[50, 50, 150, 150], [300, 60, 360, 140], [200, 300, 420, 460]], np.float32)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8).repeat(10, 0).repeat(10, 1)


def _seen(memory, boxes, image):
    """Go through one image; return which boxes were looked at."""
    memory.begin()
    new = [number for number, known in enumerate(memory.recall(boxes, image)) if known is None]
    if new:
        memory.keep(boxes[new], [np.array([float(number)]) for number in new], image)
    return new


def test_a_still_scene_is_looked_at_once(image):
    memory = LookMemory(0)
    assert _seen(memory, BOXES, image) == [0, 1, 2]
    assert _seen(memory, BOXES, image) == []
    memory.begin()
    assert [float(known[0]) for known in memory.recall(BOXES[::-1], image)] == [2, 1, 0]


def test_what_is_known_is_looked_at_again_in_turn(image):
    memory = LookMemory(1)
    _seen(memory, BOXES, image)
    turns = [_seen(memory, BOXES, image) for _ in range(6)]
    assert all(len(turn) == 1 for turn in turns)
    looked = [turn[0] for turn in turns]
    assert sorted(looked[:3]) == sorted(looked[3:]) == [0, 1, 2]


def test_a_thing_that_moves_slowly_is_followed(image):
    memory = LookMemory(0)
    _seen(memory, BOXES[:1], image)
    for step in range(1, 12):
        moved = BOXES[:1] + np.array([5 * step, 0, 5 * step, 0], np.float32)
        assert _seen(memory, moved, np.roll(image, 5 * step, 1)) == []


def test_what_has_changed_or_is_new_is_looked_at_at_once(image):
    memory = LookMemory(0)
    _seen(memory, BOXES, image)
    changed = image.copy()
    changed[60:140, 300:360] = 255 - changed[60:140, 300:360]
    assert _seen(memory, BOXES, changed) == [1]
    assert _seen(memory, np.array([[500, 10, 600, 90]], np.float32), changed) == [0]
    assert _seen(memory, BOXES, np.zeros_like(image)) == [0, 1, 2]      # another camera, a cover, a jump


def test_what_is_not_asked_for_is_forgotten(image):
    memory = LookMemory(0)
    _seen(memory, BOXES, image)
    for _ in range(KEPT + 1):
        _seen(memory, BOXES[:1], image)
    assert _seen(memory, BOXES, image) == [1, 2]


def test_boxes_at_and_beyond_the_border_are_remembered(image):
    memory = LookMemory(0)
    odd = np.array([[-20, -20, 5, 4], [630, 470, 660, 500], [700, 500, 720, 520]], np.float32)
    assert _seen(memory, odd, image) == [0, 1, 2]
    assert _seen(memory, odd, image) == []


def test_a_stream_answers_as_single_images_do_with_fewer_looks():
    skimage_data = pytest.importorskip('skimage.data')
    coffee = skimage_data.coffee()
    stream, single = EmbeddedBackend(engine='torch', relooks=0), EmbeddedBackend(engine='torch')
    encoded = stream.encode(['the cup'])
    first, alone = stream.attend(coffee, encoded), single.attend(coffee, single.encode(['the cup']))
    assert np.array_equal(first.boxes[0], alone.boxes[0])
    seen = []
    engine = stream._near
    stream._near = type('Counting', (), {'name': 'torch', '__call__': lambda _, crops: seen.append(crops)
                                         or engine(crops)})()
    again = stream.attend(coffee, encoded)
    assert not seen
    assert np.array_equal(again.boxes[0], first.boxes[0])
    stream.attend(coffee[::-1].copy(), encoded)
    assert seen
    assert single.encode(['the cup']).memory is None
