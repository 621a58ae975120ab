"""Phrases and what they are said by, as the list of texts that a model is asked for once an instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vla_attention.grounding.reference import references_of
from vla_attention.grounding.translate import is_place, model_text, without_lead
from vla_attention.language.phrase import Phrase
from vla_attention.language.phrase_parser import parse_phrase

PLACE, NOTHING = -1, -2     # what stands for the text of a place without a thing, and of no word at all


@dataclass(frozen=True)
class Node:
    """A phrase with the things that its relation is to, which may have relations of their own.

    ``text`` is the index of the model's text, or :data:`PLACE` or :data:`NOTHING`; ``words`` those of its
    single words.
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
        phrase = without_lead(phrase)
        without = PLACE if is_place(phrase) else NOTHING
        words = asked.text.split() if with_words else []
        return Node(phrase, index(asked.text) if asked.text else without,
                    tuple(index(word) for word in words) if len(words) > 1 else (),
                    tuple(grow(reference) for reference in references_of(phrase)))

    nodes = tuple(grow(parse_phrase(phrase)) for phrase in phrases)
    return PhraseTree(tuple(phrases), nodes, tuple(texts), untranslated)
