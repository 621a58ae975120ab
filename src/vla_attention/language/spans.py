"""Labels a character -> spans."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_attention.language.instruction import ROLES


@dataclass(frozen=True)
class Span:
    """Characters [start, end) of the text that play a role."""

    start: int
    end: int
    role: str


def boundary_scores(text: str, cut: np.ndarray) -> np.ndarray:
    """Return what it costs a span to begin or end before each character: log p(a word begins here), (L,).

    Nothing beside a space. So spans end where words do ("pen", not "pe"), and Korean nouns before a particle.

    :param cut: (L,) logits of a word beginning at the character.
    """
    scores = np.minimum(0.0, cut) - np.log1p(np.exp(-np.abs(cut)))     # log sigmoid
    for index, character in enumerate(text):
        if index == 0 or character.isspace() or text[index - 1].isspace():
            scores[index] = 0.0
    return scores


def best_labels(scores: np.ndarray, boundary: np.ndarray | None = None) -> np.ndarray:
    """Return the most probable sequence of labels in which no span is entered but by its beginning (Viterbi).

    :param scores: (L, labels) float, log-probabilities or logits: 0 outside, 1 + 2 r where a span of role
        r begins, 2 + 2 r inside it.
    :param boundary: (L,) of :func:`boundary_scores`, added wherever a span begins or ends before the
        character.
    :returns: (L,) int64.
    """
    length, labels = scores.shape
    allowed = np.ones((labels, labels), bool)
    for inside in range(2, labels, 2):
        allowed[:, inside] = False
        allowed[[inside - 1, inside], inside] = True
    barrier = np.where(allowed, 0.0, -1e9)
    goes_on = np.zeros((labels, labels), bool)
    goes_on[0, 0] = True
    goes_on[:, 2::2] = allowed[:, 2::2]
    edge = np.where(goes_on, 0.0, 1.0)
    best = scores[0].copy()
    best[2::2] = -1e9
    back = np.zeros((length, labels), np.int64)
    for index in range(1, length):
        paths = best[:, None] + barrier
        if boundary is not None and boundary[index]:
            paths += boundary[index] * edge
        back[index] = paths.argmax(0)
        best = paths[back[index], np.arange(labels)] + scores[index]
    path = np.zeros(length, np.int64)
    path[-1] = best.argmax()
    for index in range(length - 1, 0, -1):
        path[index - 1] = back[index, path[index]]
    return path


def whole_pieces(pieces: Sequence[tuple[int, int]], scores: np.ndarray) -> np.ndarray:
    """Say yes or no to whole pieces, and to the gap between two that are yes.

    :param pieces: [start, end) of each, in the order of the text.
    :param scores: (L,) logits, one a character; a piece has their mean.
    :returns: (L,) bool.
    """
    flags = np.zeros(len(scores), bool)
    for start, end in pieces:
        flags[start:end] = scores[start:end].mean() > 0
    for (_, end), (start, _) in itertools.pairwise(pieces):
        flags[end:start] = flags[end - 1] and flags[start]
    return flags


def spans_of(text: str, labels: Sequence[int] | np.ndarray) -> list[Span]:
    """Return the spans that the labels describe, in the order of the text, without spaces at their ends."""
    spans = []
    index = 0
    while index < len(text):
        label = int(labels[index])
        if label % 2 == 0:
            index += 1
            continue
        end = index + 1
        while end < len(text) and labels[end] == label + 1:
            end += 1
        word = text[index:end]
        start, stop = index + len(word) - len(word.lstrip()), index + len(word.rstrip())
        if start < stop:
            spans.append(Span(start, stop, ROLES[label // 2]))
        index = end
    return spans
