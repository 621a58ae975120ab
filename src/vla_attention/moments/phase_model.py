"""Causal attention over time, and the filter of beliefs that it drives.

Each tick's token attends to those of the last seconds (two layers of
:class:`vla_attention.attention.MultiHeadAttention`, with a learned bias by how long ago). What comes out
is not the phase but how likely each phase turns into each other at this tick; the belief is carried on
with these transitions, as the forward pass of an input-output hidden Markov model (Bengio and Frasconi,
"An Input Output HMM Architecture", 1995). So a cup that is held still for a minute stays held, although
the window of attention has long forgotten how it was taken.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from vla_attention.attention import MultiHeadAttention
from vla_attention.moments.cues import CROP_CHANNELS, GRID_CHANNELS, SCALARS, Token
from vla_attention.moments.estimate import Estimate
from vla_attention.moments.moment import PHASES

HIDDEN, HEADS, LAYERS = 48, 4, 2
WINDOW = 32                         # ticks: six seconds or so
LAGS = (0.0, 0.2, 0.4, 0.8, 1.4, 2.2, 3.4, 5.0, 7.0)   # seconds: knots of the bias by age
# which phase may follow which; anything may be seen first
FOLLOWING = {'idle': ('idle', 'approach'), 'approach': ('approach', 'grasp', 'idle'),
             'grasp': ('grasp', 'move', 'retreat'), 'move': ('move', 'place', 'retreat'),
             'place': ('place', 'retreat'), 'retreat': ('retreat', 'approach', 'idle')}
WEIGHTS = Path(__file__).parent.parent / 'weights' / 'moments.safetensors'


class TokenEncoder(nn.Module):
    """Maps (T, ...) grids, crops and scalars to (T, HIDDEN).

    No convolutions: they learnt the training scenes by heart. The crop is pooled to 3x3 (what happens above,
    below and beside the point of action), the grid to its mean. The time since the start is left out: with
    it, the model learnt the schedules of its training episodes.
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = len(SCALARS) + 9 * len(CROP_CHANNELS) + len(GRID_CHANNELS)
        self.mix = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN),
                                 nn.LayerNorm(HIDDEN))

    def forward(self, grid: Tensor, crop: Tensor, scalars: Tensor) -> Tensor:
        """Encode (N, 9, 12, 16) and (N, 8, 12, 12) uint8 or float, (N, 35) float, to (N, HIDDEN)."""
        used = torch.tensor([float(name != 'elapsed') for name in SCALARS], device=scalars.device)
        offset = torch.tensor([1.0, 1.0] + [0.0] * (len(CROP_CHANNELS) - 2), device=crop.device)
        around = avg_pool2d(crop.float() / 128, 4) - offset[:, None, None]
        offset = torch.tensor([1.0, 1.0] + [0.0] * (len(GRID_CHANNELS) - 2), device=grid.device)
        everywhere = grid.float().mean(dim=(2, 3)) / 128 - offset
        return self.mix(torch.cat([scalars * used, 2 * around.flatten(1), 4 * everywhere], dim=1))


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
        self.encoder = TokenEncoder()
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

    def heads(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return transitions (..., 7, 6) from the row's phase to the column's, and logits of nearness."""
        hidden = self.norm(hidden)
        logits = self.transitions(hidden).unflatten(-1, (len(PHASES) + 1, len(PHASES)))
        transitions = logits.masked_fill(self.forbidden, float('-inf')).softmax(dim=-1)
        return transitions, self.nearness(hidden).squeeze(-1)

    def forward(self, grid: Tensor, crop: Tensor, scalars: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        """Run whole sequences, each tick seeing itself and the WINDOW - 1 before.

        :param grid: (B, T, 9, 12, 16); :param crop: (B, T, 8, 12, 12); :param scalars: (B, T, 35).
        :param times: (B, T) seconds.
        :returns: beliefs (B, T, 6), and logits of nearness (B, T).
        """
        batch, length = times.shape
        hidden = self.dropout(self.encoder(grid.flatten(0, 1), crop.flatten(0, 1), scalars.flatten(0, 1)))
        hidden = hidden.unflatten(0, (batch, length))
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
    """The trained estimator, a tick at a time; gives what :class:`PhaseModel` gives for whole sequences."""

    def __init__(self, weights: Path | None = None) -> None:
        """Load the weights (safetensors); those in the package when None.

        :raises FileNotFoundError: there is no such file.
        """
        path = WEIGHTS if weights is None else Path(weights)
        if not path.exists():
            raise FileNotFoundError(f'no weights of the moments model at {path}')
        self.model = PhaseModel()
        self.model.load_state_dict({name: tensor.float() for name, tensor in load_file(str(path)).items()})
        self.model.eval()
        self.reset()

    def reset(self) -> None:
        """Empty the window."""
        self._times: deque[float] = deque(maxlen=WINDOW)
        # what each layer has been given so far
        self._inputs: list[deque[Tensor]] = [deque(maxlen=WINDOW) for _ in range(LAYERS)]
        self._belief: Tensor | None = None

    def step(self, token: Token) -> Estimate:
        """Take the next token."""
        # so little to compute that further threads only spin: on a busy 2-core machine one thread took
        # 2 ms of CPU and two took 86
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                return self._step(token)
        finally:
            torch.set_num_threads(threads)

    def _step(self, token: Token) -> Estimate:
        self._times.append(token.time)
        hidden = self.model.encoder(torch.from_numpy(token.grid)[None], torch.from_numpy(token.crop)[None],
                                    torch.from_numpy(token.scalars)[None])
        ages = torch.tensor([[[token.time - time for time in self._times]]])
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


def _knot_shares(ages: Tensor) -> Tensor:
    """Return how much of each knot of the bias an age (...) in seconds has, (..., knots); they sum to 1."""
    knots = torch.tensor(LAGS, device=ages.device, dtype=ages.dtype)
    inside = ages.clamp(0.0, LAGS[-1])[..., None]
    gaps = knots.diff()
    rise = (inside - knots[:-1]) / gaps     # 0 at the gap's lower knot, 1 at its upper one
    upper = torch.cat([torch.ones_like(rise[..., :1]), rise.clamp(0.0, 1.0)], dim=-1)
    return upper - torch.cat([rise.clamp(0.0, 1.0), torch.zeros_like(rise[..., :1])], dim=-1)
