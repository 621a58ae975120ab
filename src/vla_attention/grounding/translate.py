"""The words that a model is asked for: a phrase's thing without its place, in the model's language."""

from __future__ import annotations

from dataclasses import dataclass

from vla_attention.grounding.backend import BackendError
from vla_attention.language.lexicon import load_lexicon
from vla_attention.language.phrase import Phrase

CHOICES = ('auto', 'never', 'always')
_ARTICLES = ('a ', 'an ', 'the ', 'this ', 'that ', 'my ', 'your ', 'some ')
_ADJECTIVES = {'wood': 'wooden'}        # where English does not use the material's own name


@dataclass(frozen=True)
class ModelText:
    """What a model is asked for.

    ``text`` is '' when the phrase names no thing but a place ("the left side"); ``unknown`` lists the words
    that have no translation and stand in the text as written.
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


def model_text(phrase: Phrase, *, translate: bool) -> ModelText:
    """Return colour, material and thing of a phrase as a model is asked for them.

    Size, ordinal, position and relation are left out: models of this kind are known to miss them, and
    :mod:`resolve` judges them. An English phrase without them stays as written, less its article. Korean is
    put into English by the lexicon's own names where ``translate`` is true: no network, no model.
    """
    if not (phrase.noun or phrase.kind):
        return ModelText('')
    if phrase.language == 'en':
        return ModelText(_english(phrase))
    if translate:
        return _korean_to_english(phrase)
    return ModelText(_korean(phrase))


def _is_placed(phrase: Phrase) -> bool:
    return bool(phrase.relation or phrase.position or phrase.size or phrase.ordinal)


def _english(phrase: Phrase) -> str:
    if not _is_placed(phrase):
        text = phrase.text.strip().lower()
        article = next((word for word in _ARTICLES if text.startswith(word)), '')
        return text[len(article):].strip()
    unknown = [word for word in phrase.unknown if word != phrase.noun]
    material = [_ADJECTIVES.get(phrase.material, phrase.material)] if phrase.material else []
    return ' '.join([*unknown, *phrase.colours, *material, phrase.noun or phrase.kind])


def _korean_to_english(phrase: Phrase) -> ModelText:
    unknown = [word for word in phrase.unknown if word != phrase.noun]
    material = [_ADJECTIVES.get(phrase.material, phrase.material)] if phrase.material else []
    text = ' '.join([*unknown, *phrase.colours, *material, phrase.kind or phrase.noun])
    return ModelText(text, tuple(phrase.unknown if phrase.kind else dict.fromkeys([*unknown, phrase.noun])))


def _korean(phrase: Phrase) -> str:
    if not _is_placed(phrase):
        return phrase.text.strip()
    names = load_lexicon().words['ko']
    first: dict[str, str] = {}
    for table in ('colours', 'materials'):
        for word, value in names[table].items():
            first.setdefault(value, word)
    unknown = [word for word in phrase.unknown if word != phrase.noun]
    values = (*phrase.colours, phrase.material) if phrase.material else phrase.colours
    return ' '.join([*unknown, *(first.get(value, value) for value in values), phrase.noun])
