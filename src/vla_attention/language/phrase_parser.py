"""Referring phrase -> Phrase: head noun, attributes, position and relation, by the bilingual lexicon."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from typing import Any

from vla_attention.language import english_words, korean_phrases, korean_words
from vla_attention.language.lexicon import Lexicon, load_lexicon
from vla_attention.language.phrase import Phrase

_HANGUL = re.compile('[가-힣]')
_LONGEST = 4    # words of the longest entry of the lexicon
_JOINTS = {'en': re.compile(r'\s+and\s+'),
           'ko': re.compile(r'(?<=\S)(?:와|과|하고|이랑|랑)\s+|\s+(?:및|그리고|하고|이랑|랑)\s+')}
_MOST_JOINTS = 4        # of "A and B and C ..." that are tried; each more doubles the ways to split

# what a position may be said to be of without meaning another thing than the picture
_WHOLE = frozenset(('table', 'desk', 'floor', 'monitor', 'picture frame', 'scene', 'view'))
_SURFACES = frozenset(('table', 'desk', 'floor'))     # "식탁 왼쪽" is on the table, "모니터 왼쪽" beside it
_SIDES = {'left_of': 'left', 'right_of': 'right', 'in_front_of': 'front', 'behind': 'back'}
_EN_PLACE = re.compile(
    r'\b(?:(?:on|at|to|in|near|from|towards?|by) (?:the |its )?)'
    r'((?:very )?(?:far |upper |top |lower |bottom |back |front |left |right |middle |center |centre )*'
    r'(?:left|right|top|bottom|middle|center|centre|front|back|rear|corner|edge|end|foreground|background)'
    r'(?: (?:corner|edge|side|end|hand side|half|part))?)'
    r'(?: of (?:the )?(?:image|picture|photo|scene|view|table|desk|frame|screen|row|workspace|counter)'
    r'(?! (?:lamp|tennis|cloth|frame|organizer)\b))?'
    r'(?! of\b)(?! (?:the|a|an) )\b')
_EN_CLOSEST = re.compile(r'\b(?:(closest|nearest|near|close|closer)|(farthest|furthest|far|away)) '
                         r'(?:(?:to|from) (?:the )?(?:camera|viewer|robot)(?! (?:lens|tripod|arm)\b)'
                         r'|(?:(?:to|from) )?(?:us|me|you))\b')
_EN_FURTHEST = re.compile(r'\b(?:furthest|farthest) (?:to|on) the (left|right)\b')
_KO_MIDDLE = ('가운데', '중간')     # of two things: between them


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
    plain = unicodedata.normalize('NFKC', text)     # "ＴＶ" is TV
    phrase = _korean(plain) if language == 'ko' else _english(plain)
    return replace(phrase, text=text, language=language)


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
             if language == 'en' or not korean_words.known(text[:match.end()].split()[-1], lexicon)]
    return found[:_MOST_JOINTS]


def _is_whole(phrase: Phrase) -> bool:
    """Tell whether a phrase is one thing: the lexicon knows it, and any "and" in it is of its own name."""
    return bool(phrase.kind) and (len(_joints(phrase.text, phrase.language))
                                  == len(_joints(phrase.noun, phrase.language)))


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
            if size == 1 and head and (whole := lexicon.compound(words[head - 1], noun, language)):
                found.update(noun=f'{words[head - 1]} {noun}', kind=whole)
                head -= 1
            break
    else:
        kind = _compound(words[-1], lexicon) if language == 'ko' and words else ''
        if kind:
            found.update(noun=words[-1], kind=kind)
            head -= 1
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
        elif word in (english_words.FILLER if language == 'en' else korean_words.FILLER) or word.isdigit():
            continue
        elif lexicon.lookup('kinds', word, language) is None:
            unknown.append(word)
    if 'noun' not in found and words:
        if unknown and unknown[-1] == words[-1]:     # a noun that the lexicon does not know
            found['noun'] = unknown[-1]
        elif not _is_attribute(words[-1], language, lexicon) and words[-1] not in english_words.FILLER:
            found['noun'] = words[-1]
    return {**found, 'colours': tuple(dict.fromkeys(colours)), 'unknown': tuple(unknown)}


def _compound(word: str, lexicon: Lexicon) -> str:
    return '' if korean_words.attribute(word, lexicon)[0] else korean_words.compound_kind(word, lexicon)


def _attribute(word: str, language: str, lexicon: Lexicon) -> tuple[str, Any]:
    if language == 'ko':
        return korean_words.attribute(word, lexicon)
    return english_words.attribute(word, lexicon)


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
    line = english_words.line_of(text, lexicon)
    position = ''
    for near, far in _EN_CLOSEST.findall(line):
        position = 'frontmost' if near else 'backmost' if far else ''
    line = _EN_FURTHEST.sub(r'on the far \1', _EN_CLOSEST.sub(' ', line))
    for match in _EN_PLACE.finditer(line):
        position = join_positions(position, _place(match.group(1), lexicon))
    line = re.sub(r'\s+', ' ', _EN_PLACE.sub(' ', line)).strip()
    relation, left, right = english_words.split_relation(line, lexicon)
    if relation and not right:
        relation = ''
    if relation and left in ('a', 'an', 'the'):      # "the near cup"
        relation, left = '', line
    fields = _english_fields(left, lexicon) if left else {}
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
        elif relation in ('on', 'in') and not (reference.noun or reference.kind or reference.colours):
            position = join_positions(position, reference.position)     # "on your left", "on the other side"
        else:
            fields.update(relation=relation, reference=reference)
    fields['position'] = join_positions(position, fields.get('position', ''))
    return Phrase(text=text, **fields)


def _place(words: str, lexicon: Lexicon) -> str:
    """Read the inside of "on the (far left) side"."""
    place = ''
    for match in re.finditer(r'(?:far|very) \w+|(?:left|right) (?:end|edge)|\w+', words):
        place = join_positions(place, lexicon.words['en']['positions'].get(match.group(), ''))
    return place


def _english_fields(line: str, lexicon: Lexicon) -> dict[str, Any]:
    """Read a noun phrase that no relation is part of."""
    fields = _noun_phrase(english_words.content(line, lexicon), 'en', lexicon)
    return {**fields, 'plural': english_words.wants_several(line, fields.get('plural', False), lexicon)}


def _korean(text: str) -> Phrase:
    lexicon = load_lexicon()
    words, several = korean_phrases.words_of(text, lexicon)
    for cut in range(len(words) - 1, 0, -1):
        found = _korean_relation(words, cut, lexicon)
        if found is None:
            continue
        relation, place, behind = found
        fields = _korean_fields([word for word in behind if word not in korean_words.LINKS], lexicon)
        plural = several or fields['plural']
        if relation == 'to me':
            position = join_positions('frontmost', fields.get('position', ''))
            return Phrase(text=text, language='ko', **{**fields, 'plural': plural, 'position': position})
        reference = replace(_korean(place), language='ko')
        beside = reference.kind in _WHOLE and relation in _SIDES     # on that side of the picture
        if behind and beside:
            fields['position'] = join_positions(_SIDES[relation], fields.get('position', ''))
        elif behind:
            fields.update(relation=relation, reference=reference)
        elif relation == 'between' and _joints(reference.text, 'ko'):
            return Phrase(text=text, language='ko', relation=relation, reference=reference)
        elif beside:
            position = join_positions(reference.position, _SIDES[relation])
            if reference.kind in _SURFACES and relation in ('left_of', 'right_of'):
                return Phrase(text=text, language='ko', position=position)      # a place, and no table
            return replace(reference, position=position)
        else:                                      # a destination: "파란 접시 위"
            return replace(reference, relation=reference.relation if reference.reference else relation)
        return Phrase(text=text, language='ko', **{**fields, 'plural': plural})
    fields = _korean_fields(words, lexicon)
    return Phrase(text=text, language='ko', **{**fields, 'plural': several or fields['plural']})


def _korean_relation(words: list[str], cut: int, lexicon: Lexicon) -> tuple[str, str, list[str]] | None:
    """Return (relation, what it is to, the words behind) where a word says a relation, else None."""
    relations = lexicon.words['ko']['relations']
    # 사이, 가까이 only end like a noun with a particle
    bare = words[cut] if words[cut] in relations else korean_words.strip(words[cut])
    relation = None if words[cut - 1] in korean_words.MOST else relations.get(bare)
    if bare in _KO_MIDDLE and _joints(' '.join(words[:cut]), 'ko'):
        relation = 'between'
    linked = (cut + 1 == len(words) or bare != words[cut] or words[cut + 1] in korean_words.LINKS
              or korean_phrases.stands_between_nouns(words, cut, lexicon))
    behind = words[cut + 1:]
    if relation is None or not linked or (words[cut:] == [bare] and bare in lexicon.words['ko']['kinds']):
        relation, end = korean_phrases.place_at(words, cut, lexicon)
        if not relation:
            return None
        if relation in ('in', 'on'):
            behind = korean_phrases.behind_place(words[cut:], lexicon)
    else:
        end = cut
        if not words[cut].endswith('의'):
            behind = korean_phrases.behind_place(behind, lexicon)
    place = [*words[:end - 1], korean_words.strip_place(words[end - 1], lexicon)]
    if 'noun' not in _noun_phrase([korean_words.strip(word, lexicon) for word in place], 'ko', lexicon):
        return None         # "왼쪽 위", "빨간 가운데": no thing to be next to
    return relation, ' '.join(place), [word for word in behind if word not in korean_words.LINKS]


def _korean_fields(words: list[str], lexicon: Lexicon) -> dict[str, Any]:
    """Read a noun phrase that no relation is part of."""
    strip = korean_words.strip
    words, several = korean_phrases.less_numbers(korean_phrases.less_clauses(words, lexicon))
    kept = [word for word in words if korean_words.LINKS.isdisjoint((word, strip(word, lexicon)))]
    several = several or (bool(kept) and korean_words.is_plural(kept[-1], lexicon))
    nth = any(word.endswith('째로') for word in kept)       # "두 번째로 큰": of the largest
    kept = korean_phrases.of_many(kept, lexicon)
    before = [strip(word, lexicon) for word in kept[:-1]]
    kept = [*before, *(korean_words.strip_head(word, lexicon, before) for word in kept[-1:])]
    fields = _noun_phrase(kept, 'ko', lexicon)
    if nth:
        fields['size'] = korean_words.SUPERLATIVES.get(fields.get('size', ''), fields.get('size', ''))
    return {**fields, 'plural': several}
