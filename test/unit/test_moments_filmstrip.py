"""The filmstrip shows the episode that it is given."""

from __future__ import annotations

import numpy as np
import pytest

from vla_attention.moments.moment import PHASES, Moment
from vla_attention.view.filmstrip import PHASE_COLOURS, draw_filmstrip, key_frames


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


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match='empty'):
        draw_filmstrip([])
