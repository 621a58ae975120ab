"""The language model: a tagger of characters around self-attention between words.

Three stages. (1) Convolutions over characters; they also say where a word ends and its particle begins
("컵|을"), which cuts the text into pieces. (2) Self-attention layers over the pieces; in the last one the
first heads carry the names of :data:`~vla_attention.language.instruction.HEADS` and are trained to link
what belongs together. (3) What the pieces found goes back to their characters, and each gets a role
label, so that spans may end inside a written word and an unlucky cut does no harm.

Attention is :class:`vla_attention.attention.MultiHeadAttention`; the residual layers are pre-norm as in
Xiong et al., "On Layer Normalization in the Transformer Architecture" (2020), and a learned bias tells each
head how far words are apart (Raffel et al., "Exploring the Limits of Transfer Learning", 2020, section 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vla_attention.attention import MultiHeadAttention
from vla_attention.language.characters import SYLLABLE_BUCKETS, SYMBOLS
from vla_attention.language.instruction import HEADS, ROLES

LABELS = 1 + 2 * len(ROLES)
"""0 outside; 1 + 2 r where a span of role r begins, 2 + 2 r inside it."""

FARTHEST = 12
"""Words that are farther apart than this are equally far to the attention's bias."""

MOST_PIECES = 2000
"""A text is cut into so many pieces at most: one a character of the longest that the parser takes."""

KINDS = 3
"""A command, another language in Latin letters, no command."""


@dataclass(frozen=True)
class Answer:
    """What the network says of a batch: logits but for ``attention`` and ``weights``."""

    labels: Tensor      # (B, L, LABELS)
    avoid: Tensor       # (B, L)
    kind: Tensor        # (B, KINDS)
    attention: Tensor   # (B, heads, T, T), rows sum to 1; the named heads come first
    weights: Tensor     # (B, T), 0..1


class Neighbours(nn.Conv1d):
    """A convolution along a sequence whose channels come last, and a GELU."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2)

    def forward(self, states: Tensor, real: Tensor | None = None) -> Tensor:
        """(B, L, channels) -> the same; what pads, (B, L) not ``real``, counts as zero."""
        if real is not None:
            states = states * real.unsqueeze(-1)
        if len(states) > 1 or torch.is_grad_enabled():
            return functional.gelu(super().forward(states.transpose(1, 2))).transpose(1, 2)
        # of one text every window lies in memory as it is: one product; the recorded network keeps the matrix
        count, channels = states.shape[1:]
        reach, = self.kernel_size
        padded = functional.pad(states[0], (0, 0, reach // 2, reach // 2))
        windows = padded.as_strided((count, reach * channels), (channels, 1))
        matrix = self.weight.permute(2, 1, 0).flatten(0, 1).contiguous()
        assert self.bias is not None
        return functional.gelu(torch.addmm(self.bias, windows, matrix)).unsqueeze(0)


class CharacterEncoder(nn.Module):
    """Characters with their neighbours: embeddings and residual convolutions."""

    def __init__(self, hidden_dim: int, kernels: Sequence[int]) -> None:
        super().__init__()
        tables = (SYMBOLS, 20, 22, 29, SYLLABLE_BUCKETS, 4)
        self.embeddings = nn.ModuleList(nn.Embedding(size, hidden_dim, padding_idx=0) for size in tables)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_dim) for _ in kernels)
        self.convolutions = nn.ModuleList(Neighbours(hidden_dim, kernel) for kernel in kernels)
        self.offsets: Tensor
        self.register_buffer('offsets', torch.tensor([0, *tables[:-1]]).cumsum(0), persistent=False)

    def forward(self, characters: Tensor) -> Tensor:
        """(B, L, FEATURES) int64 -> (B, L, hidden_dim)."""
        single = len(characters) == 1 and not torch.is_grad_enabled()
        if single:      # one text holds no pads
            tables = torch.cat([embedding.weight for embedding in self._embeddings()])
            states = functional.embedding_bag(characters[0] + self.offsets, tables, mode='sum').unsqueeze(0)
        else:
            first, *others = self._embeddings()
            states = first(characters[..., 0])
            for index, embedding in enumerate(others, 1):
                states = states + embedding(characters[..., index])
        real = None if single else characters[..., 0] > 0
        for norm, convolution in zip(self.norms, self.convolutions, strict=False):
            states = states + convolution(norm(states), real)
        return states

    def _embeddings(self) -> list[nn.Embedding]:
        return [table for table in self.embeddings if isinstance(table, nn.Embedding)]


class WordLayer(nn.Module):
    """Neighbours (a convolution), then attention to every word, then a feed-forward layer."""

    def __init__(self, hidden_dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_dim) for _ in range(3))
        self.neighbours = Neighbours(hidden_dim, 3)
        self.attention = MultiHeadAttention(hidden_dim, heads)
        self.distance = nn.Embedding(2 * FARTHEST + 1, heads)
        nn.init.zeros_(self.distance.weight)
        self.expand = nn.Linear(hidden_dim, 2 * hidden_dim)
        self.contract = nn.Linear(2 * hidden_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Tensor, real: Tensor | None, apart: Tensor,
                need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """Attend.

        :param words: (B, T, hidden_dim).
        :param real: (B, T) bool: False pads; None: nothing does.
        :param apart: (T, T) of :func:`_distances`.
        :returns: the same shape, and where asked for the attention weights (B, heads, T, T).
        """
        words = words + self.neighbours(self.norms[0](words), real)
        mask = self.distance(apart).permute(2, 0, 1).unsqueeze(0)
        if real is not None:
            mask = mask.masked_fill(~real[:, None, None], float('-inf'))
        attended, weights = self.attention(self.norms[1](words), mask=mask, need_weights=need_weights,
                                           finite=real is None)
        words = words + self.dropout(attended)
        widened = functional.gelu(self.expand(self.norms[2](words)))
        return words + self.dropout(self.contract(widened)), weights


class LanguageNetwork(nn.Module):
    """Characters and the pieces they form -> roles, links and weights."""

    def __init__(self, hidden_dim: int = 128, heads: int = 8, kernels: Sequence[int] = (5, 3, 3),
                 word_layers: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.positions: Tensor
        self.characters = CharacterEncoder(hidden_dim, kernels)
        self.starts = nn.Linear(hidden_dim, 1)
        self.pool = nn.Linear(3 * hidden_dim, hidden_dim)
        self.layers = nn.ModuleList(WordLayer(hidden_dim, heads, dropout) for _ in range(word_layers))
        self.back = nn.Linear(2 * hidden_dim, hidden_dim)
        self.back_norm = nn.LayerNorm(hidden_dim)
        self.smooth = Neighbours(hidden_dim, 3)
        self.labels = nn.Linear(hidden_dim, LABELS + 1)
        self.kind = nn.Linear(2 * hidden_dim, KINDS)
        self.word_norm = nn.LayerNorm(hidden_dim)
        self.register_buffer('positions', _positions(MOST_PIECES, hidden_dim), persistent=False)
        self.weigh = nn.Sequential(nn.Linear(hidden_dim + 2 * len(HEADS), 64), nn.GELU(), nn.Linear(64, 1),
                                   nn.Softplus())

    def cut(self, states: Tensor) -> Tensor:
        """Return logits (B, L): a new piece starts at this character."""
        return self.starts(states).squeeze(-1)

    def forward(self, states: Tensor, real: Tensor | None, bounds: Tensor, piece: Tensor) -> Answer:
        """Attend between the pieces and label the characters.

        :param states: (B, L, hidden_dim) of :class:`CharacterEncoder`.
        :param real: (B, L) bool: False pads; None: nothing pads, neither characters nor pieces.
        :param bounds: (B, T, 2) int64: first and last character of each piece, -1 pads.
        :param piece: (B, L) int64: the piece that each character belongs to (a space: the one before).
        """
        exists = bounds[..., 0] >= 0
        apart = _distances(bounds.shape[1], bounds.device)
        words = self._pool(states, bounds) + self.positions[:bounds.shape[1]]
        attention = None
        for layer in self.layers:   # the last one's attention is the one that has names
            words, attention = layer(words, None if real is None else exists, apart, layer is self.layers[-1])
        assert attention is not None
        words = self.word_norm(words)
        context = words.gather(1, piece.unsqueeze(-1).expand(-1, -1, self.hidden_dim))
        states = functional.gelu(self.back(torch.cat((states, context), -1)))
        states = states + self.smooth(self.back_norm(states), real)
        scores = self.labels(states)
        loss = self.weigh(weighed(words, attention)).squeeze(-1)
        if real is None:
            mean, peak = words.mean(1), words.amax(1)
        else:
            count = exists.sum(1, keepdim=True).clamp(min=1)
            mean = (words * exists.unsqueeze(-1)).sum(1) / count
            peak = words.masked_fill(~exists.unsqueeze(-1), -1e4).amax(1)
            loss = loss * exists
        return Answer(scores[..., :LABELS], scores[..., LABELS], self.kind(torch.cat((mean, peak), -1)),
                      attention, (loss / loss.amax(1, keepdim=True).clamp(min=1e-6)).sqrt())

    def _pool(self, states: Tensor, bounds: Tensor) -> Tensor:
        """First, last and mean character of each piece -> (B, T, hidden_dim)."""
        first, last = bounds.clamp(min=0).unbind(-1)
        sums = functional.pad(states.cumsum(1), (0, 0, 1, 0))
        total = _take(sums, last + 1) - _take(sums, first)
        mean = total / (last - first + 1).unsqueeze(-1)
        return self.pool(torch.cat((_take(states, first), _take(states, last), mean), -1))


def weighed(words: Tensor, attention: Tensor) -> Tensor:
    """Return what a word's weight is told from: its state, what its named heads give and get; no gradients.

    :param words: (B, T, hidden_dim).
    :param attention: (B, heads, T, T).
    :returns: (B, T, hidden_dim + 2 len(HEADS)).
    """
    named = attention[:, :len(HEADS)].detach()
    own = named.diagonal(dim1=-2, dim2=-1)
    got = named.sum(-2) - own
    return torch.cat((words.detach(), (1 - own).transpose(1, 2), got.transpose(1, 2)), -1)


def _take(states: Tensor, index: Tensor) -> Tensor:
    return states.gather(1, index.unsqueeze(-1).expand(-1, -1, states.shape[-1]))


def _distances(length: int, device: torch.device) -> Tensor:
    """How far each key is behind each query, (length, length), as indices of the distance bias."""
    places = torch.arange(length, device=device)
    return (places - places.unsqueeze(1)).clamp(-FARTHEST, FARTHEST) + FARTHEST


def _positions(length: int, channels: int) -> Tensor:
    """Sinusoidal positions (Vaswani et al. 2017, section 3.5), (length, channels)."""
    steps = torch.arange(length, dtype=torch.float32).unsqueeze(1)
    rates = torch.exp(torch.arange(0, channels, 2, dtype=torch.float32) * (-math.log(10000.0) / channels))
    return torch.cat((torch.sin(steps * rates), torch.cos(steps * rates)), -1)
