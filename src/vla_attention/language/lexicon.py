"""The bilingual lexicon of referring phrases: which canonical value a word stands for."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

ATTRIBUTES = ('colours', 'materials', 'sizes', 'ordinals', 'positions')     # what a thing is said to be like
FIELDS = ('kinds', *ATTRIBUTES, 'relations')
_IRREGULAR = {'children': 'child', 'men': 'man', 'women': 'woman', 'mice': 'mouse', 'feet': 'foot',
              'teeth': 'tooth'}


class Lexicon:
    """Words of both languages and what they mean.

    ``words[language][field]`` maps a word (English in lower case) to its canonical value for each of
    :data:`FIELDS`; ``names[kind]`` holds what a kind is called, {'en': [...], 'ko': [...]}, the usual name
    first; ``like[kind]`` lists kinds that look alike, or the members of a group.
    """

    def __init__(self, data: dict[str, dict[Any, dict[str, list[str]]]]) -> None:
        """Read the tables of ``lexicon.yaml``.

        :raises ValueError: a table is missing, or a kind is said to be like one that is not there.
        """
        missing = [name for name in FIELDS if name not in data]
        if missing:
            raise ValueError(f'the lexicon lacks {", ".join(missing)}')
        self.words: dict[str, dict[str, dict[str, Any]]] = {language: {} for language in ('en', 'ko')}
        for name in FIELDS:
            for language in ('en', 'ko'):
                table: dict[str, Any] = {}
                if language == 'en' and name != 'relations':
                    # a canonical name means itself, whatever other entry has it for a synonym; a number does
                    # not: "2 cups" are not the second
                    table.update((key.replace('_', ' '), key) for key in data[name] if isinstance(key, str))
                for key, entry in data[name].items():
                    for word in entry.get(language, []):
                        table.setdefault(word, key)
                self.words[language][name] = table
        self.names = {kind: {'en': [kind, *entry.get('en', [])], 'ko': list(entry.get('ko', []))}
                      for kind, entry in data['kinds'].items()}
        self.like = {kind: tuple(entry.get('like', ())) for kind, entry in data['kinds'].items()}
        strange = {other for others in self.like.values() for other in others} - set(self.like)
        if strange:
            raise ValueError(f'the lexicon has no kind {", ".join(sorted(strange))}')

    def attribute(self, word: str, language: str) -> tuple[str, Any]:
        """Return (field, value) of a word that says what a thing is like, as it is; ('', None) of another."""
        for field in ATTRIBUTES:
            value = self.words[language][field].get(word)
            if value is not None:
                return field[:-1], value
        return '', None

    def lookup(self, field: str, word: str, language: str) -> Any:
        """Return the canonical value of a word (English: also of a plural), or None.

        Words in Latin letters are English, in a Korean phrase too ("red 컵", "빨간 box").
        """
        if language == 'ko' and word.isascii() and word not in self.words['ko'][field]:
            language, word = 'en', word.lower()
        table = self.words[language][field]
        if language == 'ko' or word in table:
            return table.get(word)
        return next((table[form] for form in singular_forms(word) if form in table), None)

    def compound(self, first: str, second: str, language: str) -> str:
        """Return the kind that two nouns name together, of which English has the name; '' where it has none.

        "설탕 상자" is what "sugar box" is, "토마토소스 캔" a "can of tomato sauce", "별 블록" a star.
        """
        one, other = self.lookup('kinds', first, language), self.lookup('kinds', second, language)
        if not one or not other:
            return ''
        if other == 'block' and other in self.like[one]:
            return str(one)
        table = self.words['en']['kinds']
        return str(table.get(f'{one} {other}') or table.get(f'{other} of {one}') or '')


def singular_forms(word: str) -> list[str]:
    """Return what an English plural may be the plural of: "boxes" -> ["boxe", "box"]."""
    forms = [_IRREGULAR[word]] if word in _IRREGULAR else []
    if word.endswith('ves'):
        forms += [word[:-3] + 'fe', word[:-3] + 'f']
    if word.endswith('ies'):
        forms.append(word[:-3] + 'y')
    if word.endswith('s') and not word.endswith('ss'):
        forms.append(word[:-1])
    if word.endswith('es'):
        forms.append(word[:-2])
    return forms


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """Return the package's lexicon, read once."""
    text = files(__package__).joinpath('lexicon.yaml').read_text(encoding='utf-8')
    return Lexicon(yaml.safe_load(text))
