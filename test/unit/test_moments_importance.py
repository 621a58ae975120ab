"""How important a moment is, and the events that make it so."""

from __future__ import annotations

import numpy as np
import pytest

from vla_attention.moments import PHASES
from vla_attention.moments.importance import EventDetector, after_event, importance


def certain(phase):
    probabilities = np.zeros(len(PHASES))
    probabilities[PHASES.index(phase)] = 1.0
    return probabilities


def test_importance_keeps_the_order_of_the_guide_and_peaks_at_events():
    for nearness in (0.0, 0.5, 1.0):
        ranked = [importance(certain(phase), nearness)
                  for phase in ('grasp', 'place', 'approach', 'move', 'retreat', 'idle')]
        assert ranked == sorted(ranked, reverse=True)
    assert importance(certain('grasp'), 1.0) == pytest.approx(0.95)
    assert importance(certain('place'), 1.0) == pytest.approx(0.9)
    assert importance(certain('approach'), 0.0) < 0.5 < importance(certain('grasp'), 0.0)


def test_an_event_matters_at_once_and_fades():
    assert after_event('grasp', 0.0) == 0.95 and after_event('release', 0.0) == 0.9
    fading = [after_event('drop', seconds) for seconds in (0.0, 0.2, 0.4, 1.5)]
    assert fading == sorted(fading, reverse=True) and fading[-1] < 0.05


@pytest.mark.parametrize('phases, events', [
    (['idle', 'approach', 'grasp', 'move', 'place', 'retreat'], ['grasp', 'release']),
    (['approach', 'grasp', 'move', 'retreat'], ['grasp', 'drop']),
    (['approach', 'grasp', 'retreat'], []),
    (['move', 'place', 'retreat'], ['release']),
    (['place', 'retreat'], ['release']),
    (['grasp', 'place', 'retreat'], ['grasp', 'release']),
])
def test_events_follow_from_holding(phases, events):
    detector = EventDetector()
    assert [event for phase in phases for event in detector.step(certain(phase))] == events


def test_an_event_needs_more_than_a_doubt():
    detector = EventDetector()
    detector.step(certain('grasp'))
    doubt = 0.5 * certain('grasp') + 0.5 * certain('move')
    assert [detector.step(doubt) for _ in range(3)] == [(), (), ()]
