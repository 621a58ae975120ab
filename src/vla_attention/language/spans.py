"""Labels a character -> spans."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_attention.language.instruction import ROLES

FORBIDDEN = -1e9     # score of what cannot be
MARKS = ',;:!?.…~^ㅋㅎㅠㅜ'   # no span ends in one
QUOTES = {'"': '"', "'": "'", '“': '”', '‘': '’', '「': '」', '『': '』'}    # that a whole span stands in
MEETING = -8.0       # added where two spans meet inside what is written as one word


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


def meeting_scores(text: str) -> np.ndarray:
    """Return what it costs a span to begin right where another ends, before each character, (L,).

    Nothing beside a space. Inside a written word a particle stands between two spans ("컵|을 집어"), so where
    they meet a noun was torn ("식기|세척기"), or a space was left out, which is rarer.
    """
    scores = np.full(len(text), MEETING)
    for index, character in enumerate(text):
        if index == 0 or character.isspace() or text[index - 1].isspace():
            scores[index] = 0.0
    return scores


def best_labels(scores: np.ndarray, boundary: np.ndarray | None = None,
                meeting: np.ndarray | None = None) -> np.ndarray:
    """Return the most probable sequence of labels in which no span is entered but by its beginning (Viterbi).

    :param scores: (L, labels) float, log-probabilities or logits: 0 outside, 1 + 2 r where a span of role
        r begins, 2 + 2 r inside it.
    :param boundary: (L,) of :func:`boundary_scores`, added wherever a span begins or ends before the
        character.
    :param meeting: (L,) of :func:`meeting_scores`, added wherever a span begins right where another ends.
    :returns: (L,) int64.
    """
    # Written out for these transitions: inside is reached from its own begin or inside alone, and free; all
    # else from the best label, and at the price of the boundary, but for outside from outside.
    rows = scores.tolist()
    prices = [0.0] * len(rows) if boundary is None else boundary.tolist()
    meetings = [0.0] * len(rows) if meeting is None else meeting.tolist()
    best = [score if index % 2 or not index else FORBIDDEN for index, score in enumerate(rows[0])]
    labels = range(len(best))
    back: list[list[int]] = []
    for row, price, met in zip(rows[1:], prices[1:], meetings[1:], strict=True):
        top = max(labels, key=best.__getitem__)
        entered = best[top] + price
        stays = best[0] >= entered
        came = [0 if stays else top]
        reached = [(best[0] if stays else entered) + row[0]]
        if top and best[0] >= best[top] + met:
            top, entered = 0, best[0] + price
        elif top:
            entered += met
        for begin in labels[1::2]:
            goes_on = begin + 1 if best[begin + 1] > best[begin] else begin
            came += (top, goes_on)
            reached += (entered + row[begin], best[goes_on] + row[begin + 1])
        back.append(came)
        best = reached
    path = [max(labels, key=best.__getitem__)]
    for came in reversed(back):
        path.append(came[path[-1]])
    return np.array(path[::-1], np.int64)


def whole_pieces(pieces: Sequence[tuple[int, int]], scores: np.ndarray) -> np.ndarray:
    """Say yes or no to whole pieces, and to the gap between two that are yes.

    :param pieces: [start, end) of each, in the order of the text.
    :param scores: (L,) logits, one a character; a piece has their mean.
    :returns: (L,) bool.
    """
    flags = np.zeros(len(scores), bool)
    sums = np.concatenate(([0.0], np.cumsum(scores, dtype=np.float64))).tolist()
    for start, end in pieces:
        flags[start:end] = sums[end] > sums[start]
    for (_, end), (start, _) in itertools.pairwise(pieces):
        flags[end:start] = flags[end - 1] and flags[start]
    return flags


def spans_of(text: str, labels: Sequence[int] | np.ndarray) -> list[Span]:
    """Return the spans that the labels describe, in the order of the text.

    Without spaces at their ends, marks behind them ("next to the wall,"), and quotes around them.
    """
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
        start = index + len(word) - len(word.lstrip())
        stop = index + len(word.rstrip().rstrip(MARKS).rstrip())
        start, stop = _less_quotes(text, start, stop)
        if start < stop:
            spans.append(Span(start, stop, ROLES[label // 2]))
        index = end
    return spans


def _less_quotes(text: str, start: int, stop: int) -> tuple[int, int]:
    """Return a span less a pair of quotes around it, of which either may lie just outside."""
    first = start if text[start] in QUOTES else start - 1
    last = stop if text[stop - 1] not in QUOTES.values() else stop - 1
    if first < 0 or last >= len(text) or last < first + 2 or text[last] != QUOTES.get(text[first]):
        return start, stop
    return (start, stop) if text[first] in text[first + 1:last] else (first + 1, last)
