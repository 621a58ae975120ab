"""The filmstrip shows the episode that it is given."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from vla_attention.frames import FrameError, open_frames
from vla_attention.moments.moment import PHASES, Moment
from vla_attention.view import filmstrip
from vla_attention.view.filmstrip import PHASE_COLOURS, draw_episode, draw_filmstrip, key_frames
from vla_attention.view.text import line_height, text_size

EVENTS = ('grasp', 'release', 'drop')


def episode(phases, events=None):
    frames = []
    for number, phase in enumerate(phases):
        moment = Moment(time=10 + number * 0.2, phase=phase, probabilities=dict.fromkeys(PHASES, 1 / 6),
                        importance=0.9 if phase == 'grasp' else 0.3, focus_area=(20.0, 20.0, 90.0, 70.0),
                        events=(events or {}).get(number, ()))
        frames.append((np.full((90, 120, 3), 120, np.uint8), moment))
    return frames


WORK = ['idle'] * 4 + ['approach'] * 8 + ['grasp'] * 5 + ['move'] * 12 + ['place'] * 5 + ['retreat'] * 6


def test_every_phase_has_its_colour_in_the_picture():
    picture = draw_filmstrip(episode(WORK, {16: ('grasp',), 33: ('release',)}))
    assert picture.dtype == np.uint8 and picture.shape[1:] == (2100, 3)
    for colour in PHASE_COLOURS.values():
        assert (picture == colour).all(axis=2).sum() > 1000


def test_events_and_each_phase_are_among_the_key_frames():
    moments = [moment for _, moment in episode(WORK, {16: ('grasp',), 33: ('release',)})]
    chosen = key_frames(moments, 7)
    assert len(chosen) == 7 and chosen == sorted(chosen)
    assert {16, 33} <= set(chosen)
    assert {'idle', 'grasp', 'move', 'place', 'retreat'} <= {moments[index].phase for index in chosen}


@pytest.mark.parametrize('phases', [['idle'], ['idle', 'grasp'], ['move'] * 300])
def test_short_and_dull_episodes_are_drawn_too(phases):
    assert draw_filmstrip(episode(phases)).shape[1] == 2100


def test_the_images_of_key_frames_are_enough():
    frames = [(np.full((90, 120, 3), number, np.uint8), moment)
              for number, (_, moment) in enumerate(episode(WORK))]
    moments = [moment for _, moment in frames]
    images = {index: frames[index][0] for index in key_frames(moments, 7)}
    assert np.array_equal(draw_episode(moments, images), draw_filmstrip(frames))


@pytest.fixture(params=['clip.avi', 'folder'])
def source(request, tmp_path):
    """Ten frames, each brighter than the one before."""
    path = tmp_path / request.param
    pictures = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(10)]
    if path.suffix:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 8.0, (64, 48))
        for picture in pictures:
            writer.write(picture)
        writer.release()
    else:
        path.mkdir()
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(path / f'{number}.png'), picture)
    return path


def test_some_frames_are_read_again(source):
    every = [image for _, image in open_frames(source)]
    some = open_frames(source).images([0, 3, 9])
    assert sorted(some) == [0, 3, 9]
    assert all(np.array_equal(image, every[number]) for number, image in some.items())


def test_a_video_that_became_shorter_is_an_error(tmp_path):
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 8.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    with pytest.raises(FrameError, match=r'clip\.avi gave fewer frames'):
        open_frames(path).images([0, 5])


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match='empty'):
        draw_filmstrip([])


@pytest.fixture
def texts_of(monkeypatch):
    """Draw an episode, and return what is written: (text, x0, y0, x1, y1, colour)."""
    def draw(frames, **keywords):
        written = []

        def record(canvas, text, position, size, colour):
            x, y = position
            width, height = text_size(text, size)
            written.append((text, x, y, x + width, y + height, colour))

        monkeypatch.setattr(filmstrip, 'draw_text', record)
        draw_filmstrip(frames, **keywords)
        return written
    return draw


def event_labels(texts):
    return [each for each in texts if each[5] in filmstrip.EVENT_COLOURS.values()]


def phase_names(texts):
    """Return what stands on the bar of phases."""
    height = line_height(filmstrip.NORMAL)
    return [each for each in texts if each[0] in PHASES and each[4] - each[2] == height]


def test_names_of_events_stand_side_by_side_or_in_a_second_row(texts_of):
    crowd = dict.fromkeys(range(40, 60), ('grasp',)) | {119: ('release',)}
    texts = texts_of(episode(WORK * 3, crowd))
    labels = event_labels(texts)
    assert len({label[2] for label in labels}) == 2, 'two rows'
    assert 4 <= len(labels) < len(crowd), 'what has no room is left out'
    for number, first in enumerate(labels):
        assert first[0] in EVENTS and first[1] >= 0 and first[3] <= 2100
        for second in labels[:number]:
            assert first[2] != second[2] or first[1] >= second[3] or second[1] >= first[3]
    assert min(label[2] for label in labels) > max(name[4] for name in phase_names(texts)), 'below the bar'


def test_few_events_take_no_second_row_and_those_of_one_frame_are_one_text(texts_of):
    none, few = (draw_filmstrip(episode(WORK, events)) for events in ({}, {16: ('grasp',), 33: ('release',)}))
    assert none.shape == few.shape
    labels = event_labels(texts_of(episode(WORK, {16: ('grasp', 'drop'), 33: ('release',)})))
    assert [label[0] for label in labels] == ['grasp+drop', 'release']


@pytest.mark.parametrize('span', [0.1, 0.13, 0.24, 0.5, 0.99, 1, 1.2, 3, 7, 13, 59, 61, 200, 599, 1000, 3000,
                                  3600, 7000, 20000, 43200, 86400, 100000, 172800, 3e6])
@pytest.mark.parametrize('begin', [0.0, 1.7e9])
def test_any_span_has_two_to_thirteen_marks_of_time(texts_of, span, begin):
    image = np.zeros((9, 12, 3), np.uint8)
    texts = texts_of([(image, Moment(begin + time, 'idle', {}, 0.5)) for time in (0.0, span)])
    (title,) = (each for each in texts if each[0].startswith('time in '))
    unit = title[0].removeprefix('time in ')
    marks = [each for each in texts if each[5] == filmstrip.INK and each[0].replace('.', '').isdigit()]
    assert 2 <= len(marks) <= 13
    assert all(first[3] < second[1] for first, second in itertools.pairwise(marks))
    values = [float(each[0]) for each in marks]
    seconds = {'s': 1, 'min': 60, 'h': 3600}[unit]
    assert len(set(values)) == len(values) and span / 2 < values[-1] * seconds <= span * 1.001
    step = values[1]
    allowed = {'s': (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30), 'min': (1, 2, 5, 10, 15, 30),
               'h': (1, 2, 6, 12, 24, 3 * 24)}
    assert step in allowed[unit]
    captions = [each[0].split()[0] for each in texts if each[0].endswith(f' {unit}  idle')]
    decimals = len(marks[1][0].partition('.')[2])
    assert len(captions) == 2 and all(len(each.partition('.')[2]) == decimals + 1 for each in captions)


def test_the_number_of_key_frames_is_kept():
    moments = [moment for _, moment in episode(WORK, {33: ('release',)})]
    for count in (1, 2, 3, 39, 40, 41):
        assert len(key_frames(moments, count)) == min(count, len(moments))
    assert key_frames(moments, 1) == [33]
    assert key_frames([moment for _, moment in episode(WORK)], 1)[0] in range(12, 17), 'the grasp'
    for count in (0, -3):
        with pytest.raises(ValueError, match=f'count must be 1 or more, got {count}'):
            key_frames(moments, count)


@pytest.mark.parametrize('count', [0, -1, 133])
def test_a_number_of_frames_that_has_no_room_is_an_error(count):
    with pytest.raises(ValueError, match=f'count must be 1 to 132, got {count}'):
        draw_filmstrip(episode(WORK), count)


@pytest.mark.parametrize('count', [1, 2, 132])
def test_any_number_of_frames_is_drawn_from_their_images_alone(count):
    frames = episode(WORK, {33: ('release',)})
    moments = [moment for _, moment in frames]
    images = {index: frames[index][0] for index in key_frames(moments, count)}
    assert draw_episode(moments, images, count).shape[1] == 2100


@pytest.mark.parametrize('size', [(32, 20000), (20000, 32), (1, 1)])
def test_images_of_any_shape_are_drawn(size):
    frames = [(np.full((*size, 3), 120, np.uint8), moment) for _, moment in episode(WORK[:3])]
    assert draw_filmstrip(frames).shape[0] < 1200


def luminance(colour):
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
              for part in np.array(colour) / 255]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722))) + 0.05


def test_the_names_of_phases_can_be_read_on_their_colours(texts_of):
    for phase, ground in PHASE_COLOURS.items():
        (name,) = phase_names(texts_of(episode([phase] * 20)))
        low, high = sorted((luminance(name[5]), luminance(ground)))
        assert high / low >= 3


@pytest.mark.parametrize('times', [(5.0,), (5.0, 5.0)])
def test_an_episode_of_one_moment_fills_the_bar_of_phases(times):
    image = np.full((90, 120, 3), 120, np.uint8)
    picture = draw_filmstrip([(image, Moment(time, 'approach', {}, 0.5)) for time in times])
    bars = (picture == PHASE_COLOURS['approach']).all(2).sum(1)
    assert (bars > 1900).sum() > 20
