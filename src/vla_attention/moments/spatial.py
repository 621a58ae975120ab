"""The spatial attention of the stage as one piece: tokens in, observations out."""

from __future__ import annotations

from pathlib import Path

import torch

from vla_attention.moments.action import ActionFilter, ActionFinder, look
from vla_attention.moments.cues import Token
from vla_attention.moments.trajectory import Observation, Trajectory
from vla_attention.moments.weights import load_into


class SpatialAttention:
    """Finds the tip of what works, follows it, and tells of its way."""

    def __init__(self, weights: Path | None = None) -> None:
        """Load the weights (safetensors); those in the package when None.

        :raises FileNotFoundError: there is no such file.
        :raises ValueError: the file is of another model.
        """
        self._finder = ActionFinder()
        load_into(self._finder, weights, 'finder')
        self._finder.eval()
        self._filter, self._trajectory = ActionFilter(), Trajectory()

    def reset(self) -> None:
        """Forget where the action was."""
        self._filter.reset()
        self._trajectory.reset()

    def step(self, token: Token) -> Observation:
        """Take the next token."""
        logits, features = look(self._finder, torch.from_numpy(token.maps)[None])
        return self._trajectory.read(token, self._filter.step(logits[0], features[0]))
