"""The words that a model is asked for: a phrase's thing without its place, in the model's language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.reference import is_place_between, names_thing
from vla_attention.language.lexicon import load_lexicon
from vla_attention.language.phrase import Phrase
from vla_attention.language.phrase_parser import parse_phrase

CHOICES = ('auto', 'never', 'always')
_DETERMINERS = ('a', 'an', 'the', 'this', 'that', 'these', 'those', 'my', 'your', 'its', 'his', 'her',
                'their', 'our', 'some', 'any')
# what leads to a thing without saying where beside it: the parser knows no relation by these words
_WAYS = ('to', 'toward', 'towards', 'from', 'across', 'through', 'past', 'outside', 'for', 'out of', 'off of')
# the same where an article or another such word follows: "up on the shelf", but "down jacket"
_PARTICLES = ('up', 'down', 'out', 'away', 'off', 'back', 'over', 'right', 'straight', 'just')
_AFTER = (*_DETERMINERS, *_WAYS, 'on', 'onto', 'in', 'into', 'inside', 'at', 'by', 'near', 'next', 'under',
          'behind', 'between', 'against', 'over', 'above', 'below', 'beside')
# "to the left of" is a relation, which the parser knows as a whole
_LEAD = re.compile(rf"(?:(?:{'|'.join(_WAYS)}) (?!(?:the )?(?:left|right|back)\b.* of )"
                   rf"|(?:{'|'.join(_PARTICLES)}) (?=(?:{'|'.join(_AFTER)})\b))+")
_DETERMINER = re.compile(rf"(?:(?:{'|'.join((*_DETERMINERS, 'of'))}) )+")
_KO_OBJECT = '물체'
_KO_COUNT = '번째'       # of "두 번째" without a thing, which is left over as if it were one
_ADJECTIVES = {'wood': 'wooden'}        # where English does not use the material's own name


@dataclass(frozen=True)
class ModelText:
    """What a model is asked for.

    ``text`` is '' when the phrase names no thing but a place ("the left side"), or nothing at all ("..");
    ``unknown`` lists the words that have no translation and stand in the text as written.
    """

    text: str
    unknown: tuple[str, ...] = ()


def wants_translation(choice: str, multilingual: bool) -> bool:
    """Tell whether Korean goes to a model as English.

    :param choice: 'auto' (English unless the model is multilingual), 'never' or 'always'.
    :raises BackendError: another choice.
    """
    if choice not in CHOICES:
        raise BackendError(f"translate must be {', '.join(map(repr, CHOICES))}, not {choice!r}")
    return choice == 'always' or (choice == 'auto' and not multilingual)


def without_lead(phrase: Phrase) -> Phrase:
    """Return a phrase less the English words that lead to it: "up on the shelf" is "on the shelf".

    The parser takes them for things or for what a thing is like.
    """
    if phrase.language != 'en':
        return phrase
    line = ' '.join(phrase.text.lower().split())
    lead = _LEAD.match(line)
    return parse_phrase(line[lead.end():], 'en') if lead and lead.end() < len(line) else phrase


def is_place(phrase: Phrase) -> bool:
    """Tell whether a phrase is a place without a thing: "the left side", "between the plate and the book"."""
    return is_place_between(phrase) or (bool(phrase.position) and not names_thing(phrase))


def model_text(phrase: Phrase, *, translate: bool) -> ModelText:
    """Return colour, material and thing of a phrase as a model is asked for them.

    Size, ordinal, position and relation are left out: models of this kind are known to miss them, and
    :mod:`resolve` judges them. An English phrase without them stays as written, less what leads to it and its
    article. Korean is put into English by the lexicon's own names where ``translate`` is true: no network, no
    model. A phrase that says which thing but not what ("red", "the second") asks for an object.
    """
    phrase = without_lead(phrase)
    if is_place(phrase) or not any(character.isalnum() for character in phrase.text):
        return ModelText('')
    if phrase.language == 'en':
        return ModelText(_english(phrase))
    if translate:
        return _korean_to_english(phrase)
    return ModelText(_korean(phrase))


def _is_placed(phrase: Phrase) -> bool:
    return bool(phrase.relation or phrase.position or phrase.size or phrase.ordinal)


def _english(phrase: Phrase) -> str:
    if phrase.noun and not _is_placed(phrase):
        text = ' '.join(phrase.text.lower().split())
        determiner = _DETERMINER.match(text)
        return text[determiner.end():] if determiner else text
    unknown = [word for word in phrase.unknown if word not in (phrase.noun, *_WAYS, *_PARTICLES)]
    material = [_ADJECTIVES.get(phrase.material, phrase.material)] if phrase.material else []
    return ' '.join([*unknown, *phrase.colours, *material, phrase.noun or phrase.kind or 'object'])


def _korean_to_english(phrase: Phrase) -> ModelText:
    unknown = [word for word in phrase.unknown if word != phrase.noun]
    material = [_ADJECTIVES.get(phrase.material, phrase.material)] if phrase.material else []
    noun = _korean_noun(phrase)
    text = ' '.join([*unknown, *phrase.colours, *material, phrase.kind or noun or 'object'])
    if noun and not phrase.kind:
        return ModelText(text, tuple(dict.fromkeys([*unknown, noun])))
    return ModelText(text, phrase.unknown)


def _korean(phrase: Phrase) -> str:
    noun = _korean_noun(phrase)
    if noun and not _is_placed(phrase):
        return phrase.text.strip()
    names = load_lexicon().words['ko']
    first: dict[str, str] = {}
    for table in ('colours', 'materials'):
        for word, value in names[table].items():
            first.setdefault(value, word)
    unknown = [word for word in phrase.unknown if word != phrase.noun]
    values = (*phrase.colours, phrase.material) if phrase.material else phrase.colours
    return ' '.join([*unknown, *(first.get(value, value) for value in values),
                     noun or _KO_OBJECT])


def _korean_noun(phrase: Phrase) -> str:
    return '' if phrase.ordinal and phrase.noun == _KO_COUNT else phrase.noun
