"""A generated command: words with their roles and links, and how they are written down."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vla_attention.language.instruction import HEADS, ROLES

KINDS = ('command', 'foreign', 'other')
"""What a text is: a command, another language in Latin letters, or no command at all."""

_PARTS = re.compile(r"\d+(?:[.,]\d+)*|[^\W_]+(?:['’\-][^\W_]+)*|[^\w\s]|_")


@dataclass(eq=False)
class Word:
    """A word, particle or mark of a generated command.

    ``span`` names the span that the word belongs to (None: none); neighbours with the same span are one
    span. ``links`` holds, for each head, the words that this one attends to; none means itself.
    """

    text: str
    glue: bool = False  # written onto the word before it, without a space
    role: str = ''
    span: object = None
    avoid: bool = False  # part of what must not be done or touched
    links: dict[str, list[Word]] = field(default_factory=dict)


@dataclass
class Group:
    """A phrase: what stands before it outside the span, the span's words, what follows, and its head word."""

    words: list[Word]
    head: Word
    lead: list[Word] = field(default_factory=list)
    tail: list[Word] = field(default_factory=list)

    def all(self) -> list[Word]:
        """Return the words in the order of the text."""
        return [*self.lead, *self.words, *self.tail]


@dataclass(frozen=True)
class Sample:
    """A text with the answer.

    ``labels`` (one a character): 0 outside, 1 + 2 r where a span of role r begins, 2 + 2 r inside it.
    ``avoid`` (one a character). ``pieces``: [start, end) of each word. ``heads``: for each head, for
    each word, the indices of the words it attends to.
    """

    text: str
    language: str
    kind: int
    labels: list[int]
    avoid: list[bool]
    pieces: list[tuple[int, int]]
    heads: dict[str, list[list[int]]]


def say(text: str) -> list[Word]:
    """Split a text at spaces, and its marks from its words."""
    words = []
    for chunk in text.split():
        for index, match in enumerate(_PARTS.finditer(chunk)):
            words.append(Word(match.group(), glue=index > 0))
    return words


def mark(words: Iterable[Word], role: str, *, avoid: bool = False) -> None:
    """Make one span of the words."""
    span = object()
    for word in words:
        word.role, word.span = role, span
        word.avoid = word.avoid or avoid


def gaps(words: Sequence[Word]) -> list[int]:
    """Return the places between two phrases, by the index of the word behind each."""
    return [
        index
        for index in range(1, len(words))
        if not words[index].glue
        and (words[index].span is not words[index - 1].span or words[index].span is None)
    ]


def link(words: Iterable[Word], head: str, targets: Sequence[Word]) -> None:
    """Let each word attend to the targets (a word never links to itself)."""
    for word in words:
        keys = [target for target in targets if target is not word]
        if keys:
            word.links[head] = keys


def write(words: Sequence[Word], language: str, kind: int, rng: random.Random, *, noise: bool) -> Sample:
    """Put the words together, with the accidents of writing where ``noise`` is set."""
    words = [word for word in words if word.text]
    heard = noise and rng.random() < 0.12  # as speech recognition writes it: no marks, no capitals
    if heard:
        words = [word for word in words if word.text not in '.,;:?!' or word.span is not None] or words
    if noise:
        _misspell(words, rng)
        _separate(words, language, rng)
    texts = [word.text for word in words]
    texts = [text.lower() for text in texts] if heard else _cased(texts, language, rng)
    gap_out = rng.random() < (0.10 if language == 'ko' else 0.015) if noise else False
    share = 1.0 if gap_out and language == 'ko' and rng.random() < 0.25 else 0.25
    wide = noise and rng.random() < 0.02
    text, labels, avoid, pieces = '', [], [], []
    before: Word | None = None
    for word, written in zip(words, texts, strict=False):
        glue = word.glue
        if not glue and gap_out and before is not None and rng.random() < share:
            glue = before.text not in '.,!?;'
        gap = '' if before is None or glue else '  ' if wide and rng.random() < 0.3 else ' '
        same = before is not None and word.span is not None and word.span is before.span
        inside = 2 + 2 * ROLES.index(word.role) if word.role else 0
        text += gap
        labels += [inside if same else 0] * len(gap)
        avoid += [bool(same and word.avoid)] * len(gap)
        pieces.append((len(text), len(text) + len(written)))
        text += written
        labels += [inside if same or not word.role else inside - 1] + [inside] * (len(written) - 1)
        avoid += [word.avoid] * len(written)
        before = word
    place = {id(word): index for index, word in enumerate(words)}
    heads = {
        head: [
            [place[id(key)] for key in word.links.get(head, ()) if id(key) in place] or [index]
            for index, word in enumerate(words)
        ]
        for head in HEADS
    }
    return Sample(text, language, kind, labels, avoid, pieces, heads)


def _cased(texts: list[str], language: str, rng: random.Random) -> list[str]:
    if language == 'ko' or not texts:
        return texts
    draw = rng.random()
    if draw < 0.62:
        start = True
        for index, text in enumerate(texts):
            if start and text[0].isalpha():
                texts[index], start = text[0].upper() + text[1:], False
            elif text == 'i' or text.startswith("i'"):
                texts[index] = 'I' + text[1:]
            start = start or text in ('.', '!', '?')
    elif draw < 0.65:
        return [text.upper() for text in texts]
    elif draw < 0.67:
        return [text.title() for text in texts]
    return texts


def _separate(words: list[Word], language: str, rng: random.Random) -> None:
    """Put spaces before Korean particles, as some people write them: "컵 을"."""
    if language == 'ko' and rng.random() < 0.03:
        for word in words:
            if word.glue and word.text.isalpha() and rng.random() < 0.4:
                word.glue = False


def _misspell(words: list[Word], rng: random.Random) -> None:
    if rng.random() > 0.09:
        return
    for word in rng.sample(words, k=min(len(words), 1 if rng.random() < 0.7 else 2)):
        letters = list(word.text)
        if len(letters) < 3 or not word.text.isalpha():
            continue
        place = rng.randrange(1, len(letters) - 1)
        draw = rng.random()
        if draw < 0.3:
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
        elif draw < 0.55:
            del letters[place]
        elif draw < 0.75:
            letters.insert(place, letters[place])
        elif 'a' <= letters[place] <= 'z':
            letters[place] = rng.choice('abcdefghijklmnopqrstuvwxyz')
        elif '가' <= letters[place] <= '힣':
            code = ord(letters[place]) - 0xAC00
            letters[place] = chr(0xAC00 + code // 588 * 588 + rng.randrange(21) * 28 + code % 28)
        word.text = ''.join(letters)
