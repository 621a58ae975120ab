"""The sentence as the language attention sees it: roles in colour, weights as shading, links as arcs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from vla_attention.language import Instruction, Token
from vla_attention.view.text import draw_text, line_height, load_font, text_size

COLOURS = {     # Okabe and Ito's palette, which colour-blind people can tell apart
    'target': (230, 159, 0), 'action': (0, 114, 178), 'manner': (0, 158, 115),
    'destination': (213, 94, 0), 'source': (204, 121, 167), '': (150, 150, 150),
}
FONT_SIZE = 22
SMALL = 13
SMALLEST = 8
LONGEST_LINE = 3600     # pixels; a longer sentence is written smaller, and what has no room then is left out
LONGEST_TOKEN = 40      # characters; of a longer one the beginning is drawn
MOST_ROWS = 60          # of the matrix
LINK_SHOWN = 0.15       # attention from which on a link is drawn
_MARGIN = 24
_MORE = 40      # pixels for the '…' after the last token that has room
_INK = (40, 40, 40)
_GREY = (110, 110, 110)
_HEAT = np.array([(255, 255, 255), (253, 208, 162), (241, 105, 19), (127, 39, 4)], np.float32)


def draw_sentence(instruction: Instruction, head: str | None = None) -> np.ndarray:
    """Draw a parsed instruction.

    Each token stands in a box of its role's colour, the stronger the more weight it has. Arcs lead from
    a word to what it attends to; below, the same attention as a matrix (rows: query, columns: key). Where a
    long text is cut off, in the line or in the matrix, stands '…'.

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
    while size > SMALLEST and boxes[-1][1] + _MARGIN > LONGEST_LINE:
        size -= 2
        boxes = _boxes(tokens, size)
    if boxes[-1][1] + _MARGIN > LONGEST_LINE:
        boxes = [box for box in boxes if box[1] + _MORE + _MARGIN <= LONGEST_LINE]
    end = boxes[-1][1] + (_MORE if len(boxes) < len(tokens) else 0)
    shown = None if links is None else links[:len(boxes), :len(boxes)]
    arcs_height = _arc_height(shown, boxes)
    top = _MARGIN + line_height(SMALL) + 12 + arcs_height
    matrix = None if links is None else _matrix(tokens, links, min(size, 15))
    legend = _legend_width()
    width = max(end + _MARGIN, legend + 2 * _MARGIN,
                0 if matrix is None else matrix.shape[1] + 2 * _MARGIN)
    bottom = top + line_height(size) + 14 + line_height(SMALL) + 14
    height = bottom + (0 if matrix is None else matrix.shape[0] + _MARGIN)
    canvas = np.full((height, width, 3), 255, np.uint8)
    _draw_legend(canvas, 'weights' if links is None else f'attention: {head or "mean of the heads"}')
    if shown is not None:
        canvas = _draw_arcs(canvas, shown, boxes, top, arcs_height)
    _draw_tokens(canvas, tokens, boxes, top, size)
    if len(boxes) < len(tokens):
        draw_text(canvas, '…', (boxes[-1][1] + 12, top + 2), size, _INK)
    if matrix is not None:
        canvas[bottom:bottom + matrix.shape[0], _MARGIN:_MARGIN + matrix.shape[1]] = matrix
    return canvas


def _links(instruction: Instruction, head: str | None) -> np.ndarray | None:
    if head is not None:
        return instruction.heads[head]
    if not instruction.heads:       # a parse that came as JSON has none
        return None
    return np.mean(list(instruction.heads.values()), axis=0)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f'{text[:longest - 1]}…'


def _boxes(tokens: Sequence[Token], size: int) -> list[tuple[int, int]]:
    """Return left and right edge of each token; pieces of one written word stand close together."""
    boxes, x, end = [], _MARGIN, -1
    for token in tokens:
        x += 0 if end < 0 else 3 if token.start == end else 12
        width = max(text_size(token.text, size)[0] + 10, 20)
        boxes.append((x, x + width))
        x, end = x + width, token.end
    return boxes


def _arc_height(links: np.ndarray | None, boxes: list[tuple[int, int]]) -> int:
    if links is None:
        return 0
    return int(min(170, 26 + 0.28 * max(_reaches(links, boxes), default=0)))


def _reaches(links: np.ndarray, boxes: list[tuple[int, int]]) -> list[int]:
    """Return how far each link that is drawn leads, in pixels."""
    return [abs(boxes[query][0] - boxes[key][0]) for query, key in np.argwhere(links >= LINK_SHOWN)
            if query != key]


def _draw_arcs(canvas: np.ndarray, links: np.ndarray, boxes: list[tuple[int, int]], base: int,
               height: int) -> np.ndarray:
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    longest = max(_reaches(links, boxes), default=1)
    for query, key in np.argwhere(links >= LINK_SHOWN):
        if query == key:
            continue
        weight = float(links[query, key])
        start, end = (sum(boxes[query]) / 2, sum(boxes[key]) / 2)
        rise = 18 + (height - 24) * abs(start - end) / max(longest, 1)
        shade = int(190 - 160 * min(weight, 1.0))
        turns = np.linspace(0, np.pi, 40)
        points = list(zip((start + (end - start) * (1 - np.cos(turns)) / 2).tolist(),
                          (base - 3 - rise * np.sin(turns)).tolist(), strict=True))
        pen.line(points, fill=(shade, shade, shade), width=1 + round(2 * weight), joint='curve')
        x, y = points[-1]
        lean = 4 if end > start else -4
        pen.polygon([(x, y + 2), (x - 5 - lean / 2, y - 8), (x + 5 - lean / 2, y - 8)],
                    fill=(shade, shade, shade))
    return np.asarray(image).copy()


def _draw_tokens(canvas: np.ndarray, tokens: Sequence[Token], boxes: list[tuple[int, int]], top: int,
                 size: int) -> None:
    tall = line_height(size) + 10
    for token, (left, right) in zip(tokens, boxes, strict=False):
        colour = np.array(COLOURS.get(token.role, COLOURS['']), np.float32)
        strength = 0.08 + 0.77 * min(max(token.weight, 0.0), 1.0)
        canvas[top:top + tall, left:right] = np.uint8(255 - strength * (255 - colour))
        canvas[top + tall - 3:top + tall, left:right] = np.uint8(colour)
        draw_text(canvas, token.text, (left + 5, top + 2), size, _INK)
        draw_text(canvas, f'{token.weight:.2f}'.lstrip('0') or '0', (left, top + tall + 2),
                  min(SMALL, size - 4) - 2, _GREY)


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
        image = Image.new('RGB', (label, cell), (255, 255, 255))
        ImageDraw.Draw(image).text((4, 1), text, fill=_INK, font=load_font(size))
        canvas[:label, label + index * cell + 1:label + index * cell + cell] = np.asarray(
            image.rotate(90, expand=True))[:, :cell - 1]
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
