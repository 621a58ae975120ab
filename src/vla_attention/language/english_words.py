"""Words of English phrases: hyphens, counts, clauses, relations, "of"; by the lexicon."""

from __future__ import annotations

import re
from typing import Any

from vla_attention.language.lexicon import Lexicon, singular_forms

ARTICLES = frozenset((
    'a', 'an', 'the', 'this', 'that', 'these', 'those', 'its', 'his', 'her', 'their', 'my', 'your', 'our',
    'some', 'any', 'of'))
_NUMBERS = frozenset(('two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'))
FILLER = _NUMBERS | frozenset((
    'very', 'most', 'more', 'dark', 'light', 'bright', 'pale', 'deep', 'colored', 'coloured', 'side', 'one',
    'ones', 'there', 'which', 'is', 'are', 'to', 'from', 'other', 'color', 'colour', 'in', 'and', 'part',
    'hand', 'really', 'quite', 'rather', 'slightly', 'much', 'bit', 'size', 'sized', 'shade', 'all', 'both',
    'every', 'each', 'several', 'many', 'few'))
_ALL = _NUMBERS | {'all', 'both', 'every', 'each', 'several', 'many', 'few', 'most', 'some', 'rest'}
_OF_SEVERAL = _ALL | {'one', 'ones', 'any', 'either', 'none', 'other', 'kinds', 'kind'}
_WITH = frozenset(('with', 'without', 'that', 'which'))
# behind a thing, what it has or where else it is; no relation is known by these words
_CLAUSES = _WITH | frozenset((
    'who', 'whose', 'where', 'outside', 'opposite', 'across', 'past', 'from', 'for', 'wearing', 'holding',
    'carrying', 'containing', 'having', 'has', 'made', 'full', 'filled', 'covered', 'labelled', 'labeled',
    'marked', 'shaped', 'facing'))
_IS = re.compile(r'\b(?:that|which) (?:is|are)\b(?= \w)')
_MADE_OF = re.compile(r'(?<=\w) made (?:out )?(?:of|from) (\w+)')
_HAS_ON_IT = re.compile(r'\b(with|that has|that have|which has|containing|having) ([\w ]+?) '
                        r'(?:on|in|inside|into|on top of|under|around|next to) (?:it|them)\b')
_THERE = re.compile(r'(?<=\w) (?:(?:over|right|back|down|up) )?(?:there|here)$')
_WAYS = frozenset(('up', 'down', 'over', 'right', 'back'))
_EMPHASIS = re.compile(r'\b(?:right|just|directly|immediately) '
                       r'(?=(?:behind|next to|in front of|beside|under|above|below|on top of|near'
                       r'|(?:to the )?(?:left|right) of)\b)')
_MEASURES = frozenset((
    'slice', 'piece', 'pair', 'bunch', 'loaf', 'head', 'ear', 'kind', 'set', 'drop', 'ml', 'l', 'g', 'gram',
    'kg', 'mg', 'μl', 'ul'))
_THERE_IS = (r'(?:\b(?:that is|which is|that are|standing|sitting|lying|placed|located|hanging|leaning'
             r'|resting) )?')
_LOOKS = ('colour', 'material', 'size')
# what names nothing but how many: any things
_ANY = re.compile(rf"(?:the )?(?:one|({'|'.join(sorted(_ALL - {'every'}))}|everything|others))"
                  r'(?: (?:of )?(?:them|these|those))?(?: else| left)?')


def line_of(text: str, lexicon: Lexicon) -> str:
    """Return a phrase in lower case, with what is said behind a thing before it, less what says nothing.

    "Dark-blue cup over there" -> "dark blue cup", "cup made of glass" -> "glass cup", "box no. 2" -> "box",
    "both of them" -> "things".
    """
    words = [word for each in re.findall(r"[\w'-]+", text.lower().replace('\u2019', "'"))
             for word in _unhyphened(each.strip("'-"), lexicon)]
    if many := _ANY.fullmatch(' '.join(words)):
        return 'things' if many[1] else 'thing'
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in ('no', 'number') or words[-1] in _NUMBERS):
        words.pop()
    line = _HAS_ON_IT.sub(r'\1 \2', _EMPHASIS.sub('', ' '.join(words)))
    there = _THERE.sub('', line)
    # "up there" is no thing
    return _looks_first(line if _WAYS.issuperset(there.split()) else there, lexicon)


def attribute(word: str, lexicon: Lexicon) -> tuple[str, Any]:
    """Return (field, value) of a word that says what a thing is like; ('', None) of another."""
    return lexicon.attribute(word, 'en')


def split_relation(line: str, lexicon: Lexicon) -> tuple[str, str, str]:
    """Split a phrase at its first relation: (relation, what stands before, what stands behind)."""
    best: tuple[int, int, str] | None = None
    for wording, relation in lexicon.words['en']['relations'].items():
        match = re.search(rf'{_THERE_IS}\b{re.escape(wording)}\b(?= |$)', line)
        if match and (best is None or (match.start(), -match.end()) < (best[0], -best[1])):
            best = (match.start(), match.end(), relation)
    if best is None:
        return '', line, ''
    return best[2], line[:best[0]].strip(), line[best[1]:].strip()


def content(line: str, lexicon: Lexicon) -> list[str]:
    """Return the words of a noun phrase that carry meaning; "can of soup" keeps its whole name."""
    words = line.split()
    clause = next((index for index, word in enumerate(words) if index and word in _CLAUSES and (
        word in _WITH or not all(_is_said_of_several(each, lexicon) for each in words[:index]))), len(words))
    whole = [word for word in words[:clause] if word not in ARTICLES or word == 'of']
    if 'of' in whole and 'of' not in (whole[0], whole[-1]):
        cut = whole.index('of')
        for start in range(cut):
            if lexicon.lookup('kinds', ' '.join(whole[start:]), 'en'):
                return whole
        if _is_choice(whole[:cut], lexicon):
            said = [word for word in whole[:cut] if word not in _OF_SEVERAL]
            return [*said, *(word for word in whole[cut + 1:] if word != 'of')]
        # "slice of cake" is cake; of "glass of water" and "pile of plates" the head stands in front
        measure = {whole[cut - 1], *singular_forms(whole[cut - 1])}
        whole = whole[:cut] if measure.isdisjoint(_MEASURES) else whole[cut + 1:]
    return [word for word in whole if word != 'of']


def wants_several(line: str, plural: bool, lexicon: Lexicon) -> bool:
    """Tell whether a noun phrase asks for several: "cups", "every cup", not "one of the cups".

    :param plural: the noun is a plural.
    """
    words = line.split()
    if 'of' not in words[1:]:
        return plural or not {'every', 'each'}.isdisjoint(words)
    before = words[:words.index('of', 1)]
    one = 'ones' not in before and _ALL.isdisjoint(before) and _is_choice(before, lexicon)
    return plural and not one


def _unhyphened(word: str, lexicon: Lexicon) -> list[str]:
    """Split what hyphens join where a part says what a thing is like ("dark-blue", "red-colored")."""
    word = word.removesuffix("'s") + (' is' if word == "that's" else '')
    parts = word.split('-')
    if len(parts) == 1 or lexicon.lookup('kinds', word, 'en') or attribute(word, lexicon)[0]:
        return word.split()
    return parts if any(attribute(part, lexicon)[0] in _LOOKS for part in parts) else [word]


def _looks_first(line: str, lexicon: Lexicon) -> str:
    """Put "that is red" and "made of glass" before the thing that they are said of."""
    for clause in (_IS, _MADE_OF):
        match = clause.search(line)
        if match is None:
            continue
        before, behind = line[:match.start()].split(), line[match.end():]
        looks = (match[1] if match.groups() else behind).split()
        if before and all(attribute(look, lexicon)[0] in _LOOKS or look in ('and', 'very') for look in looks):
            articles = 1 if before[0] in ARTICLES else 0
            line = ' '.join([*before[:articles], *looks, *before[articles:]])
            line += behind if match.groups() else ''
    return line


def _is_choice(words: list[str], lexicon: Lexicon) -> bool:
    """Tell whether words before "of" leave the thing to what is behind.

    "The largest of the boxes", "the left one of the cups", not "glass of water"; "the corner of the table" is
    a place.
    """
    placed = any(attribute(word, lexicon)[0] == 'position' for word in words)
    return (all(_is_said_of_several(word, lexicon) for word in words)
            and (not placed or not {'one', 'ones'}.isdisjoint(words)))


def _is_said_of_several(word: str, lexicon: Lexicon) -> bool:
    return (word in ARTICLES or word in _OF_SEVERAL or word in FILLER
            or attribute(word, lexicon)[0] in ('colour', 'size', 'ordinal', 'position'))
