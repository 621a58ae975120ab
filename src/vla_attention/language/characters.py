"""Text -> numbers a character: Korean syllables by their letters, Latin letters without case and accent."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

FEATURES = 6
"""Numbers a character: symbol, initial, medial, final, syllable bucket, case and accent."""

SYMBOLS = 104
SYLLABLE_BUCKETS = 2048
_HANGUL_FIRST, _HANGUL_LAST = 0xAC00, 0xD7A3
_QUOTES = {'’': "'", '‘': "'", '“': '"', '”': '"'}
_SPACE, _SYLLABLE, _JAMO, _LETTER, _MARK = 1, 2, 99, 100, 101    # 0 pads; ASCII 33..126 takes 3 to 96


@lru_cache(maxsize=4096)
def character_features(character: str) -> tuple[int, int, int, int, int, int]:
    """Return the numbers of one character."""
    code = ord(character)
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
