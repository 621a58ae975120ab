"""Draws from the word lists, keeping the nouns and templates apart that only the test may use."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from training.language.invent import blend

WORDS = Path(__file__).parent / 'words'
HELD_OUT_SHARE = 8  # one noun in eight is kept for the test; templates by the lists' `held_out`
SKEW = 1.7  # the lists begin with what is commonest: a third of the draws are of the first seventh
BLENDED, BLEND_SHARE = ('nouns', 'surfaces', 'containers'), 0.2
_T = TypeVar('_T')


@cache
def load_words(name: str) -> dict[str, Any]:
    """Read a word list by its name ('en', 'ko', 'negatives')."""
    return yaml.safe_load((WORDS / f'{name}.yaml').read_text(encoding='utf-8'))


def held_out(noun: str) -> bool:
    """Tell whether a noun is kept for the test; the same in every run."""
    return zlib.crc32(noun.encode()) % HELD_OUT_SHARE == 0


class Chooser:
    """Random choices of one generator; ``test`` takes the held-out half of what is split."""

    def __init__(self, rng: random.Random, language: str, *, test: bool) -> None:
        self.rng = rng
        self.test = test
        self.new_templates = 0  # how many held-out templates the sample at hand uses
        self.lists = load_words(language)
        self._held_out = frozenset(self.lists['held_out'])
        groups: dict[str, list[str]] = self.lists['nouns']
        every = {
            'nouns': [noun for group in groups.values() for noun in group],
            **groups,
            'surfaces': self.lists['surfaces'],
            'containers': self.lists['containers'],
            **({'controls': self.lists['controls']} if 'controls' in self.lists else {}),
        }
        self._nouns = {key: self._split(value) for key, value in every.items()}
        self._groups = list(groups)
        self._sizes = [len(self._nouns[group]) for group in groups]

    def _split(self, nouns: Sequence[str]) -> list[str]:
        return [noun for noun in nouns if held_out(noun) == self.test]

    def chance(self, probability: float) -> bool:
        """Return True with the probability."""
        return self.rng.random() < probability

    def word(self, key: str) -> str:
        """Draw from a list that training and test share."""
        return self.rng.choice(self.lists[key])

    def weighted(self, key: str) -> str:
        """Draw from a list that gives how often."""
        return self.rng.choices(list(self.lists[key]), list(self.lists[key].values()))[0]

    def verb(self, kind: str) -> Any:
        """Draw a verb of a class."""
        return self.rng.choice(self.lists['verbs'][kind])

    def noun(self, key: str = 'nouns') -> str:
        """Draw a noun of the split: in training, common ones more often, and blends of two."""
        if self.test:
            return self.rng.choice(self._nouns[key])
        noun = self._common(key)
        if key in BLENDED and self.chance(BLEND_SHARE):
            made = blend(noun, self._common(key), self.rng)
            return noun if held_out(made) else made
        return noun

    def _common(self, key: str) -> str:
        nouns = self._nouns[self.rng.choices(self._groups, self._sizes)[0] if key == 'nouns' else key]
        return nouns[int(len(nouns) * self.rng.random() ** SKEW)]

    def template(self, templates: Sequence[str] | dict[str, float]) -> str:
        """Draw a template (of equal weights, or by weight); held-out ones in the test alone."""
        names = list(templates)
        weights = list(templates.values()) if isinstance(templates, dict) else [1.0] * len(names)
        new = [name in self._held_out for name in names]
        if self.test and any(new) and self.chance(0.5):
            weights = [weight if is_new else 0.0 for weight, is_new in zip(weights, new, strict=False)]
        elif not self.test and not all(new):
            weights = [0.0 if is_new else weight for weight, is_new in zip(weights, new, strict=False)]
        name = self.rng.choices(names, weights)[0]
        self.new_templates += name in self._held_out
        return name

    def pick(self, **weights: float) -> str:
        """Draw one of the names by weight."""
        return self.rng.choices(list(weights), list(weights.values()))[0]
