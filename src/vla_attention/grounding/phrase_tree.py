"""Phrases and what they are said by, as the list of texts that a model is asked for once an instruction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vla_attention.grounding.translate import model_text
from vla_attention.language.phrase import Phrase
from vla_attention.language.phrase_parser import parse_phrase

_PAIR = {'en': re.compile(r'\s+and\s+'), 'ko': re.compile(r'(?<=\S)(?:와|과|하고|이랑|랑)\s+')}


@dataclass(frozen=True)
class Node:
    """A phrase with the things that its relation is to, which may have relations of their own.

    ``text`` is the index of the model's text, -1 for a place without a thing; ``words`` those of its single
    words.
    """

    phrase: Phrase
    text: int
    words: tuple[int, ...] = ()
    references: tuple[Node, ...] = ()


@dataclass(frozen=True)
class PhraseTree:
    """P phrases and the T texts, each once, that a model has to look for.

    ``untranslated`` maps a phrase to its words that went to the model as they are, because no list has them.
    """

    phrases: tuple[str, ...]
    nodes: tuple[Node, ...]
    texts: tuple[str, ...]
    untranslated: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class EncodedPhrases:
    """A tree and the backend's own encoding of its texts."""

    tree: PhraseTree
    features: Any


def plant(phrases: Sequence[str], *, translate: bool, with_words: bool = False) -> PhraseTree:
    """Take phrases apart and collect what a model has to be asked for.

    :param translate: Korean goes to the model as English.
    :param with_words: also ask for each word of a text of several words.
    """
    texts: dict[str, int] = {}
    untranslated: dict[str, tuple[str, ...]] = {}

    def index(text: str) -> int:
        return texts.setdefault(text, len(texts))

    def grow(phrase: Phrase) -> Node:
        asked = model_text(phrase, translate=translate)
        if asked.unknown:
            untranslated[phrase.text] = asked.unknown
        words = asked.text.split() if with_words else []
        return Node(phrase, index(asked.text) if asked.text else -1,
                    tuple(index(word) for word in words) if len(words) > 1 else (),
                    tuple(grow(reference) for reference in references_of(phrase)))

    nodes = tuple(grow(parse_phrase(phrase)) for phrase in phrases)
    return PhraseTree(tuple(phrases), nodes, tuple(texts), untranslated)


def references_of(phrase: Phrase) -> tuple[Phrase, ...]:
    """Return what the relation is to: one phrase, two for "between the plate and the book", or none."""
    if phrase.reference is None:
        return ()
    if phrase.relation == 'between':
        parts = _PAIR[phrase.language].split(phrase.reference.text, maxsplit=1)
        if len(parts) == 2 and all(part.strip() for part in parts):
            return tuple(parse_phrase(part, phrase.language) for part in parts)
    return (phrase.reference,)
