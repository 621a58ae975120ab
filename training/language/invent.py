"""Nouns and verbs that no dictionary holds: the model has to learn places in a sentence, not words."""

from __future__ import annotations

import random

_ONSETS = [
    'b',
    'bl',
    'br',
    'c',
    'ch',
    'cl',
    'cr',
    'd',
    'dr',
    'f',
    'fl',
    'fr',
    'g',
    'gl',
    'gr',
    'h',
    'j',
    'k',
    'kl',
    'l',
    'm',
    'n',
    'p',
    'pl',
    'pr',
    'qu',
    'r',
    's',
    'sc',
    'sh',
    'sk',
    'sl',
    'sm',
    'sn',
    'sp',
    'st',
    'str',
    'sw',
    't',
    'th',
    'tr',
    'tw',
    'v',
    'w',
    'wh',
    'y',
    'z',
]
_VOWELS = [
    'a',
    'e',
    'i',
    'o',
    'u',
    'ai',
    'au',
    'ea',
    'ee',
    'ie',
    'oa',
    'oo',
    'ou',
    'ow',
    'a',
    'e',
    'i',
    'o',
    'u',
    'a',
    'e',
    'i',
    'o',
    'u',
]
_CODAS = (
    '',
    '',
    '',
    'b',
    'ck',
    'd',
    'f',
    'g',
    'l',
    'll',
    'm',
    'n',
    'nd',
    'ng',
    'nk',
    'nt',
    'p',
    'r',
    'rk',
    'rn',
    's',
    'sh',
    'sk',
    'st',
    't',
    'th',
    'x',
    'zz',
    'er',
    'le',
    'et',
    'on',
    'or',
    'y',
    'o',
    'ie',
)
_INITIALS = [
    0,
    2,
    3,
    5,
    6,
    7,
    9,
    11,
    12,
    14,
    15,
    16,
    17,
    18,
    0,
    5,
    9,
    11,
    12,
    18,
    2,
    3,
    6,
    7,
    15,
    16,
    17,
    11,
    1,
    4,
]
_MEDIALS = [0, 1, 4, 5, 8, 13, 18, 20, 6, 0, 8, 13, 18, 20, 4, 20, 0, 4, 8, 13, 20, 5, 9, 2, 12, 17]
_FINALS = [0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 8, 8, 16, 21, 1, 17, 19]

_LIKE_PARTICLES = '로에은는을를이가도와과나만의서다고지게기'


def english_noun(rng: random.Random) -> str:
    """Return one or two made-up syllables."""
    count = rng.choices((1, 2, 3), (0.4, 0.5, 0.1))[0]
    word = ''.join(
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + (rng.choice(_CODAS) if last else '')
        for last in (index == count - 1 for index in range(count))
    )
    return word if len(word) > 2 else word + 'mp'


def korean_noun(rng: random.Random) -> str:
    """Return one to four made-up syllables; some look like a particle that stands inside ("프로파일")."""
    count = rng.choices((1, 2, 3, 4), (0.09, 0.45, 0.36, 0.10))[0]
    syllables = [_syllable(rng) for _ in range(count)]
    if count > 1 and rng.random() < 0.35:
        syllables[rng.randrange(count)] = rng.choice(_LIKE_PARTICLES)
    return ''.join(syllables)


def blend(first: str, second: str, rng: random.Random) -> str:
    """Return the beginning of one noun and the end of another: as real in its letters as they are.

    Made-up syllables tell themselves from real ones; what a blend is, only its surroundings tell.
    """
    front, back = (part.split(' ')[-1] for part in (first, second))
    seams = [
        (end, start)
        for end in range(1, len(front) + 1)
        for start in range(len(back))
        if not front.isascii() or _is_vowel(front[end - 1]) != _is_vowel(back[start])
    ]
    end, start = rng.choice(seams) if seams else (len(front), 0)
    return ' '.join([*second.split(' ')[:-1], front[:end] + back[start:]])


def _is_vowel(letter: str) -> bool:
    return letter.lower() in 'aeiouy'


def korean_stem(rng: random.Random) -> tuple[str, str]:
    """Return a made-up regular verb: stem and -어 form."""
    stem = ''.join(_syllable(rng) for _ in range(rng.choice((1, 1, 2))))
    draw = rng.random()
    if draw < 0.4:
        return stem + '하', stem + '해'
    if draw < 0.6:
        return stem + '시키', stem + '시켜'
    if draw < 0.8:
        return stem + '리', stem + '려'
    return stem + '이', stem + '여'


def korean_mimetic(rng: random.Random) -> str:
    """Return a made-up word that sounds like what it means, most of them doubled: "뚜벅뚜벅", "쿡"."""
    beat = ''.join(_syllable(rng) for _ in range(rng.choice((1, 2, 2))))
    return beat if len(beat) == 1 and rng.random() < 0.5 else beat * 2


def code(rng: random.Random) -> str:
    """Return a made-up mark: "B-07", "JK117", "4C", "12"."""
    letters = ''.join(rng.choices('ABCDEFGHJKLMPRSTUVX', k=rng.choice((1, 1, 1, 2, 3))))
    digits = str(rng.randrange(1, 10 ** rng.choice((1, 1, 2, 2, 3))))
    forms = (f'{letters}{digits}', f'{letters}-{digits}', f'{digits}{letters[0]}', digits, letters[0])
    return rng.choices(forms, (3, 1, 1, 2, 1))[0]


def _syllable(rng: random.Random) -> str:
    return chr(0xAC00 + rng.choice(_INITIALS) * 588 + rng.choice(_MEDIALS) * 28 + rng.choice(_FINALS))
