"""The things that a phrase's relation is to."""

from __future__ import annotations

import re

from vla_attention.language import Phrase, parse_phrase

_PAIR = {'en': re.compile(r'\s+and\s+'), 'ko': re.compile(r'(?<=\S)(?:와|과|하고|이랑|랑)\s+')}


def references_of(phrase: Phrase) -> tuple[Phrase, ...]:
    """Return the phrases of the reference things: both of "between A and B", one or none otherwise."""
    if phrase.reference is None:
        return ()
    if phrase.relation == 'between':
        parts = _PAIR[phrase.language].split(phrase.reference.text)
        if len(parts) > 1:
            return tuple(parse_phrase(part, phrase.language) for part in parts)
    return (phrase.reference,)


def all_phrases(phrase: Phrase) -> list[Phrase]:
    """Return a phrase, its references, and theirs."""
    return [phrase, *(part for reference in references_of(phrase) for part in all_phrases(reference))]
