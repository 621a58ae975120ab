"""Causal attention over time, and the filter of beliefs that it drives.

Each tick's observation attends to those of the last seconds (two layers of
:class:`vla_attention.attention.MultiHeadAttention`, with a learned bias by how long ago). What comes out
is not the phase but how likely each phase turns into each other at this tick; the belief is carried on
with these transitions, as the forward pass of an input-output hidden Markov model (Bengio and Frasconi,
"An Input Output HMM Architecture", 1995). So a cup that is held still for a minute stays held, although
the window of attention has long forgotten how it was taken.
"""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vla_attention.attention import MultiHeadAttention
from vla_attention.moments.estimate import Estimate
from vla_attention.moments.moment import PHASES
from vla_attention.moments.trajectory import SIZE, Observation
from vla_attention.moments.weights import load_into

HIDDEN, HEADS, LAYERS = 64, 4, 2
WINDOW = 32                         # ticks: six seconds or so
LAGS = (0.0, 0.2, 0.4, 0.8, 1.4, 2.2, 3.4, 5.0, 7.0)   # seconds: knots of the bias by age
# which phase may follow which; anything may be seen first
FOLLOWING = {'idle': ('idle', 'approach', 'grasp'), 'approach': ('approach', 'grasp', 'idle', 'retreat'),
             'grasp': ('grasp', 'move', 'retreat'), 'move': ('move', 'place', 'retreat'),
             'place': ('place', 'retreat', 'move'), 'retreat': ('retreat', 'approach', 'idle', 'grasp')}
# of the grasps in the episodes of the training: missed, or the thing dropped
TRAINED_FAILURE_RATE = 0.13
FAILURE_RATE = 0.03                 # of an arm at work, unless somebody knows better
FAILING = ('approach', 'grasp', 'move')     # phases out of which a failed arm goes off: straight to retreat


class Encoder(nn.Module):
    """Maps observations (..., SIZE) to (..., HIDDEN), each number first to mean 0 and deviation 1."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('mean', torch.zeros(SIZE))
        self.register_buffer('deviation', torch.ones(SIZE))
        self.mix = nn.Sequential(nn.Linear(SIZE, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN),
                                 nn.LayerNorm(HIDDEN))

    def forward(self, vectors: Tensor) -> Tensor:
        """Encode."""
        return self.mix(((vectors - self.mean) / self.deviation).clamp(-5, 5))


class TemporalLayer(nn.Module):
    """One layer of attention over the past, with a bias a head learns by age."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(HIDDEN, HEADS)
        self.age_bias = nn.Parameter(torch.zeros(HEADS, len(LAGS)))
        self.before, self.between = nn.LayerNorm(HIDDEN), nn.LayerNorm(HIDDEN)
        self.feed = nn.Sequential(nn.Linear(HIDDEN, 2 * HIDDEN), nn.GELU(), nn.Dropout(dropout),
                                  nn.Linear(2 * HIDDEN, HIDDEN))
        self.dropout = nn.Dropout(dropout)

    def forward(self, query: Tensor, past: Tensor, shares: Tensor, allowed: Tensor,
                need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """Attend from ``query`` (B, Tq, HIDDEN) to ``past`` (B, Tk, HIDDEN).

        :param shares: (B, Tq, Tk, knots) of the ages from key to query, see :func:`_knot_shares`.
        :param allowed: (B, Tq, Tk) bool.
        :returns: (B, Tq, HIDDEN), and weights (B, HEADS, Tq, Tk) or None.
        """
        bias = (shares @ self.age_bias.T).permute(0, 3, 1, 2)
        mask = bias.masked_fill(~allowed[:, None], float('-inf'))
        attended, weights = self.attention(self.before(query), self.before(past), mask=mask,
                                           need_weights=need_weights)
        query = query + self.dropout(attended)
        return query + self.dropout(self.feed(self.between(query))), weights


class PhaseModel(nn.Module):
    """Tokens of a sequence to transitions between phases and nearness to a grasp or a release."""

    def __init__(self, dropout: float = 0.25) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(TemporalLayer(dropout) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(HIDDEN)
        # the last row is the transition from "nothing seen yet"
        self.transitions = nn.Linear(HIDDEN, (len(PHASES) + 1) * len(PHASES))
        stay = torch.zeros(len(PHASES) + 1, len(PHASES))
        stay[:len(PHASES)] += 3.0 * torch.eye(len(PHASES))
        with torch.no_grad():
            self.transitions.weight.mul_(0.3)
            self.transitions.bias.copy_(stay.flatten())
        self.nearness = nn.Linear(HIDDEN, 1)
        forbidden = [[after not in FOLLOWING[before] for after in PHASES] for before in PHASES]
        self.register_buffer('forbidden', torch.tensor([*forbidden, [False] * len(PHASES)]), persistent=False)

    @torch.no_grad()
    def expect_failures(self, rate: float) -> None:
        """Shift the odds of going off without having placed from those of training to this share, 0..1."""
        rarer = _log_odds(rate) - _log_odds(TRAINED_FAILURE_RATE)
        bias = self.transitions.bias.unflatten(0, (len(PHASES) + 1, len(PHASES)))
        bias[[PHASES.index(phase) for phase in FAILING], PHASES.index('retreat')] += rarer

    def heads(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return transitions (..., 7, 6) from the row's phase to the column's, and logits of nearness."""
        hidden = self.norm(hidden)
        logits = self.transitions(hidden).unflatten(-1, (len(PHASES) + 1, len(PHASES)))
        transitions = logits.masked_fill(self.forbidden, float('-inf')).softmax(dim=-1)
        return transitions, self.nearness(hidden).squeeze(-1)

    def forward(self, vectors: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        """Run whole sequences, each tick seeing itself and the WINDOW - 1 before.

        :param vectors: (B, T, SIZE) observations; :param times: (B, T) seconds.
        :returns: beliefs (B, T, 6), and logits of nearness (B, T).
        """
        batch, length = times.shape
        hidden = self.dropout(self.encoder(vectors))
        shares = _knot_shares(times[:, :, None] - times[:, None, :])
        steps = torch.arange(length, device=times.device)
        back = steps[:, None] - steps[None, :]
        allowed = ((back >= 0) & (back < WINDOW)).expand(batch, -1, -1)
        for layer in self.layers:
            hidden, _ = layer(hidden, hidden, shares, allowed)
        transitions, nearness = self.heads(hidden)
        belief = transitions[:, 0, -1:]
        beliefs = [belief]
        for step in transitions[:, 1:, :-1].unbind(dim=1):
            belief = belief @ step
            beliefs.append(belief)
        return torch.cat(beliefs, dim=1), nearness


class AttentionEstimator:
    """The trained estimator, a tick at a time; gives what its ``model`` gives for whole sequences."""

    def __init__(self, weights: Path | None = None, failure_rate: float = FAILURE_RATE) -> None:
        """Load the weights (safetensors); those in the package when None.

        :param failure_rate: share of the grasps, 0..1, that are expected to miss, or to drop the thing. The
            odds of going off without having placed are divided by how much commoner that was in training
            (Saerens et al., "Adjusting the outputs of a classifier to new a priori probabilities", 2002).
        :raises FileNotFoundError: there is no such file.
        :raises ValueError: the file is of another model, or ``failure_rate`` is no share above 0 and below 1.
        """
        if not 0 < failure_rate < 1:
            raise ValueError(f'failure_rate must lie between 0 and 1, got {failure_rate}')
        self.model = PhaseModel()
        load_into(self.model, weights, 'phases')
        self.model.expect_failures(failure_rate)
        self.model.eval()
        self.reset()

    def reset(self) -> None:
        """Empty the window."""
        self._times: deque[float] = deque(maxlen=WINDOW)
        # what each layer has been given so far
        self._inputs: list[deque[Tensor]] = [deque(maxlen=WINDOW) for _ in range(LAYERS)]
        self._belief: Tensor | None = None

    def step(self, observation: Observation) -> Estimate:
        """Take the next observation."""
        with torch.inference_mode():
            return self._step(observation)

    def _step(self, observation: Observation) -> Estimate:
        self._times.append(observation.time)
        hidden = self.model.encoder(torch.from_numpy(observation.vector)[None])
        ages = torch.tensor([[[observation.time - time for time in self._times]]])
        shares, allowed = _knot_shares(ages), torch.ones_like(ages, dtype=torch.bool)
        weights = None
        for layer, given in zip(self.model.layers, self._inputs, strict=True):
            given.append(hidden)
            hidden, weights = layer(hidden[None], torch.cat(list(given))[None], shares, allowed, True)
            hidden = hidden[0]
        transitions, nearness = self.model.heads(hidden[0])
        if self._belief is None:
            self._belief = transitions[-1]
        else:
            self._belief = self._belief @ transitions[:-1]
            self._belief = self._belief / self._belief.sum()    # rounding must not add up over hours
        assert weights is not None
        probabilities = self._belief.numpy()
        return Estimate(probabilities, float(nearness.sigmoid()),
                        weights[0].mean(dim=0)[0].numpy().astype(np.float32))


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def _knot_shares(ages: Tensor) -> Tensor:
    """Return how much of each knot of the bias an age (...) in seconds has, (..., knots); they sum to 1."""
    knots = torch.tensor(LAGS, device=ages.device, dtype=ages.dtype)
    inside = ages.clamp(0.0, LAGS[-1])[..., None]
    gaps = knots.diff()
    rise = (inside - knots[:-1]) / gaps     # 0 at the gap's lower knot, 1 at its upper one
    upper = torch.cat([torch.ones_like(rise[..., :1]), rise.clamp(0.0, 1.0)], dim=-1)
    return upper - torch.cat([rise.clamp(0.0, 1.0), torch.zeros_like(rise[..., :1])], dim=-1)
