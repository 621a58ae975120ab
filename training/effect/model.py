"""Ways to choose the thing meant among candidates, with and without attention, over the same features.

- ``pooled image``: the picture is one averaged vector, and a candidate is no more than its place.
- ``pooled candidates``: a candidate is, besides, the average of the patches in its box.
- ``cross-attention``: the words attend to the patches, and each candidate to the words.
- ``cross- and self-attention``: candidates attend to one another, too ("the left one" is one of several).

Without attention a phrase is the average of its words. What those readouts save in parameters their last
layers get, so that all have about as many.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.effect.features import CELLS, CHANNELS_KEPT, GRID
from vla_attention.attention import CrossAttention, SelfAttention

HIDDEN = 64
HEADS = 4
LAYERS = 2
READOUTS = ('pooled image', 'pooled candidates', 'cross-attention', 'cross- and self-attention')
LAST = dict(zip(READOUTS, (416, 384, 192, 64), strict=True))    # channels of the last layers


class Chooser(nn.Module):
    """Score each candidate for each phrase of a batch of scenes."""

    def __init__(self, readout: str, words: int) -> None:
        """Make a readout with fresh weights.

        :param readout: one of :data:`READOUTS`.
        :param words: size of the vocabulary, padding and unknown included.
        :raises ValueError: no such readout.
        """
        super().__init__()
        if readout not in READOUTS:
            raise ValueError(f'readout is {readout!r}; it must be one of {", ".join(READOUTS)}')
        self.attends = readout.startswith('cross')
        self.sees_candidates = readout != 'pooled image'
        self.words = nn.Embedding(words, HIDDEN, padding_idx=0)
        self.order = nn.Embedding(16, HIDDEN)
        self.cells = nn.Sequential(nn.Linear(CHANNELS_KEPT, HIDDEN), nn.LayerNorm(HIDDEN))
        self.place = nn.Parameter(torch.randn(CELLS, HIDDEN) * 0.02)
        self.box = nn.Sequential(nn.Linear(6, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN))
        inputs = 3 + self.sees_candidates
        self.reading = nn.ModuleList(_Reading() for _ in range(LAYERS if self.attends else 0))
        self.choosing = nn.ModuleList(
            _Choosing(among=readout.endswith('self-attention')) for _ in range(LAYERS if self.attends else 0))
        self.thing = nn.Linear(inputs * HIDDEN, HIDDEN) if self.attends else nn.Identity()
        width, last = (2 if self.attends else inputs) * HIDDEN, LAST[readout]
        self.score = nn.Sequential(nn.Linear(width, last), nn.GELU(), nn.Dropout(0.1),
                                   nn.Linear(last, last), nn.GELU(), nn.Linear(last, 1))

    def forward(self, cells: Tensor, boxes: Tensor, there: Tensor, words: Tensor) -> Tensor:
        """Return the scores (S, P, N); that of a candidate that is none is the lowest there is.

        :param cells: (S, CELLS, CHANNELS_KEPT) of S scenes.
        :param boxes: (S, N, 4) x0, y0, x1, y1 in 0..1.
        :param there: (S, N) bool: which candidates are.
        :param words: (S, P, W) numbers of the vocabulary, 0 where there is none.
        """
        tokens = self.cells(cells) + self.place
        share = overlap(boxes)
        place = self.box(torch.cat([boxes, boxes[..., 2:] - boxes[..., :2]], dim=-1))
        known = words > 0
        phrase = self.words(words) + self.order.weight[:words.shape[-1]]
        for layer in self.reading:
            phrase = layer(phrase, tokens, known)
        query = (phrase * known[..., None]).sum(-2) / known.sum(-1, keepdim=True).clamp_min(1)
        count, phrases = boxes.shape[1], words.shape[1]
        parts = [query[:, :, None].expand(-1, -1, count, -1), place[:, None].expand(-1, phrases, -1, -1),
                 tokens.mean(1)[:, None, None].expand(-1, phrases, count, -1)]
        if self.sees_candidates:
            inside = share / share.sum(-1, keepdim=True).clamp_min(1e-6)
            parts.append((inside @ tokens)[:, None].expand(-1, phrases, -1, -1))
        things = self.thing(torch.cat(parts, dim=-1))
        for layer in self.choosing:
            things = layer(things, phrase, known, there)
        if self.attends:
            things = torch.cat([things, parts[0]], dim=-1)
        scores: Tensor = self.score(things).squeeze(-1)
        return scores.masked_fill(~there[:, None], torch.finfo(scores.dtype).min)


class _Reading(nn.Module):
    """Words look at the patches, then at one another."""

    def __init__(self) -> None:
        super().__init__()
        self.cross = CrossAttention(HIDDEN, HEADS)
        self.own = SelfAttention(HIDDEN)
        self.norms = nn.ModuleList(nn.LayerNorm(HIDDEN) for _ in range(3))
        self.feed = _feed_forward()

    def forward(self, words: Tensor, cells: Tensor, known: Tensor) -> Tensor:
        # words attend each for itself, so those of all phrases are one sequence and keys are made once
        looked, _ = self.cross(self.norms[0](words).flatten(1, 2), cells, need_weights=False)
        words = words + looked.unflatten(1, words.shape[1:3])
        flat, mask = self.norms[1](words).flatten(0, 1), _heed(known).flatten(0, 1)[:, None, :]
        words = words + self.own(flat, mask, need_weights=False)[0].unflatten(0, words.shape[:2])
        return words + self.feed(self.norms[2](words))


class _Choosing(nn.Module):
    """Candidates look at the words, and at one another where that is wanted."""

    def __init__(self, *, among: bool) -> None:
        super().__init__()
        self.cross = CrossAttention(HIDDEN, HEADS)
        self.own = SelfAttention(HIDDEN) if among else None
        self.norms = nn.ModuleList(nn.LayerNorm(HIDDEN) for _ in range(3))
        self.feed = _feed_forward()

    def forward(self, things: Tensor, words: Tensor, known: Tensor, there: Tensor) -> Tensor:
        size = things.shape[:2]
        flat = self.norms[0](things).flatten(0, 1)
        heard, _ = self.cross(flat, words.flatten(0, 1), _heed(known).flatten(0, 1)[:, None, :],
                              need_weights=False)
        things = things + heard.unflatten(0, size)
        if self.own is not None:
            mask = there[:, None].expand(-1, size[1], -1).flatten(0, 1)[:, None, :]
            compared, _ = self.own(self.norms[1](things).flatten(0, 1), mask, need_weights=False)
            things = things + compared.unflatten(0, size)
        return things + self.feed(self.norms[2](things))


def _feed_forward() -> nn.Sequential:
    return nn.Sequential(nn.Linear(HIDDEN, 2 * HIDDEN), nn.GELU(), nn.Linear(2 * HIDDEN, HIDDEN))


def _heed(known: Tensor) -> Tensor:
    """Return the mask of words, where a phrase that only fills the batch up attends to its first."""
    first = torch.zeros_like(known)
    first[..., 0] = ~known.any(-1)
    return known | first


def overlap(boxes: Tensor) -> Tensor:
    """Return how much of each patch each box covers, (..., CELLS) in 0..1, for boxes (..., 4)."""
    rows, columns = GRID
    x = _covered(boxes[..., 0] * columns, boxes[..., 2] * columns, columns)
    y = _covered(boxes[..., 1] * rows, boxes[..., 3] * rows, rows)
    return (y[..., :, None] * x[..., None, :]).flatten(-2)


def _covered(low: Tensor, high: Tensor, count: int) -> Tensor:
    edge = torch.arange(count, dtype=low.dtype)
    return (torch.minimum(high[..., None], edge + 1) - torch.maximum(low[..., None], edge)).clamp(0, 1)
