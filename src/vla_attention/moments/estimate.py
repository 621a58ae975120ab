"""What an estimator of phases says at one tick, and a plain one that needs no training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vla_attention.moments.moment import PHASES
from vla_attention.moments.trajectory import SCALARS, Observation

GOING_SPEED = 0.035     # diagonals per second: faster, the tip goes somewhere


@dataclass(frozen=True)
class Estimate:
    """Belief at one tick.

    ``probabilities`` (6,) over :data:`PHASES`, sum 1; ``nearness`` 0..1, 1 at a grasp or a release;
    ``attention`` (N,) weights of the ticks of the window, oldest first, sum 1 (empty: it has none).
    """

    probabilities: np.ndarray
    nearness: float
    attention: np.ndarray


class PhaseEstimator(Protocol):
    """Observations in, beliefs out, one tick after the other."""

    def reset(self) -> None:
        """Forget everything."""

    def step(self, observation: Observation) -> Estimate:
        """Take the next observation."""


class RuleEstimator:
    """The baseline: a state machine over how fast the tip moves.

    Something starts to move: approach. It stops: grasp. It moves on: move. It goes down or stops: place.
    It moves on: retreat. Nothing moves any more: idle. No training, no attention.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start in idle."""
        self._phase = 'idle'
        self._time_in_phase = self._going = self._still = self._sinking = 0.0

    def step(self, observation: Observation) -> Estimate:
        """Move on by at most one phase."""
        values = dict(zip(SCALARS, observation.vector[:len(SCALARS)].tolist(), strict=True))
        dt = values['dt']
        going = math.sinh(2 * values['smooth']) / 20 > GOING_SPEED
        sinking = math.sinh(2 * values['smooth_y']) / 20 > GOING_SPEED
        self._going = self._going + dt if going else 0.0
        self._still = self._still + dt if not going else 0.0
        self._sinking = self._sinking + dt if going and sinking else 0.0
        self._time_in_phase += dt
        held = self._time_in_phase
        following = {
            'idle': 'approach' if self._going >= 0.3 else None,
            'approach': 'grasp' if self._still >= 0.4 and held >= 0.6 else None,
            'grasp': 'move' if self._going >= 0.4 and held >= 0.4 else None,
            'move': 'place' if held >= 0.8 and (self._sinking >= 0.4 or self._still >= 0.6) else None,
            'place': 'retreat' if held >= 0.6 and self._going >= 0.4 and self._sinking == 0 else None,
            'retreat': 'idle' if self._still >= 0.6 else None,
        }[self._phase]
        changed = following is not None
        if following is not None:
            self._phase, self._time_in_phase = following, 0.0
        probabilities = np.full(len(PHASES), 0.02, np.float32)
        probabilities[PHASES.index(self._phase)] = 0.9
        near = changed and self._phase in ('move', 'retreat')
        return Estimate(probabilities, 1.0 if near else 0.0, np.zeros(0, np.float32))
