"""What each head and each word of a phrase looks at, side by side: one block of small maps a phrase."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vla_attention.grounding.attention_maps import HEADS, AttentionMaps
from vla_attention.view.overlay import ROLE_COLOURS, draw_heat, heat
from vla_attention.view.text import draw_text, line_height, shortened, text_size

TILE = 260          # pixels: width of one small map, and of its column
TALLEST = 1.5       # times the width: a taller image gets narrower tiles, else a thin one fills 30000 rows
COLUMNS = 1 + len(HEADS)
MARGIN, GAP = 20, 12
TITLE, CAPTION, SMALL = 24, 18, 15
PAPER, INK, GREY = (255, 255, 255), (40, 40, 40), (120, 120, 120)
DIMMED = 0.45       # of the image's light, where a head is asked nothing
KOREAN = {'map': '전체', 'kind': '종류', 'colour': '색', 'space': '위치', 'size': '크기', 'word': '단어',
          'not asked': '묻지 않음', 'presence': '있을 확률', 'target': '대상', 'destination': '목적지',
          'avoid': '피할 것', 'attention': '주의'}


def draw_heads(image: np.ndarray, maps: AttentionMaps, roles: Sequence[str] = ()) -> np.ndarray:
    """Draw, for each phrase, its whole map, the map of each head, and that of each word.

    Words side by side that have the same map share a tile. A head that the phrase asks nothing (no colour
    word, no size word ...) is alike everywhere: its tile is the dimmed image, and its caption says so.
    Captions are in Korean where the phrase is. A ring marks the peak of the whole map. Maps are drawn as
    they are, 0..1, so tiles can be compared.

    :param image: (H, W, 3) uint8 RGB that was attended to.
    :param roles: of each phrase ('target', 'destination', 'avoid'), written beside it; empty: none.
    :returns: (height, width, 3) uint8 RGB; the width does not depend on the phrases.
    :raises ValueError: image of another shape or dtype, maps without a phrase, or another number of roles.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image must be (H, W, 3) uint8, got {image.shape} {image.dtype}')
    if not maps.phrases:
        raise ValueError('maps has no phrase: there is nothing to draw')
    if roles and len(roles) != len(maps.phrases):
        raise ValueError(f'roles must be one a phrase ({len(maps.phrases)}), got {len(roles)}')
    rows, columns = image.shape[:2]
    scale = min(TILE / columns, TALLEST * TILE / rows)
    tile = cv2.resize(image, (max(1, round(columns * scale)), max(1, round(rows * scale))),
                      interpolation=cv2.INTER_AREA)
    blocks = [_block(tile, maps, index, roles[index] if roles else '') for index in range(len(maps.phrases))]
    return np.concatenate([*blocks, _scale(any(map(is_korean, maps.phrases)))])


def is_korean(text: str) -> bool:
    """Return whether a text has a Korean syllable."""
    return any('가' <= letter <= '힣' for letter in text)


def _block(tile: np.ndarray, maps: AttentionMaps, index: int, role: str) -> np.ndarray:
    phrase = maps.phrases[index]
    korean = is_korean(phrase)
    names = [*HEADS, *(name for name in maps.heads if name not in HEADS)]
    tiles = [(_label('map', korean), _marked(tile, maps.maps[index]))]
    tiles += [_head_tile(tile, name, maps.heads[name][index], korean) for name in names if name in maps.heads]
    if maps.words:
        word = _label('word', korean)
        tiles += [(f'{word}: {text}', _tile(tile, values)) for text, values
                  in _joined(maps.word_texts[index], maps.words[index])]
    return np.concatenate([_title(phrase, role, float(maps.presence[index]), korean), *_rows(tiles)])


def _joined(texts: Sequence[str], values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Put neighbouring words with one and the same map ("left of the spoon") into one tile."""
    joined: list[tuple[str, np.ndarray]] = []
    for text, one in zip(texts, values, strict=True):
        if joined and np.array_equal(joined[-1][1], one):
            joined[-1] = (f'{joined[-1][0]} {text}', one)
        else:
            joined.append((text, one))
    return joined


def _rows(tiles: Sequence[tuple[str, np.ndarray]]) -> list[np.ndarray]:
    """Set captioned tiles in rows: the map and the usual heads fill the first, words begin a new one."""
    height = tiles[0][1].shape[0]
    below = line_height(CAPTION) + GAP
    rows = []
    for begin in range(0, len(tiles), COLUMNS):
        row = _paper(height + below)
        for column, (caption, drawn) in enumerate(tiles[begin:begin + COLUMNS]):
            left = MARGIN + column * (TILE + GAP)
            row[:height, left:left + drawn.shape[1]] = drawn
            draw_text(row, shortened(caption, CAPTION, TILE), (left, height + 1), CAPTION, INK)
        rows.append(row)
    return rows


def _head_tile(tile: np.ndarray, name: str, values: np.ndarray, korean: bool) -> tuple[str, np.ndarray]:
    asked = '' if np.ptp(values) else f' ({_label("not asked", korean)})'
    return _label(name, korean) + asked, _tile(tile, values)


def _tile(tile: np.ndarray, values: np.ndarray) -> np.ndarray:
    if not np.ptp(values):      # a head that is asked nothing, a word that says nothing of a place
        return (tile * DIMMED + 255 * (1 - DIMMED) * 0.5).astype(np.uint8)
    return draw_heat(tile, values, opacity=0.75)


def _marked(tile: np.ndarray, values: np.ndarray) -> np.ndarray:
    drawn = _tile(tile, values)
    row, column = np.unravel_index(int(np.nanargmax(values)), values.shape)
    centre = (round((column + 0.5) / values.shape[1] * tile.shape[1]),
              round((row + 0.5) / values.shape[0] * tile.shape[0]))
    cv2.circle(drawn, centre, 8, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.circle(drawn, centre, 8, (255, 255, 255), 2, cv2.LINE_AA)
    return drawn


def _title(phrase: str, role: str, presence: float, korean: bool) -> np.ndarray:
    canvas = _paper(line_height(TITLE) + 2 * GAP)
    x = MARGIN
    if role:
        name = _label(role, korean)
        width, height = text_size(name, CAPTION)
        cv2.rectangle(canvas, (x, GAP), (x + width + 12, GAP + height + 6), ROLE_COLOURS.get(role, INK), -1)
        draw_text(canvas, name, (x + 6, GAP + 2), CAPTION, PAPER)
        x += width + 24
    note = f'{_label("presence", korean)} {presence:.2f}'
    room = canvas.shape[1] - x - MARGIN - text_size(note, CAPTION)[0] - 2 * GAP
    shown = shortened(phrase, TITLE, room)
    draw_text(canvas, shown, (x, GAP - 4), TITLE, INK)
    draw_text(canvas, note, (x + text_size(shown, TITLE)[0] + 2 * GAP, GAP + 2), CAPTION, GREY)
    return canvas


def _scale(korean: bool) -> np.ndarray:
    """Draw what the colours mean."""
    canvas = _paper(line_height(SMALL) + 2 * GAP)
    width, height = TILE // 2, 12
    draw_text(canvas, f'{_label("attention", korean)}  0', (MARGIN, GAP - 3), SMALL, GREY)
    left = MARGIN + text_size(f'{_label("attention", korean)}  0', SMALL)[0] + 8
    canvas[GAP:GAP + height, left:left + width] = heat(np.linspace(0, 1, width)[None], (width, height))
    draw_text(canvas, '1', (left + width + 8, GAP - 3), SMALL, GREY)
    return canvas


def _paper(height: int) -> np.ndarray:
    return np.full((height, 2 * MARGIN + COLUMNS * (TILE + GAP) - GAP, 3), PAPER, np.uint8)


def _label(name: str, korean: bool) -> str:
    return KOREAN.get(name, name) if korean else name
