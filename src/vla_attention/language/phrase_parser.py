"""Referring phrase -> Phrase: head noun, attributes, position and relation, by the bilingual lexicon."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from typing import Any

from vla_attention.language.lexicon import Lexicon, load_lexicon
from vla_attention.language.phrase import Phrase

_KO_PLURAL = re.compile('(.*들)[을이은도과]?')     # "컵들"
_HANGUL = re.compile('[가-힣]')
_LONGEST = 4    # words of the longest entry of the lexicon
_JOINTS = {'en': re.compile(r'\s+and\s+'), 'ko': re.compile(r'(?<=\S)(?:와|과|하고|이랑|랑)\s+')}
_MOST_JOINTS = 4        # of "A and B and C ..." that are tried; each more doubles the ways to split

# what a position may be said to be of without meaning another thing than the picture
_WHOLE = frozenset(('table', 'desk', 'floor', 'monitor', 'picture frame', 'scene', 'view'))
_SIDES = {'left_of': 'left', 'right_of': 'right', 'in_front_of': 'front', 'behind': 'back'}
_EN_ARTICLES = frozenset((
    'a', 'an', 'the', 'this', 'that', 'these', 'those', 'its', 'his', 'her', 'their', 'my', 'your', 'our',
    'some', 'any', 'of'))
_EN_FILLER = frozenset((
    'very', 'most', 'more', 'dark', 'light', 'bright', 'pale', 'deep', 'colored', 'coloured', 'side', 'one',
    'ones', 'there', 'which', 'is', 'are', 'to', 'from', 'other', 'color', 'colour', 'in', 'and', 'part',
    'hand'))
_EN_CLAUSE = ('with', 'without', 'that', 'which')
_EN_PLACE = re.compile(
    r'\b(?:(?:on|at|to|in|near|from|towards?|by) (?:the |its )?)'
    r'((?:very )?(?:far |upper |top |lower |bottom |back |front |left |right |middle |center |centre )*'
    r'(?:left|right|top|bottom|middle|center|centre|front|back|rear|corner|edge|end|foreground|background)'
    r'(?: (?:corner|edge|side|end|hand side|half|part))?)'
    r'(?: of (?:the )?(?:image|picture|photo|scene|view|table|desk|frame|screen|row|workspace|counter))?'
    r'(?! of\b)(?! (?:the|a|an) )\b')
_EN_EMPHASIS = re.compile(r'\b(?:right|just|directly|immediately) '
                          r'(?=(?:behind|next to|in front of|beside|under|above|below|on top of|near)\b)')
_EN_MEASURES = ('slice', 'piece', 'pair', 'bunch', 'loaf', 'head', 'ear', 'kind', 'set')
_EN_CLOSEST = re.compile(r'\b(?:(closest|nearest|near|close|closer)|(farthest|furthest|far|away)) '
                         r'(?:to|from) (?:the )?(?:camera|us|me|you|viewer|robot)\b')
_EN_FURTHEST = re.compile(r'\b(?:furthest|farthest) (?:to|on) the (left|right)\b')
_KO_LINKS = frozenset(('있는', '놓인', '놓여', '들어', '담긴', '있던', '놓여있는', '들어있는',
                       '보이는', '쪽의', '쪽'))
_KO_MOST = ('맨', '가장', '제일')
_KO_FILLER = frozenset(('그', '저', '이', '진한', '연한', '밝은', '어두운', '짙은', '옅은', '된', '한',
                        '모양', '모양의', '색깔', '색상의', '색깔의', '쪽', '놓인', '다른', '바로'))
_KO_PARTICLE = re.compile(r'(에서|으로|에다|에게|의|에|로|을|를|은|는|이|가|와|과)$')
_KO_REFERENCE = re.compile(r'(에서|에|의|와|과|이|가|보다)$')


def parse_phrase(text: str, language: str | None = None) -> Phrase:
    """Take a referring phrase apart.

    A destination ("on the blue plate", "파란 접시 위") is the noun phrase of the thing that it is said by,
    with ``relation`` kept and no ``reference``: the map shows the plate. A phrase of position alone
    ("가운데", "the left side") has no noun. Unknown words go to ``unknown``; an unknown head noun has
    ``kind`` ''. A place between things ("between the plate and the book", "접시와 책 사이") has no noun
    either: its ``reference`` names them all (:func:`things_of`).

    :param text: the phrase as written, with or without article or particle.
    :param language: 'en' or 'ko'; told from the script when None.
    :raises ValueError: another language.
    """
    if language not in (None, 'en', 'ko'):
        raise ValueError(f"language must be 'en' or 'ko', got {language!r}")
    text = unicodedata.normalize('NFC', text).strip()
    language = language or ('ko' if _HANGUL.search(text) else 'en')
    return _parse_cached(text, language)


@lru_cache(maxsize=1024)
def _parse_cached(text: str, language: str) -> Phrase:
    phrase = _korean(text) if language == 'ko' else _english(text)
    plural = phrase.plural or (language == 'ko' and _is_plural(text))
    return replace(phrase, text=text, language=language, plural=plural)


def things_of(text: str, language: str) -> tuple[Phrase, ...]:
    """Return the phrases of the things that a text names together: two of "the plate and the book".

    Of the ways to split a text with several joints, that one in which most parts are whole: "the salt and
    pepper and the plate" are two things, as the lexicon has "salt and pepper"; of equals, the one with the
    fewest parts, split first. Nothing is returned where there is no joint.
    """
    joints = _joints(text, language)
    best: tuple[Phrase, ...] = ()
    most = -1.0
    for count in range(1, len(joints) + 1):
        for chosen in combinations(joints, count):
            starts, ends = [0, *(end for _, end in chosen)], [*(start for start, _ in chosen), len(text)]
            parts = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
            if not all(parts):
                continue
            things = tuple(parse_phrase(part, language) for part in parts)
            whole = sum(map(_is_whole, things)) / len(things)
            if whole > most:
                best, most = things, whole
    return best


def _joints(text: str, language: str) -> list[tuple[int, int]]:
    """Return where a text says "and", (start, end) each; "사과" (apple), "노랑" (yellow) only end like it."""
    lexicon = load_lexicon()
    found = [match.span() for match in _JOINTS[language].finditer(text)
             if language == 'en' or not _known(text[:match.end()].split()[-1], lexicon)]
    return found[:_MOST_JOINTS]


def _is_whole(phrase: Phrase) -> bool:
    """Tell whether a phrase is one thing: the lexicon knows it, and any "and" in it is of its own name."""
    return bool(phrase.kind) and (len(_joints(phrase.text, phrase.language))
                                  == len(_joints(phrase.noun, phrase.language)))


def _is_plural(text: str) -> bool:
    """Tell whether a Korean phrase asks for all of them."""
    many = _KO_PLURAL.fullmatch(text.split()[-1] if text else '')
    # "샌들" is one thing
    return text.startswith('모든 ') or (many is not None and not _known(many[1], load_lexicon()))


def _noun_phrase(words: list[str], language: str, lexicon: Lexicon) -> dict[str, Any]:
    """Read words whose last ones are the head noun and the others say what it is like."""
    found: dict[str, Any] = {}
    colours: list[str] = []
    unknown: list[str] = []
    head = len(words)
    for size in range(min(_LONGEST, len(words)), 0, -1):
        noun = ' '.join(words[-size:])
        kind = lexicon.lookup('kinds', noun, language)
        if kind is not None and (size > 1 or len(words) > 1 or not _is_attribute(noun, language, lexicon)):
            plural = language == 'en' and noun not in lexicon.words['en']['kinds']
            found.update(noun=noun, kind=kind, plural=plural)
            head -= size
            break
    position = 0
    while position < head:
        for size in range(min(_LONGEST, head - position), 0, -1):
            word = ' '.join(words[position:position + size])
            name, value = _attribute(word, language, lexicon)
            if name:
                break
        position += size
        if name == 'colour':
            colours.append(value)
        elif name == 'position':
            found['position'] = join_positions(found.get('position', ''), value)
        elif name:
            found.setdefault(name, value)
        elif word in (_EN_FILLER if language == 'en' else _KO_FILLER):
            continue
        elif lexicon.lookup('kinds', word, language) is None:
            unknown.append(word)
    if 'noun' not in found and words:
        if unknown and unknown[-1] == words[-1]:     # a noun that the lexicon does not know
            found['noun'] = unknown[-1]
        elif not _is_attribute(words[-1], language, lexicon) and words[-1] not in _EN_FILLER:
            found['noun'] = words[-1]
    return {**found, 'colours': tuple(dict.fromkeys(colours)), 'unknown': tuple(unknown)}


def _attribute(word: str, language: str, lexicon: Lexicon) -> tuple[str, Any]:
    for name in ('colours', 'materials', 'sizes', 'ordinals', 'positions'):
        value = lexicon.words[language][name].get(word)
        if value is not None:
            return name[:-1], value
    return '', None


def _is_attribute(word: str, language: str, lexicon: Lexicon) -> bool:
    """Tell whether a word alone is more of an attribute than a noun: "red", but not "orange" or "glass"."""
    name, _ = _attribute(word, language, lexicon)
    return bool(name) and (name == 'position' or lexicon.lookup('kinds', word, language) is None)


def join_positions(first: str, second: str) -> str:
    """Join two sides into one place: ('left', 'top') -> 'top_left', ('right', 'corner') -> 'right'."""
    if not first or not second or first == second:
        return first or second
    vertical = {'topmost': 'top', 'bottommost': 'bottom', 'back': 'top', 'front': 'bottom'}
    parts = [vertical.get(part, part) for part in (first, second)]
    rows = [part for part in parts if part in ('top', 'bottom')]
    columns = [part.replace('most', '') for part in parts if part.replace('most', '') in ('left', 'right')]
    if rows and columns:
        return f'{rows[0]}_{columns[0]}'
    return next((part for part in (first, second) if part not in ('corner', 'edge', 'middle')), first)


def _english(text: str) -> Phrase:
    lexicon = load_lexicon()
    words = re.findall(r"[\w'-]+", text.lower().replace('\u2019', "'"))
    line = ' '.join(words)
    line = _EN_EMPHASIS.sub('', line)
    position = ''
    for near, far in _EN_CLOSEST.findall(line):
        position = 'frontmost' if near else 'backmost' if far else ''
    line = _EN_FURTHEST.sub(r'on the far \1', _EN_CLOSEST.sub(' ', line))
    for match in _EN_PLACE.finditer(line):
        position = join_positions(position, _place(match.group(1), lexicon))
    line = re.sub(r'\s+', ' ', _EN_PLACE.sub(' ', line)).strip()
    relation, left, right = _split_relation(line, lexicon)
    if relation and not right:
        relation = ''
    fields = _noun_phrase(_content(left), 'en', lexicon) if left else {}
    if relation == 'between' and not left and _joints(right, 'en'):
        return Phrase(text=text, relation=relation, position=position,
                      reference=replace(_english(right), text=right, language='en'))
    if relation and not left:                       # a destination: "on the blue plate"
        inner = _english(right)
        return replace(inner, relation=inner.relation if inner.reference else relation,
                       position=join_positions(inner.position, position))
    if relation:
        reference = replace(_english(right), text=right, language='en')
        if reference.kind in _WHOLE and relation in _SIDES:
            position, relation = join_positions(position, _SIDES[relation]), ''
        else:
            fields.update(relation=relation, reference=reference)
    fields['position'] = join_positions(position, fields.get('position', ''))
    return Phrase(text=text, **fields)


def _place(words: str, lexicon: Lexicon) -> str:
    """Read the inside of "on the (far left) side"."""
    place = ''
    for match in re.finditer(r'far (?:left|right)|\w+', words):
        place = join_positions(place, lexicon.words['en']['positions'].get(match.group(), ''))
    return place


def _split_relation(line: str, lexicon: Lexicon) -> tuple[str, str, str]:
    """Split a phrase at its first relation: (relation, what stands before, what stands behind)."""
    best: tuple[int, int, str] | None = None
    for wording, relation in lexicon.words['en']['relations'].items():
        match = re.search(rf'(?:\b(?:that is|which is|that are|standing|sitting|lying|placed|located) )?'
                          rf'\b{re.escape(wording)}\b(?= |$)', line)
        if match and (best is None or (match.start(), -match.end()) < (best[0], -best[1])):
            best = (match.start(), match.end(), relation)
    if best is None:
        return '', line, ''
    return best[2], line[:best[0]].strip(), line[best[1]:].strip()


def _content(line: str) -> list[str]:
    """Return the words of an English noun phrase that carry meaning; "can of soup" keeps its whole name."""
    words = line.split()
    lexicon = load_lexicon()
    whole = [word for word in words if word not in _EN_ARTICLES or word == 'of']
    if 'of' in whole and 'of' not in (whole[0], whole[-1]):
        cut = whole.index('of')
        for start in range(cut):
            if lexicon.lookup('kinds', ' '.join(whole[start:]), 'en'):
                return whole
        # "slice of cake" is cake; of "glass of water" and "pile of plates" the head stands in front
        whole = whole[cut + 1:] if whole[cut - 1] in _EN_MEASURES else whole[:cut]
    cut = next((i for i, word in enumerate(whole) if word in _EN_CLAUSE), len(whole))
    return [word for word in whole[:cut] if word != 'of']


def _korean(text: str) -> Phrase:
    lexicon = load_lexicon()
    words = _split_known(re.findall(r'[\w-]+', text), lexicon)
    relations = lexicon.words['ko']['relations']
    for cut in range(len(words) - 1, 0, -1):
        # 사이, 가까이 only end like a noun with a particle
        bare = words[cut] if words[cut] in relations else _strip(words[cut])
        linked = cut + 1 == len(words) or bare != words[cut] or words[cut + 1] in _KO_LINKS
        relation = None if words[cut - 1] in _KO_MOST else relations.get(bare)
        if relation is None or not linked or (words[cut:] == [bare] and bare in lexicon.words['ko']['kinds']):
            continue
        inner = _noun_phrase([_strip(word, _KO_REFERENCE, lexicon) for word in words[:cut]], 'ko', lexicon)
        if 'noun' not in inner:                    # "왼쪽 위", "빨간 가운데": no thing to be next to
            continue
        rest = [word for word in words[cut + 1:] if word not in _KO_LINKS]
        reference = replace(_korean(' '.join(words[:cut])), language='ko')
        if not rest and relation == 'between' and _joints(reference.text, 'ko'):
            return Phrase(text=text, language='ko', relation=relation, reference=reference)
        if not rest:                               # a destination: "파란 접시 위"
            if reference.kind in _WHOLE and relation in _SIDES:
                return replace(reference, position=_SIDES[relation])
            return replace(reference, relation=reference.relation if reference.reference else relation)
        fields = _korean_fields(rest, lexicon)
        if reference.kind in _WHOLE and relation in _SIDES:
            fields['position'] = join_positions(_SIDES[relation], fields.get('position', ''))
        else:
            fields.update(relation=relation, reference=reference)
        return Phrase(text=text, language='ko', **fields)
    return Phrase(text=text, language='ko', **_korean_fields(words, lexicon))


def _korean_fields(words: list[str], lexicon: Lexicon) -> dict[str, Any]:
    kept = [word for word in words if word not in _KO_LINKS]
    kept = [_strip(word, known=lexicon) if i < len(kept) - 1 else _strip_last(word, lexicon)
            for i, word in enumerate(kept)]
    return _noun_phrase(kept, 'ko', lexicon)


def _strip(word: str, particle: re.Pattern[str] = _KO_PARTICLE, known: Lexicon | None = None) -> str:
    """Take a case particle off, unless the lexicon has the word as it is ("가위", "과자")."""
    if known is not None and _known(word, known):
        return word
    bare = particle.sub('', word)
    return bare if bare else word


def _strip_last(word: str, lexicon: Lexicon) -> str:
    """Take a particle or the plural ending off the head noun where the rest is a known word."""
    if _known(word, lexicon):
        return word
    for bare in (_KO_PARTICLE.sub('', word), word.removesuffix('들')):
        if bare and _known(bare, lexicon):
            return bare
    return word


def _known(word: str, lexicon: Lexicon) -> bool:
    return any(word in table for table in lexicon.words['ko'].values()) or word in _KO_FILLER


def _split_known(words: list[str], lexicon: Lexicon) -> list[str]:
    """Split words that are written together where both parts are known: "빨간컵" -> "빨간", "컵"."""
    split: list[str] = []
    for word in words:
        if not _known(word, lexicon) and not _known(_strip(word), lexicon):
            for cut in range(len(word) - 1, 0, -1):
                first, second = word[:cut], _strip_last(word[cut:], lexicon)
                if _attribute(first, 'ko', lexicon)[0] and second in lexicon.words['ko']['kinds']:
                    split += [first, second]
                    break
            else:
                split.append(word)
        else:
            split.append(word)
    return split
