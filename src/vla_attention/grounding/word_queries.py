"""Kinds of the lexicon -> what the words ask the patches: embedding rows and classifier rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vla_attention.grounding.embedded_model import EmbeddedModel
from vla_attention.grounding.head import class_logits
from vla_attention.grounding.kind_classes import classes_of
from vla_attention.language.lexicon import load_lexicon

MOST_CLASSES = 4
DOUBT = 0.8         # how much surer a word is than the nearest kind that stands in for it


@dataclass(frozen=True)
class WordQueries:
    """W words, each as a query with the rows of its classes, and how far each can be trusted, 0..1."""

    kinds: tuple[str, ...]
    queries: Tensor         # (1, W, DIM)
    near: Tensor | None     # (W, DIM of the second look), where there is one
    rows: Tensor            # (1, W, C, 1280)
    bias: Tensor            # (1, W, C)
    present: Tensor         # (1, W, C) bool
    trust: tuple[float, ...]


@torch.no_grad()
def make_queries(model: EmbeddedModel, kinds: tuple[str, ...]) -> WordQueries:
    """Return the queries of W kinds ('' asks for any object); W may be 0.

    A kind that was trained on has its own embedding. Any other one speaks through its ImageNet classes, and
    through the embeddings of the trained kinds that the lexicon says it is like.
    """
    index = {kind: row for row, kind in enumerate(model.kinds)}
    count = len(kinds)
    device = model.words.embedding.weight.device
    rows = torch.zeros(1, count, MOST_CLASSES, model.classifier.in_features, device=device)
    bias = torch.zeros(1, count, MOST_CLASSES, device=device)
    present = torch.zeros(1, count, MOST_CLASSES, dtype=torch.bool, device=device)
    embeddings, near, trust = [], [], []
    for word, kind in enumerate(kinds):
        numbers, steps = classes_of(kind)
        for place, number in enumerate(numbers[:MOST_CLASSES]):
            rows[0, word, place] = model.classifier.weight[number]
            bias[0, word, place] = model.classifier.bias[number]
            present[0, word, place] = True
        stand_ins, doubts = _trained(model.known, kind)
        embeddings.append(_mean(model.words.embedding, [index[name] for name in stand_ins]))
        if model.second is not None:
            alike, _ = _trained(model.second.known, kind)
            near.append(_mean(model.second.words.embedding, [index[name] for name in alike]))
        trust.append(DOUBT ** min(doubts if stand_ins else 9, steps if numbers else 9, 3))
    filled = present.sum(2, keepdim=True).clamp(min=1)
    mean = (rows * present[..., None]).sum(2) / filled
    queries = _stacked(embeddings, model.words.embedding)[None] + model.words.from_classes(mean)
    again = None
    if model.second is not None:
        again = _stacked(near, model.second.words.embedding) + model.second.words.from_classes(mean[0])
    return WordQueries(kinds, queries, again, rows, bias, present, tuple(trust))


def _mean(embedding: nn.Embedding, rows: list[int]) -> Tensor:
    """Return the mean of some rows (DIM,), 0 of none."""
    return embedding.weight[rows].mean(0) if rows else embedding.weight.new_zeros(embedding.embedding_dim)


def _stacked(rows: list[Tensor], embedding: nn.Embedding) -> Tensor:
    """Return rows of an embedding as (N, DIM); N may be 0."""
    return torch.stack(rows) if rows else embedding.weight.new_zeros(0, embedding.embedding_dim)


def _trained(known: frozenset[str], kind: str) -> tuple[list[str], int]:
    """Return the trained kinds that speak for a kind, and how many steps of likeness away they are."""
    like = load_lexicon().like
    level, seen = [kind or 'object'], {kind}
    for steps in range(3):
        found = [name for name in level if name in known]
        if found:
            return found, steps
        level = [other for name in level for other in like.get(name, ()) if other not in seen]
        seen.update(level)
    return [], 0


@torch.no_grad()
def attend(model: EmbeddedModel, words: WordQueries, tokens: Tensor,
           embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Let words attend to patches.

    :returns: attention (heads, W, P) whose rows sum to 1, match logits (W, P), class logits (W, P).
    """
    logits = class_logits(embedding, words.rows, words.bias, words.present)
    attention, match = model.words(words.queries, tokens, logits)
    return attention[0], match[0], logits[0]
