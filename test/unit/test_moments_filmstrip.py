"""The filmstrip shows the episode that it is given."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vla_attention.frames import FrameError, open_frames
from vla_attention.moments.moment import PHASES, Moment
from vla_attention.view.filmstrip import PHASE_COLOURS, draw_episode, draw_filmstrip, key_frames


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
