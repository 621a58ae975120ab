"""The sentence as the language attention sees it: roles in colour, weights as shading, links as arcs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from vla_attention.language import Instruction, Token
from vla_attention.view.text import draw_text, line_height, text_size

COLOURS = {     # Okabe and Ito's palette, which colour-blind people can tell apart
    'target': (230, 159, 0), 'action': (0, 114, 178), 'manner': (0, 158, 115),
    'destination': (213, 94, 0), 'source': (204, 121, 167), '': (150, 150, 150),
}
FONT_SIZE = 22
SMALL = 13
SMALLEST = 14           # pixels, of words: with 8 a long sentence was dots
SMALLEST_WEIGHT = 9     # and of the weights below them
LONGEST_LINE = 1800     # pixels; a longer sentence has several lines
MOST_LINES = 6          # a longer sentence is written smaller, and what has no room then is left out
LONGEST_TOKEN = 40      # characters; of a longer one the beginning is drawn
MOST_ROWS = 60          # of the matrix
LINK_SHOWN = 0.15       # attention from which on a link is drawn
_MARGIN = 24
_MORE = 40      # pixels for the '…' after the last token that has room
_HIGHEST, _HIGHEST_OF_MANY = 170, 90    # pixels for the arcs above a line: of one alone, of several
_INK = (40, 40, 40)
_GREY = (110, 110, 110)
_HEAT = np.array([(255, 255, 255), (253, 208, 162), (241, 105, 19), (127, 39, 4)], np.float32)


def draw_sentence(instruction: Instruction, head: str | None = None) -> np.ndarray:
    """Draw a parsed instruction.

    Each token stands in a box of its role's colour, the stronger the more weight it has. Arcs lead from
    a word to what it attends to; below, the same attention as a matrix (rows: query, columns: key). A long
    text has several lines: an arc to another of them leaves at the edge of the picture, and enters there
    again. Where a text is cut off, in the last line or in the matrix, stands '…'.

    :param head: one of ``instruction.heads``; None draws the mean of all.
    :returns: (H, W, 3) uint8 RGB. An empty parse shows the text and the reason.
    :raises ValueError: there is no such head.
    """
    if head is not None and head not in instruction.heads:
        raise ValueError(f'head must be one of {sorted(instruction.heads)}, got {head!r}')
    if not instruction.tokens:
        return _empty(instruction)
    links = _links(instruction, head)
    tokens = [replace(token, text=_cut(token.text, LONGEST_TOKEN)) for token in instruction.tokens]
    size = FONT_SIZE
    boxes = _boxes(tokens, size)
    while size > SMALLEST and boxes[-1].line >= MOST_LINES:
        size -= 2
        boxes = _boxes(tokens, size)
    if boxes[-1].line >= MOST_LINES:
        boxes = [box for box in boxes if box.line < MOST_LINES - 1
                 or (box.line == MOST_LINES - 1 and box.right + _MORE + _MARGIN <= LONGEST_LINE)]
    lines = boxes[-1].line + 1
    end = max(box.right for box in boxes) + (_MORE if len(boxes) < len(tokens) else 0)
    arcs = [] if links is None else _arcs(links, boxes, _MARGIN // 2, end + _MARGIN // 2)
    heights = [_arc_height(arcs, line, lines) for line in range(lines)]
    below = line_height(size) + 14 + line_height(_weight_size(size)) + 14   # from a line's words to the next
    first = _MARGIN + line_height(SMALL) + 12
    tops = [first + sum(heights[:line + 1]) + line * below for line in range(lines)]
    matrix = None if links is None else _matrix(tokens, links, min(size, 15))
    legend = _legend_width()
    width = max(end + _MARGIN, legend + 2 * _MARGIN,
                0 if matrix is None else matrix.shape[1] + 2 * _MARGIN)
    bottom = tops[-1] + below
    height = bottom + (0 if matrix is None else matrix.shape[0] + _MARGIN)
    canvas = np.full((height, width, 3), 255, np.uint8)
    _draw_legend(canvas, 'weights' if links is None else f'attention: {head or "mean of the heads"}')
    canvas = _draw_arcs(canvas, arcs, tops, heights)
    _draw_tokens(canvas, tokens, boxes, tops, size)
    if len(boxes) < len(tokens):
        draw_text(canvas, '…', (boxes[-1].right + 12, tops[-1] + 2), size, _INK)
    if matrix is not None:
        canvas[bottom:bottom + matrix.shape[0], _MARGIN:_MARGIN + matrix.shape[1]] = matrix
    return canvas


class _Box(NamedTuple):
    """Where a token stands."""

    line: int
    left: int
    right: int

    @property
    def centre(self) -> float:
        return (self.left + self.right) / 2


class _Arc(NamedTuple):
    """A link, or the part of it on one line: its other end is then the edge of the picture."""

    line: int
    start: float    # pixels from the left
    end: float
    weight: float
    whole: bool
    arrow: bool     # whether it leads to the key at ``end``; else from the query at ``start`` away

    @property
    def reach(self) -> float:
        return abs(self.end - self.start)


def _links(instruction: Instruction, head: str | None) -> np.ndarray | None:
    if head is not None:
        return instruction.heads[head]
    if not instruction.heads:       # a parse that came as JSON has none
        return None
    return np.mean(list(instruction.heads.values()), axis=0)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f'{text[:longest - 1]}…'


def _boxes(tokens: Sequence[Token], size: int) -> list[_Box]:
    """Set tokens in lines; pieces of one written word stand close together, in one line where that can be."""
    widths = [max(text_size(token.text, size)[0] + 10, 20) for token in tokens]
    joined = [False, *(token.start == before.end for before, token in itertools.pairwise(tokens))]
    limit = LONGEST_LINE - _MARGIN
    boxes, line, x = [], 0, _MARGIN
    for index, width in enumerate(widths):
        word = width    # and what is joined to it
        for other in itertools.takewhile(lambda other: joined[other], range(index + 1, len(tokens))):
            word += 3 + widths[other]
        gap = 0 if x == _MARGIN else 3 if joined[index] else 12
        needed = width if joined[index] or word > limit - _MARGIN else word
        if x > _MARGIN and x + gap + needed > limit:
            line, x, gap = line + 1, _MARGIN, 0
        boxes.append(_Box(line, x + gap, x + gap + width))
        x += gap + width
    return boxes


def _arcs(links: np.ndarray, boxes: Sequence[_Box], left: float, right: float) -> list[_Arc]:
    """Return what is drawn of the links: between lines, the part from the query and the part to the key."""
    arcs = []
    for query, key in np.argwhere(links[:len(boxes), :len(boxes)] >= LINK_SHOWN):
        if query == key:
            continue
        weight, start, end = float(links[query, key]), boxes[query], boxes[key]
        if start.line == end.line:
            arcs.append(_Arc(start.line, start.centre, end.centre, weight, True, True))
        else:
            leave, enter = (right, left) if start.line < end.line else (left, right)
            arcs.append(_Arc(start.line, start.centre, leave, weight, False, False))
            arcs.append(_Arc(end.line, enter, end.centre, weight, False, True))
    return arcs


def _arc_height(arcs: Sequence[_Arc], line: int, lines: int) -> int:
    """Return the room that the arcs above a line take, in pixels."""
    reach = max((arc.reach for arc in arcs if arc.line == line), default=0)
    return int(min(_HIGHEST if lines == 1 else _HIGHEST_OF_MANY, 26 + 0.28 * reach))


def _draw_arcs(canvas: np.ndarray, arcs: Sequence[_Arc], tops: Sequence[int],
               heights: Sequence[int]) -> np.ndarray:
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    longest = [max((arc.reach for arc in arcs if arc.line == line), default=1) for line in range(len(tops))]
    for arc in arcs:
        base = tops[arc.line] - 3
        rise = 18 + (heights[arc.line] - 24) * arc.reach / max(longest[arc.line], 1)
        shade = int(190 - 160 * min(arc.weight, 1.0))
        colour = (shade, shade, shade)
        turns = np.linspace(0, np.pi, 40)
        if not arc.whole:       # half an arc, up to the edge of the picture or down from there
            turns = turns / 2 + (np.pi / 2 if arc.arrow else 0)
        shares = (1 - np.cos(turns)) / 2
        shares = (shares - shares[0]) / (shares[-1] - shares[0])
        points = list(zip((arc.start + (arc.end - arc.start) * shares).tolist(),
                          (base - rise * np.sin(turns)).tolist(), strict=True))
        pen.line(points, fill=colour, width=1 + round(2 * arc.weight), joint='curve')
        if arc.arrow:
            x, y = points[-1]
            lean = 4 if arc.end > arc.start else -4
            pen.polygon([(x, y + 2), (x - 5 - lean / 2, y - 8), (x + 5 - lean / 2, y - 8)], fill=colour)
    return np.asarray(image).copy()


def _weight_size(size: int) -> int:
    return max(SMALLEST_WEIGHT, min(SMALL, size - 4) - 2)


def _draw_tokens(canvas: np.ndarray, tokens: Sequence[Token], boxes: Sequence[_Box], tops: Sequence[int],
                 size: int) -> None:
    tall = line_height(size) + 10
    for token, (line, left, right) in zip(tokens, boxes, strict=False):
        top = tops[line]
        colour = np.array(COLOURS.get(token.role, COLOURS['']), np.float32)
        strength = 0.08 + 0.77 * min(max(token.weight, 0.0), 1.0)
        canvas[top:top + tall, left:right] = np.uint8(255 - strength * (255 - colour))
        canvas[top + tall - 3:top + tall, left:right] = np.uint8(colour)
        draw_text(canvas, token.text, (left + 5, top + 2), size, _INK)
        draw_text(canvas, f'{token.weight:.2f}'.lstrip('0') or '0', (left, top + tall + 2),
                  _weight_size(size), _GREY)


def _legend_width() -> int:
    return 260 + sum(text_size(role or 'other', SMALL)[0] + 30 for role in COLOURS)


def _draw_legend(canvas: np.ndarray, title: str) -> None:
    x = _MARGIN
    for role, colour in COLOURS.items():
        canvas[_MARGIN - 8:_MARGIN + 6, x:x + 14] = colour
        draw_text(canvas, role or 'other', (x + 18, _MARGIN - 10), SMALL, _INK)
        x += text_size(role or 'other', SMALL)[0] + 30
    draw_text(canvas, title, (x + 14, _MARGIN - 10), SMALL, _INK)


def _matrix(tokens: Sequence[Token], links: np.ndarray, size: int) -> np.ndarray:
    """Draw the attention as a matrix with the tokens beside and above it."""
    links = links[:MOST_ROWS, :MOST_ROWS]
    count = len(links)
    texts = [token.text for token in tokens[:count]] + ['…'] * (len(tokens) > count)
    cell = max(line_height(size) + 4, 14)
    label = max(text_size(text, size)[0] for text in texts) + 8
    side = label + len(texts) * cell + 2
    canvas = np.full((side, side, 3), 255, np.uint8)
    heat = np.repeat(np.repeat(_heat(links), cell, 0), cell, 1)
    canvas[label:label + count * cell, label:label + count * cell] = heat
    for index in range(count + 1):
        canvas[label + index * cell, label:] = 225
        canvas[label:, label + index * cell] = 225
    for index, text in enumerate(texts):
        width = text_size(text, size)[0]
        draw_text(canvas, text, (label - 6 - width, label + index * cell + 1), size, _INK)
        lying = np.full((cell, label, 3), 255, np.uint8)
        draw_text(lying, text, (4, 1), size, _INK)
        canvas[:label, label + index * cell + 1:label + index * cell + cell] = np.rot90(lying)[:, :cell - 1]
    return canvas


def _heat(links: np.ndarray) -> np.ndarray:
    """(T, T) of 0..1 -> (T, T, 3) uint8."""
    place = np.clip(links, 0, 1) * (len(_HEAT) - 1)
    low = np.minimum(place.astype(int), len(_HEAT) - 2)
    part = (place - low)[..., None]
    return np.round((1 - part) * _HEAT[low] + part * _HEAT[low + 1]).astype(np.uint8)


def _empty(instruction: Instruction) -> np.ndarray:
    text = _cut(' '.join(instruction.text.split()), 80) or '(nothing)'
    reason = instruction.reason or 'not parsed'
    width = max(text_size(text, FONT_SIZE)[0], text_size(reason, SMALL)[0]) + 2 * _MARGIN
    canvas = np.full((2 * _MARGIN + line_height(FONT_SIZE) + line_height(SMALL) + 8, width, 3), 255, np.uint8)
    draw_text(canvas, text, (_MARGIN, _MARGIN), FONT_SIZE, _INK)
    draw_text(canvas, reason, (_MARGIN, _MARGIN + line_height(FONT_SIZE) + 8), SMALL, (180, 30, 30))
    return canvas
