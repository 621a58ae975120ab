"""From what a model sees of each text to the attention of each phrase: choice among candidates, heads."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from vla_attention.grounding.attention_maps import AttentionMaps
from vla_attention.grounding.between import resolve_between
from vla_attention.grounding.colour import colour_evidence
from vla_attention.grounding.phrase_tree import NOTHING, PLACE, Node, PhraseTree
from vla_attention.grounding.reference import is_place_between
from vla_attention.grounding.resolve import NOT_FOUND, Resolution, resolve_parts
from vla_attention.language.phrase import Phrase

_FINE = 4           # colours are looked at in so many cells a patch and axis
_INNER = 0.6        # share of a box's sides in which its colour is looked at: corners show what is behind
_ENOUGH = 0.5       # a thing is of a colour when half of it is: there are highlights, labels, shadows
# what is chosen need not be the best of its kind, and relations are graded: from this share of the score of
# the best on it counts in full. Below, a thing of that kind is there, but not the one that is meant
_MEANT = 0.1
_NO_BOXES = np.zeros((0, 5), np.float32)


@dataclass(frozen=True)
class Evidence:
    """What a model sees of T texts in one image.

    ``maps`` (T, rows, cols) float32 in 0..1 on the patch grid; ``boxes`` one (N, 5) array a text (x0, y0,
    x1, y1 in image pixels, score 0..1; best first, each thing once), found by the model, or in its map
    where ``own_boxes`` is False; ``presence`` (T,) float32 probability; ``masks`` (T, h, w) where the
    model's map is finer than the grid; ``heads`` {name: (T, rows, cols)} further attention of the model;
    ``words`` one (W, rows, cols) array a text with ``word_texts`` where the model tells words of a text
    apart by itself.
    """

    maps: np.ndarray
    boxes: tuple[np.ndarray, ...]
    presence: np.ndarray
    own_boxes: bool
    masks: np.ndarray | None = None
    heads: dict[str, np.ndarray] = field(default_factory=dict)
    words: tuple[np.ndarray, ...] = ()
    word_texts: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class _Answer:
    boxes: np.ndarray           # (N, 5) candidates with the model's scores
    parts: Resolution
    presence: float
    meant: float = 1.0          # how far the best candidate answers all that the phrase says, 0..1


def calibrate(score: np.ndarray, threshold: float) -> np.ndarray:
    """Map a score 0..1 to a probability by its odds against a threshold: the threshold itself becomes 0.5."""
    score = np.clip(score, 1e-6, 1 - 1e-6)
    odds = score / (1 - score) * ((1 - threshold) / threshold)
    return (odds / (1 + odds)).astype(np.float32)


def assemble(tree: PhraseTree, evidence: Evidence, image: np.ndarray) -> AttentionMaps:
    """Put the attention of P phrases together.

    kind: the model's own map of the text. colour: evidence of the pixels. size and space: each candidate
    region painted with its part of :func:`resolve.resolve_parts`. A head is 1 everywhere where the phrase
    does not ask for it. The phrase's map is its kind map, weakened at candidates that the other parts speak
    against. A phrase of a place alone ("the left side") is judged patch by patch, and one between two things
    is drawn between them. Presence is the model's, lessened where what the relation is to cannot be found,
    and where the model's thing is not the one that the phrase means: of another colour, on the other side.

    :param image: (H, W, 3) uint8 RGB, the one that the evidence is of.
    """
    return _Assembly(tree, evidence, image).maps()


class _Assembly:
    def __init__(self, tree: PhraseTree, evidence: Evidence, image: np.ndarray) -> None:
        self.tree, self.evidence, self.image = tree, evidence, image
        self.size = (image.shape[1], image.shape[0])
        self.grid = evidence.maps.shape[1:]
        self.colours: dict[tuple[str, ...], np.ndarray] = {}

    def maps(self) -> AttentionMaps:
        maps, masks, boxes, presence, words, texts = [], [], [], [], [], []
        heads: dict[str, list[np.ndarray]] = {name: [] for name in ('colour', 'space', 'kind', 'size')}
        for node in self.tree.nodes:
            answer = self._answer(node)
            weight = answer.parts.colour * answer.parts.size * answer.parts.space
            if is_place_between(node.phrase):
                weight = answer.parts.score     # no map of a kind makes the better place brighter
            weight = weight / max(weight.max(initial=0), 1e-6)
            kind = self._own(self.evidence.maps, node)
            # beside the candidates the map keeps its share; a place between things is nowhere else
            outside = 0.0 if is_place_between(node.phrase) else float(weight.min(initial=1))
            maps.append(kind * self._paint(answer.boxes, weight, self.grid, outside))
            if self.evidence.masks is not None:
                mask = self._own(self.evidence.masks, node)
                masks.append(mask * self._paint(answer.boxes, weight, mask.shape, outside))
            phrase = node.phrase
            heads['kind'].append(kind)
            heads['colour'].append(cv2.resize(self._colour(phrase.colours), self.grid[::-1],
                                              interpolation=cv2.INTER_AREA)
                                   if phrase.colours else np.ones_like(kind))
            placed = phrase.position or node.references or answer.parts.space.min(initial=1) < 1
            heads['space'].append(self._paint(answer.boxes, answer.parts.space, self.grid) if placed
                                  else np.ones_like(kind))
            heads['size'].append(self._paint(answer.boxes, answer.parts.size, self.grid) if phrase.size
                                 else np.ones_like(kind))
            for name, head in self.evidence.heads.items():
                heads.setdefault(name, []).append(self._own(head, node))
            has_boxes = node.text >= 0 or is_place_between(node.phrase)
            boxes.append(_ranked(answer) if has_boxes else _NO_BOXES)
            presence.append(answer.presence)
            said, attention = self._words(node)
            texts.append(said)
            words.append(attention)
        return AttentionMaps(
            self.tree.phrases, _stack(maps, self.grid), np.array(presence, np.float32), self.size,
            heads={name: _stack(head, self.grid) for name, head in heads.items()}, words=tuple(words),
            word_texts=tuple(texts), masks=np.stack(masks).astype(np.float32) if masks else None,
            boxes=tuple(boxes) if self.evidence.own_boxes else ())

    def _answer(self, node: Node) -> _Answer:
        answers = [self._answer(reference) for reference in node.references]
        if node.text == NOTHING:
            return _Answer(_NO_BOXES, resolve_parts(Phrase(''), _NO_BOXES, image_size=self.size), 0.0)
        if is_place_between(node.phrase):
            return self._between(node.phrase, answers)
        if node.text == PLACE and not answers:
            return _Answer(*_judged_cells(node.phrase, self.size, self.grid), 1.0)
        references = None
        if answers:
            found = [np.column_stack([answer.boxes[:, :4], answer.parts.score]) for answer in answers]
            references = np.concatenate(found)
        boxes = self.evidence.boxes[node.text] if node.text >= 0 else _cells(self.size, self.grid)
        colours = self._box_colours(boxes, node.phrase.colours) if node.phrase.colours else None
        parts = resolve_parts(node.phrase, boxes, image_size=self.size, references=references,
                              colours=colours)
        presence = float(self.evidence.presence[node.text]) if node.text >= 0 else 1.0
        for answer in answers:
            presence *= NOT_FOUND + (1 - NOT_FOUND) * answer.presence
        meant = 1.0
        if node.text >= 0 and len(boxes):
            share = float(parts.score.max()) / max(float(parts.kind.max()), 1e-6)
            meant = min(1.0, share / _MEANT)
        return _Answer(boxes, parts, presence * meant, meant)

    def _between(self, phrase: Phrase, answers: list[_Answer]) -> _Answer:
        """Return the places between the things of two answers; they are as surely there as the less sure."""
        found = [np.column_stack([answer.boxes[:, :4], answer.parts.score]) for answer in answers]
        boxes, parts = resolve_between(phrase, found, self.size)
        presence = min((answer.presence for answer in answers), default=0.0) if len(boxes) else 0.0
        return _Answer(boxes, parts, presence)

    def _own(self, values: np.ndarray, node: Node) -> np.ndarray:
        """Return what the evidence has of a node's text: all of a place that has none, nothing of no word."""
        if node.text >= 0:
            own: np.ndarray = values[node.text]
            return own
        return np.full(values.shape[1:], node.text == PLACE, np.float32)

    def _words(self, node: Node) -> tuple[tuple[str, ...], np.ndarray]:
        if node.text < 0:
            return (), np.zeros((0, *self.grid), np.float32)
        if self.evidence.words:
            return self.evidence.word_texts[node.text], self.evidence.words[node.text]
        asked = node.words or (node.text,)
        return tuple(self.tree.texts[index] for index in asked), self.evidence.maps[list(asked)]

    def _colour(self, names: tuple[str, ...]) -> np.ndarray:
        """Return the evidence of any of the colours, (rows * 4, cols * 4) where the image is that large."""
        if names not in self.colours:
            fine = (min(self.grid[1] * _FINE, self.size[0]), min(self.grid[0] * _FINE, self.size[1]))
            self.colours[names] = colour_evidence(self.image, names, fine).max(axis=0)
        return self.colours[names]

    def _box_colours(self, boxes: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        evidence = self._colour(names)
        scale = np.array([evidence.shape[1] / self.size[0], evidence.shape[0] / self.size[1]] * 2)
        share = []
        for x0, y0, x1, y1 in boxes[:, :4] * scale:
            dx, dy = (x1 - x0) * (1 - _INNER) / 2, (y1 - y0) * (1 - _INNER) / 2
            left, top = int(x0 + dx), int(y0 + dy)
            window = evidence[top:max(top + 1, round(y1 - dy)), left:max(left + 1, round(x1 - dx))]
            share.append(float(window.mean()) if window.size else 0.0)
        return np.clip(np.array(share) / _ENOUGH, 0, 1)

    def _paint(self, boxes: np.ndarray, values: np.ndarray, shape: tuple[int, ...],
               outside: float = 0.0) -> np.ndarray:
        """Return (rows, cols): the highest value of the boxes over a cell, ``outside`` elsewhere."""
        if boxes is _cells(self.size, self.grid) and shape == self.grid:
            return values.reshape(shape).astype(np.float32)
        painted = np.full(shape, -1.0, np.float32)
        scale = np.array([shape[1] / self.size[0], shape[0] / self.size[1]] * 2)
        for (x0, y0, x1, y1), value in zip(boxes[:, :4] * scale, values, strict=True):
            left, top = round(x0), round(y0)
            window = painted[top:max(top + 1, round(y1)), left:max(left + 1, round(x1))]
            np.maximum(window, value, out=window)
        return np.where(painted < 0, np.float32(outside), painted)


@lru_cache(maxsize=8)
def _cells(size: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """Return the cells of a grid as candidates (rows * cols, 5), all alike."""
    rows, cols = grid
    x, y = np.meshgrid(np.linspace(0, size[0], cols + 1), np.linspace(0, size[1], rows + 1))
    corners = (x[:-1, :-1], y[:-1, :-1], x[1:, 1:], y[1:, 1:], np.ones((rows, cols)))
    cells = np.stack(corners, -1).reshape(-1, 5).astype(np.float32)
    cells.flags.writeable = False
    return cells


@lru_cache(maxsize=32)
def _judged_cells(phrase: Phrase, size: tuple[int, int],
                  grid: tuple[int, int]) -> tuple[np.ndarray, Resolution]:
    """Return the cells of a grid and how well each is the place that a phrase means.

    That is the same in every image of a stream, and each cell is compared with all: 0.2 s for 1,200.
    """
    cells = _cells(size, grid)
    return cells, resolve_parts(phrase, cells, image_size=size)


def _ranked(answer: _Answer) -> np.ndarray:
    """Return the candidates by their resolved score; the best keeps the model's own where it is meant."""
    score = answer.parts.score
    if not len(score):
        return _NO_BOXES
    best = int(score.argmax())
    scaled = score * (answer.parts.kind[best] * answer.meant / max(float(score[best]), 1e-6))
    ranked = np.column_stack([answer.boxes[:, :4], np.clip(scaled, 0, 1)])
    return ranked[np.argsort(-scaled, kind='stable')].astype(np.float32)


def _stack(maps: list[np.ndarray], grid: tuple[int, ...]) -> np.ndarray:
    return np.stack(maps).astype(np.float32) if maps else np.zeros((0, *grid), np.float32)
