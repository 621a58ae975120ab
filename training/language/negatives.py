"""Texts that are no command, and commands that name nothing to look at."""

from __future__ import annotations

import random

from training.language.chooser import Chooser, load_words
from training.language.invent import english_noun, korean_noun
from training.language.korean_phrases import particle
from training.language.sample import KINDS, Word, mark, say


def foreign(choose: Chooser) -> tuple[list[Word], int]:
    """Return a command in another language that is written in Latin letters."""
    lists = load_words('negatives')['foreign']
    rng = choose.rng
    parts = [rng.choice(lists['verbs']), rng.choice(lists['objects'])]
    parts += rng.sample(lists['places'], rng.choice((0, 1, 1, 2)))
    if rng.random() < 0.3:
        parts += [
            rng.choice(load_words('negatives')['foreign_and']),
            rng.choice(lists['verbs']),
            rng.choice(lists['objects']),
        ]
    if rng.random() < 0.15:
        rng.shuffle(parts)
    return say(' '.join(parts)) + _stop(rng), KINDS.index('foreign')


def chat(choose: Chooser, language: str) -> tuple[list[Word], int]:
    """Return small talk or a statement, about things or not."""
    lists, rng = load_words('negatives'), choose.rng
    draw = rng.random()
    if draw < 0.5:
        text = ' '.join(rng.sample(lists[f'chat_{language}'], rng.choice((1, 1, 1, 2))))
        return say(text) + _stop(rng), KINDS.index('other')
    if draw < 0.62:
        return say(_noise(rng)), KINDS.index('other')
    template = rng.choice(lists[f'statement_{language}'])
    predicate = rng.choice(lists[f'predicates_{language}'])
    nouns = [
        choose.noun() if rng.random() < 0.85 else (korean_noun if language == 'ko' else english_noun)(rng)
        for _ in range(2)
    ]
    if language == 'en':
        return say(template.format(n=nouns[0], m=nouns[1], a=predicate)) + _stop(rng), KINDS.index('other')
    words = [word for part in template.split() for word in _inflected(part, nouns, predicate)]
    return words + _stop(rng), KINDS.index('other')


def _inflected(part: str, nouns: list[str], predicate: str) -> list[Word]:
    """Fill "{n:을}" with a noun and the particle that fits."""
    for name, noun in zip('nm', nouns, strict=False):
        start = f'{{{name}:'
        if part.startswith(start):
            mark_, rest = part[len(start) :].split('}', 1)
            words = say(noun)
            return [*words, particle(mark_, words[-1].text), *([Word(rest, glue=True)] if rest else [])]
    return say(predicate if part == '{a}' else part)


def nothing(choose: Chooser, language: str) -> tuple[list[Word], int]:
    """Return a command that names nothing to look at: "stop"."""
    words = say(choose.rng.choice(load_words('negatives')[f'nothing_{language}']))
    core = [word for word in words if word.text.isalpha()]
    if len(core) == 1:
        mark(core, 'action')
    return words + _stop(choose.rng), KINDS.index('other' if len(core) != 1 else 'command')


def _stop(rng: random.Random) -> list[Word]:
    return [Word(rng.choice('.!?.'), glue=True)] if rng.random() < 0.4 else []


def _noise(rng: random.Random) -> str:
    kind = rng.randrange(6)
    if kind == 0:
        return ' '.join(
            ''.join(rng.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(rng.randint(1, 10)))
            for _ in range(rng.randint(1, 6))
        )
    if kind == 1:
        return ' '.join(
            ''.join(chr(rng.randint(0xAC00, 0xD7A3)) for _ in range(rng.randint(1, 5)))
            for _ in range(rng.randint(1, 5))
        )
    if kind == 2:
        return ''.join(rng.choice('ㅋㅎㅠㅜㄱㄴㅇㄹㅁㅂㅅㅈㅏㅣㅓㅗ') for _ in range(rng.randint(1, 12)))
    if kind == 3:
        return ' '.join(rng.choice(load_words('negatives')['keyboard']) for _ in range(rng.randint(1, 5)))
    if kind == 4:
        return rng.choice(load_words('negatives')['code'])
    return (
        ''.join(
            rng.choice('!@#$%^&*()_+-=[]{};:,.<>/?0123456789abcxyz ') for _ in range(rng.randint(3, 25))
        ).strip()
        or '?'
    )
