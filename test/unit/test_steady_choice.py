"""The same thing from image to image, where each image by itself says now this and now that."""

import numpy as np
import pytest

from vla_attention.grounding import AttentionMaps
from vla_attention.grounding.steady_choice import SteadyChoice

LEFT, RIGHT = (40.0, 100.0, 120.0, 180.0), (400.0, 100.0, 480.0, 180.0)
SECONDS = 0.5


def _maps(*boxes, presence=0.9, size=(640, 480)):
    """Return the attention to one phrase: a backend's boxes (box, score), and a map with a spot on each."""
    drawn = np.zeros((1, 30, 40), np.float32)
    for (x0, y0, x1, y1), score in boxes:
        spot = drawn[0, int(y0 / 16):int(y1 / 16) + 1, int(x0 / 16):int(x1 / 16) + 1]
        np.maximum(spot, score, out=spot)
    rows = sorted(([*box, score] for box, score in boxes), key=lambda row: -row[4])
    return AttentionMaps(('cup',), drawn, np.array([presence], np.float32), size,
                         boxes=(np.array(rows, np.float32).reshape(-1, 5),))


def _stream(images, every=0.2, constant=SECONDS):
    steady = SteadyChoice()
    return [steady.update(maps, 10 + number * every, constant) for number, maps in enumerate(images)]


def _moved(box, by):
    return (box[0] + by, box[1], box[2] + by, box[3])


def test_of_two_things_that_are_nearly_as_good_one_stays_the_best():
    images = [_maps((LEFT, 0.6), (RIGHT, 0.6 + (0.1 if number % 2 else -0.05))) for number in range(20)]
    assert len({maps.boxes[0][0, 0] for maps in images}) == 2       # by themselves they take turns
    answers = _stream(images)
    assert {maps.boxes[0][0, 0] for maps in answers[5:]} == {RIGHT[0]}
    assert answers[-1].boxes[0][0, 4] == pytest.approx(0.625, abs=0.03)
    assert [np.diff(maps.boxes[0][:, 4]).max() <= 0 for maps in answers] == [True] * 20


def test_the_map_is_brightest_on_the_thing_that_is_chosen():
    images = [_maps((LEFT, 0.9), (RIGHT, 0.5))] * 5 + [_maps((LEFT, 0.6), (RIGHT, 0.7))]
    last = _stream(images)[-1]
    assert images[-1].maps[0, 8, 27] == images[-1].maps.max()
    row, col = np.unravel_index(last.maps[0].argmax(), (30, 40))
    assert LEFT[0] <= col * 16 + 8 <= LEFT[2] and LEFT[1] <= row * 16 + 8 <= LEFT[3]
    assert last.maps.max() == pytest.approx(images[-1].maps.max())
    assert 0 < last.maps[0, 8, 27] < last.maps.max()


def test_another_thing_is_chosen_when_it_is_better_for_a_while():
    images = [_maps((LEFT, 0.9), (RIGHT, 0.3))] * 10 + [_maps((LEFT, 0.3), (RIGHT, 0.9))] * 10
    chosen = [maps.boxes[0][0, 0] for maps in _stream(images)]
    assert chosen[10] == LEFT[0]
    assert chosen[14:] == [RIGHT[0]] * 6


def test_what_is_new_does_not_win_at_once_and_what_is_seen_once_is_forgotten():
    images = [_maps((LEFT, 0.7))] * 10 + [_maps((LEFT, 0.7), (RIGHT, 0.8))] + [_maps((LEFT, 0.7))] * 20
    answers = _stream(images)
    assert answers[10].boxes[0][0, 0] == LEFT[0]
    assert answers[10].boxes[0][1, 4] == pytest.approx(0.8 * (1 - np.exp(-0.2 / SECONDS)), abs=0.02)
    assert answers[-1].boxes[0].shape == (1, 5)
    assert answers[-1].boxes[0][0, 4] == pytest.approx(0.7, abs=0.01)


def test_a_thing_that_moves_is_the_same_thing():
    images = [_maps((_moved(LEFT, 12 * number), 0.6), (RIGHT, 0.55 if number % 2 else 0.64))
              for number in range(16)]
    answers = _stream(images)
    assert answers[-1].boxes[0][0, 4] == pytest.approx(0.6, abs=0.02)
    assert answers[-1].boxes[0][0, 0] in (LEFT[0] + 180, RIGHT[0])
    moved = [maps.boxes[0][maps.boxes[0][:, 0] != RIGHT[0]][0, 4] for maps in answers]
    assert moved == pytest.approx([0.6] * 16, abs=0.01)


def test_another_view_begins_anew():
    answer = _stream([_maps((LEFT, 0.9))] * 10 + [_maps((RIGHT, 0.4), presence=0.4)])[-1]
    assert answer.boxes[0] == pytest.approx(np.array([[*RIGHT, 0.4]]), abs=1e-6)
    assert answer.presence[0] == pytest.approx(0.4)


@pytest.mark.parametrize(('time', 'size', 'constant', 'anew'), [
    (10.2, (640, 480), SECONDS, False),
    (9.8, (640, 480), SECONDS, False),          # out of order by a little
    (9.0, (640, 480), SECONDS, True),           # a bag that began again
    (13.0, (640, 480), SECONDS, True),
    (10.2, (320, 240), SECONDS, True),
    (10.2, (640, 480), 0.0, True),
])
def test_when_all_is_begun_anew(time, size, constant, anew):
    steady = SteadyChoice()
    steady.update(_maps((LEFT, 0.9), presence=0.9), 10.0, SECONDS)
    answer = steady.update(_maps((LEFT, 0.3), presence=0.3, size=size), time, constant)
    assert (answer.boxes[0][0, 4] == pytest.approx(0.3)) == anew
    assert (answer.presence[0] == pytest.approx(0.3)) == anew


def test_presence_does_not_flicker_where_a_backend_has_no_boxes():
    images = [AttentionMaps(('cup',), np.zeros((1, 30, 40), np.float32),
                            np.array([0.62 if number % 2 else 0.45], np.float32), (640, 480))
              for number in range(20)]
    seen = [float(maps.presence[0]) >= 0.5 for maps in _stream(images)]
    assert seen[2:] == [True] * 18
