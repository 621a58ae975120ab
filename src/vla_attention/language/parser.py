"""Text -> Instruction: a first parse by particles and prepositions, until the learned model is trained."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import numpy as np

from vla_attention.language.instruction import HEADS, ROLES, Instruction, Step, Token

MAX_CHARACTERS = 2000
"""Longer texts are refused: no command is that long."""

_HANGUL = re.compile('[가-힣]')
_LATIN = re.compile('[A-Za-z]')
_KO_MANNER = re.compile(r'(히|게|살살|똑바로)$')
_EN_FILLER = frozenset('please could would can you the a an me it them first then and i want to'.split())
_EN_MANNER = re.compile(r'\w+ly$|^upright$')
_EN_RELATION = frozenset('on in into onto to next beside behind under near inside over between'.split())


class InstructionParser:
    """Takes commands apart."""

    def parse(self, text: str) -> Instruction:
        """Return what the command says; an empty parse with a reason where there is nothing to look at."""
        text = unicodedata.normalize('NFC', text)
        if not text.strip():
            return Instruction(text, reason='the text is empty')
        if len(text) > MAX_CHARACTERS:
            return Instruction(text[:80], reason=f'the text is longer than {MAX_CHARACTERS} characters')
        if any(unicodedata.category(c) == 'Cc' and not c.isspace() for c in text):
            return Instruction(text, reason='the text holds control characters')
        language = 'ko' if _HANGUL.search(text) else 'en' if _LATIN.search(text) else ''
        if not language:
            return Instruction(text, reason='the text is neither Korean nor English')
        spans = list(_korean(text) if language == 'ko' else _english(text))
        roles: dict[str, list[str]] = {role: [] for role in ROLES}
        for start, end, role in spans:
            roles[role].append(text[start:end])
        steps = tuple(_steps(text, spans, language))
        if not roles['target'] and not roles['destination']:
            return Instruction(text, language=language, reason='the text names nothing to look at')
        tokens = tuple(Token(text[a:b], a, b, role, 1.0) for a, b, role in spans)
        eye = np.eye(len(tokens), dtype=np.float32)
        return Instruction(text, language, tokens, roles, steps, {head: eye for head in HEADS})


def _korean(text: str) -> Iterator[tuple[int, int, str]]:
    start = None
    words = list(re.finditer(r'[^\s.,!?]+', text))
    for index, word in enumerate(words):
        start = word.start() if start is None else start
        last = index == len(words) - 1
        if _KO_MANNER.search(word.group()):
            yield word.start(), word.end(), 'manner'
        elif last or re.search(r'(아서|어서|고|해서|은 다음)$', word.group()):
            yield start, word.end(), 'action'
        else:
            match = re.search(r'(에서|으로|[을를은는에로])$', word.group())
            if not match or (index + 1 < len(words) and words[index + 1].group() == '있는'):
                continue
            role = {'에서': 'source', '에': 'destination', '로': 'destination',
                    '으로': 'destination'}.get(match.group(), 'target')
            yield start, word.end() - len(match.group()), role
        start = None


def _english(text: str) -> Iterator[tuple[int, int, str]]:
    words = [(m.start(), m.end(), m.group().lower()) for m in re.finditer(r"[\w'-]+", text)]
    role, start, end, expect_verb = '', 0, 0, True
    for begin, stop, word in words:
        kind = role
        if _EN_MANNER.search(word):
            kind = 'manner'
        elif word in ('and', 'then', ','):
            kind, expect_verb = '', True
        elif word in ('from', 'off', 'out'):
            kind = 'source'
        elif word in _EN_RELATION and role != 'source':
            kind = 'destination'
        elif word in _EN_FILLER and role not in ('destination', 'source'):
            kind = ''
        elif expect_verb and word not in _EN_FILLER:
            kind, expect_verb = 'action', False
        elif role == 'action':
            kind = 'action' if word in ('up', 'down') else 'target'
        elif not role or role == 'manner':
            kind = 'target'
        if kind != role:
            if role:
                yield start, end, role
            role, start = kind, begin
        end = stop
    if role:
        yield start, end, role


def _steps(text: str, spans: list[tuple[int, int, str]], language: str) -> Iterator[Step]:
    step: dict[str, str] = {}
    target = ''
    for start, end, role in spans:
        if role == 'action' and language == 'en' and 'action' in step:
            yield Step(**{'target': target, **step})
            step = {}
        step[role] = text[start:end]
        target = step.get('target', target)
        if role == 'action' and language == 'ko':
            yield Step(**{'target': target, **step}, avoid=text[start:end].endswith('지 마'))
            step = {}
    if step:
        yield Step(**{'target': target, **step})


def parse_instruction(text: str) -> Instruction:
    """Take a command apart with the default parser."""
    return InstructionParser().parse(text)
