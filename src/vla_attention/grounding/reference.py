"""The things that a phrase's relation is to."""

from __future__ import annotations

from vla_attention.language import Phrase
from vla_attention.language.phrase_parser import things_of


def references_of(phrase: Phrase) -> tuple[Phrase, ...]:
    """Return the phrases of the reference things: all of "between A and B", one or none otherwise."""
    if phrase.reference is None:
        return ()
    if phrase.relation == 'between':
        return things_of(phrase.reference.text, phrase.language) or (phrase.reference,)
    return (phrase.reference,)


def all_phrases(phrase: Phrase) -> list[Phrase]:
    """Return a phrase, its references, and theirs."""
    return [phrase, *(part for reference in references_of(phrase) for part in all_phrases(reference))]


def names_thing(phrase: Phrase) -> bool:
    """Tell whether a phrase says what or which a thing is: "cup", "red", "the largest", not "on the left"."""
    return bool(phrase.noun or phrase.kind or phrase.colours or phrase.material or phrase.size
                or phrase.ordinal)


def is_place_between(phrase: Phrase) -> bool:
    """Tell whether a phrase is the place between things and none itself: "between the plate and the book"."""
    return phrase.relation == 'between' and phrase.reference is not None and not names_thing(phrase)
