"""Three ways to choose the thing meant among candidates, over the same features.

- ``pooled image``: the picture is one averaged vector, and a candidate is no more than its place.
- ``pooled candidates``: a candidate is, besides, the average of the cells in its box; still no attention.
- ``cross-attention``: words attend to the cells; a candidate is also how much attention fell into its box.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.effect.features import CELLS, CHANNELS_KEPT, GRID
from vla_attention.attention import CrossAttention, SelfAttention

HIDDEN = 64
HEADS = 4
LAYERS = 2
READOUTS = ('pooled image', 'pooled candidates', 'cross-attention')


class Chooser(nn.Module):
    """Score each candidate for each phrase of one scene."""

    def __init__(self, readout: str, words: int) -> None:
        """Make a readout with fresh weights.

        :param readout: one of :data:`READOUTS`.
        :param words: size of the vocabulary, padding and unknown included.
        :raises ValueError: no such readout.
        """
        super().__init__()
        if readout not in READOUTS:
            raise ValueError(f'readout is {readout!r}; it must be one of {", ".join(READOUTS)}')
        self.readout = readout
        self.words = nn.Embedding(words, HIDDEN, padding_idx=0)
        self.order = nn.Embedding(16, HIDDEN)
        self.cells = nn.Sequential(nn.Linear(CHANNELS_KEPT, HIDDEN), nn.LayerNorm(HIDDEN))
        self.place = nn.Parameter(torch.randn(CELLS, HIDDEN) * 0.02)
        self.box = nn.Sequential(nn.Linear(6, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN))
        inputs = {'pooled image': 3, 'pooled candidates': 4, 'cross-attention': 4}[readout] * HIDDEN
        if readout == 'cross-attention':
            self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
            inputs += HEADS
        self.score = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.GELU(), nn.Dropout(0.1),
                                   nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, cells: Tensor, boxes: Tensor, words: Tensor) -> Tensor:
        """Return the scores (P, N).

        :param cells: (CELLS, CHANNELS_KEPT).
        :param boxes: (N, 4) x0, y0, x1, y1 in 0..1.
        :param words: (P, W) numbers of the vocabulary, 0 where there is none.
        """
        tokens = self.cells(cells) + self.place
        known = words > 0
        phrase = self.words(words) + self.order.weight[:words.shape[1]]
        share = overlap(boxes)
        place = self.box(torch.cat([boxes, boxes[:, 2:] - boxes[:, :2]], dim=1))
        if self.readout == 'cross-attention':
            weights = torch.empty(0)
            for layer in self.layers:
                phrase, weights = layer(phrase, tokens, known)
            # attention of a phrase: mean over its words, one map a head, summed over each candidate's cells
            mass = (weights * known[:, None, :, None]).sum(2) / known.sum(1)[:, None, None]
            fallen = torch.einsum('phc,nc->pnh', mass, share) * 10
        query = (phrase * known[..., None]).sum(1) / known.sum(1, keepdim=True)
        count, phrases = len(boxes), len(words)
        parts = [query[:, None].expand(-1, count, -1), place[None].expand(phrases, -1, -1),
                 tokens.mean(0).expand(phrases, count, -1)]
        if self.readout != 'pooled image':
            inside = share / share.sum(1, keepdim=True).clamp_min(1e-6)
            parts.append((inside @ tokens)[None].expand(phrases, -1, -1))
        if self.readout == 'cross-attention':
            parts.append(fallen)
        scores: Tensor = self.score(torch.cat(parts, dim=-1)).squeeze(-1)
        return scores


class _Layer(nn.Module):
    """Words look at the cells, then at one another."""

    def __init__(self) -> None:
        super().__init__()
        self.cross = CrossAttention(HIDDEN, HEADS)
        self.own = SelfAttention(HIDDEN)
        self.norms = nn.ModuleList(nn.LayerNorm(HIDDEN) for _ in range(3))
        self.feed = nn.Sequential(nn.Linear(HIDDEN, 2 * HIDDEN), nn.GELU(), nn.Linear(2 * HIDDEN, HIDDEN))

    def forward(self, words: Tensor, cells: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return the words and the attention's weights (P, HEADS, W, CELLS)."""
        # words attend each for itself, so those of all phrases are one sequence and keys are made once
        looked, weights = self.cross(self.norms[0](words).flatten(0, 1)[None], cells[None])
        words = words + looked[0].unflatten(0, words.shape[:2])
        weights = weights[0].unflatten(1, words.shape[:2]).transpose(0, 1)
        words = words + self.own(self.norms[1](words), known[:, None, :], need_weights=False)[0]
        return words + self.feed(self.norms[2](words)), weights


def overlap(boxes: Tensor) -> Tensor:
    """Return how much of each cell each box covers, (N, CELLS) in 0..1."""
    rows, columns = GRID
    x = _covered(boxes[:, 0] * columns, boxes[:, 2] * columns, columns)
    y = _covered(boxes[:, 1] * rows, boxes[:, 3] * rows, rows)
    return (y[:, :, None] * x[:, None, :]).flatten(1)


def _covered(low: Tensor, high: Tensor, count: int) -> Tensor:
    edge = torch.arange(count, dtype=low.dtype)
    return (torch.minimum(high[:, None], edge + 1) - torch.maximum(low[:, None], edge)).clamp(0, 1)
