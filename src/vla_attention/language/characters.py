"""Text -> numbers a character: Korean syllables by their letters, Latin letters without case and accent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from vla_attention.language.lexicon import load_lexicon

FEATURES = 6
"""Numbers a character: symbol, initial, medial, final, syllable bucket, case and accent."""

SYMBOLS = 104
SYLLABLE_BUCKETS = 2048
_HANGUL_FIRST, _HANGUL_LAST = 0xAC00, 0xD7A3
_QUOTES = {'’': "'", '‘': "'", '“': '"', '”': '"', '「': '"', '」': '"', '『': '"', '』': '"'}
_FULL_WIDTH, _FULL_WIDTH_LAST, _TO_ASCII = 0xFF01, 0xFF5E, 0xFEE0     # "ＴＶ"
_SPACE, _SYLLABLE, _JAMO, _LETTER, _MARK = 1, 2, 99, 100, 101    # 0 pads; ASCII 33..126 takes 3 to 96


@lru_cache(maxsize=4096)
def character_features(character: str) -> tuple[int, int, int, int, int, int]:
    """Return the numbers of one character."""
    code = ord(character)
    if _FULL_WIDTH <= code <= _FULL_WIDTH_LAST:
        return character_features(chr(code - _TO_ASCII))
    if _HANGUL_FIRST <= code <= _HANGUL_LAST:
        index = code - _HANGUL_FIRST
        return (_SYLLABLE, 1 + index // 588, 1 + index // 28 % 21, 1 + index % 28,
                1 + index % (SYLLABLE_BUCKETS - 1), 0)
    if character.isspace():
        return (_SPACE, 0, 0, 0, 0, 0)
    if 0x3131 <= code <= 0x318E:
        return (_JAMO, 0, 0, 0, 0, 0)
    plain = _QUOTES.get(character) or unicodedata.normalize('NFD', character)[0]
    case = (1 if character.isupper() else 0) + (2 if plain != character and plain.isalpha() else 0)
    if 33 <= ord(plain) <= 126:
        return (3 + ord(plain.lower()) - 33, 0, 0, 0, 0, case)
    return (_LETTER if character.isalpha() else _MARK, 0, 0, 0, 0, case)


def encode(text: str) -> np.ndarray:
    """Return (L, :data:`FEATURES`) int64 for a text of L characters."""
    return np.array([character_features(character) for character in text], np.int64).reshape(-1, FEATURES)


# a place noun with 에 behind a noun; not "책상 위에 컵이 있어", which tells where a thing is
_PLACE = re.compile(r'(\S)\s+(?:위|안|옆|앞|뒤|아래|밑|속)에(?=\s)(?!.*(?:있|보[이여]))')
_FINAL_N = 4
_OBJECT = re.compile(r'(?<!\S)([가-힣]{2,})[을를](?!\S)')    # of one syllable it may be a verb: "신을 신발"


def certain_cuts(text: str) -> list[int]:
    """Return where a particle begins for sure: "접시 위|에", "상자 뒤|에", "음식|을".

    뒤에 behind a final ㄴ ("집은 뒤에") may tell a time, and is left to the model, unless it stands behind a
    thing ("문 뒤에").
    """
    kinds = load_lexicon().words['ko']['kinds']
    places = [match.end() - 1 for match in _PLACE.finditer(text)
              if text[match.end() - 2] != '뒤' or character_features(match[1])[3] != 1 + _FINAL_N
              or text[:match.end(1)].split()[-1] in kinds]
    return places + [match.end(1) for match in _OBJECT.finditer(text) if match[1] in kinds]


def pieces_of(text: str, starts: Sequence[bool]) -> list[tuple[int, int]]:
    """Cut a text into pieces: at spaces, and before each character that ``starts`` marks.

    :returns: [start, end) of each piece; spaces belong to none.
    """
    pieces: list[tuple[int, int]] = []
    begin = -1
    for index, character in enumerate(text):
        space = character.isspace()
        if begin >= 0 and (space or starts[index]):
            pieces.append((begin, index))
            begin = -1
        if begin < 0 and not space:
            begin = index
    if begin >= 0:
        pieces.append((begin, len(text)))
    return pieces
