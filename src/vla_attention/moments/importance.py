"""From phases to importance and events, by rule."""

from __future__ import annotations

import math

import numpy as np

from vla_attention.moments.moment import PHASES

# how much a phase matters at its height
PHASE_WEIGHTS = {'idle': 0.05, 'approach': 0.7, 'grasp': 0.95, 'move': 0.6, 'place': 0.9, 'retreat': 0.2}
AWAY = 0.55     # share of a phase's weight that is left far from any grasp or release
# how much an event matters, and in how many seconds that fades to a third
EVENT_WEIGHTS = {'grasp': 0.95, 'release': 0.9, 'drop': 0.9}
FADING = 0.35
HOLDING = tuple(PHASES.index(phase) for phase in ('move', 'place'))
TAKE, LET_GO = 0.5, 0.4     # probability of holding: above the first it holds, below the second no longer


def importance(probabilities: np.ndarray, nearness: float) -> float:
    """Return how much a moment matters, 0..1.

    The expected weight of the phase, times a factor that grows from 0.55 far from any grasp or release
    to 1 at one, so that the curve has its peaks where something is taken or let go.

    :param probabilities: (6,) over the phases.
    :param nearness: 0..1, 1 at a grasp or a release.
    """
    weights = np.array([PHASE_WEIGHTS[phase] for phase in PHASES])
    return float(np.clip(weights @ probabilities * (AWAY + (1 - AWAY) * nearness), 0.0, 1.0))


def after_event(name: str, seconds: float) -> float:
    """Return how much the moment so many seconds after an event matters: 0.95 or 0.9, fading at once."""
    return EVENT_WEIGHTS[name] * math.exp(-max(seconds, 0.0) / FADING)


class EventDetector:
    """Tells when something is taken and let go, from the probability of holding (move or place).

    Rising above 0.5: 'grasp'. Falling below 0.4: 'release' where the last thing done was to place, else
    'drop'.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget; the first tick tells whether something is held, without an event."""
        self._holding: bool | None = None
        self._placed = 0.0

    def step(self, probabilities: np.ndarray) -> tuple[str, ...]:
        """Return the events of this tick."""
        move, place = (float(probabilities[index]) for index in HOLDING)
        held = move + place
        before = self._holding
        if before and held < LET_GO:
            self._holding = False
            return ('release',) if self._placed > 0.5 else ('drop',)
        if not before:
            self._holding = held > TAKE
        if self._holding:
            self._placed = place / held
        return ('grasp',) if self._holding and before is False else ()
