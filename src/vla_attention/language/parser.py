"""Text -> Instruction."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from vla_attention.language.characters import certain_cuts, encode, pieces_of
from vla_attention.language.instruction import HEADS, ROLES, Instruction, Token
from vla_attention.language.lexicon import load_lexicon
from vla_attention.language.network import LanguageNetwork
from vla_attention.language.spans import (
    Span,
    best_labels,
    boundary_scores,
    meeting_scores,
    spans_of,
    whole_pieces,
)
from vla_attention.language.steps import make_steps
from vla_attention.language.traced import TracedNetwork
from vla_attention.threads import one_thread

WEIGHTS = Path(__file__).parents[1] / 'weights' / 'language.safetensors'

MAX_CHARACTERS = 2000
"""Longer texts are refused: no command is that long."""

CERTAIN = 10.0
"""Logit of a cut that needs no model."""

EMPTY = 'the text is empty'
TOO_LONG = f'the text is longer than {MAX_CHARACTERS} characters'
CONTROL = 'the text holds control characters'
OTHER_LANGUAGE = 'the text is neither Korean nor English'
NO_COMMAND = 'the text is no command that names something to look at'
NOTHING_NAMED = 'the text names nothing to look at'


class InstructionParser:
    """Takes commands apart with the language model; weights are read once."""

    def __init__(self, weights: str | Path | None = None) -> None:
        """Load the model.

        :param weights: a safetensors file of ``training.language.train``; the package's own when None.
        :raises FileNotFoundError: there is no such file.
        """
        self.network = LanguageNetwork()
        self.network.load_state_dict(load_file(str(WEIGHTS if weights is None else weights)))
        self.network.eval()
        with one_thread():
            self._traced = TracedNetwork(self.network)
        load_lexicon()  # for certain_cuts: it takes a quarter of a second, which no command should wait for

    def parse(self, text: str) -> Instruction:
        """Take a command apart.

        The text is normalised (Unicode NFC) first; offsets count its characters. Where it names nothing
        to look at, is no command, is in another language, too long, or noise, the parse is empty and
        ``reason`` says why.

        :raises ValueError: ``text`` is no string.
        """
        if not isinstance(text, str):
            raise ValueError(f'text must be a string, got {type(text).__name__}')
        if len(text) > MAX_CHARACTERS:
            return Instruction(unicodedata.normalize('NFC', text[:MAX_CHARACTERS]), reason=TOO_LONG)
        text = unicodedata.normalize('NFC', text)
        if not text.strip():
            return Instruction(text, reason=EMPTY)
        if any(unicodedata.category(character) == 'Cc' and not character.isspace() for character in text):
            return Instruction(text, reason=CONTROL)
        language = language_of(text)
        if not language:
            return Instruction(text, reason=OTHER_LANGUAGE)
        with one_thread():
            return self._attend(text, language)

    @torch.inference_mode()
    def _attend(self, text: str, language: str) -> Instruction:
        characters = torch.from_numpy(encode(text)).unsqueeze(0)
        states, starts = self._traced.read(characters)
        cut = starts[0].double().numpy().copy()
        cut[certain_cuts(text)] = CERTAIN
        pieces = pieces_of(text, (cut > 0).tolist())
        bounds, piece = piece_tensors(pieces, len(text))
        answer = self._traced.attend(states, bounds.unsqueeze(0), piece.unsqueeze(0))
        kind = int(answer.kind[0].argmax())
        if kind:
            return Instruction(text, language if kind == 2 else '',
                               reason=NO_COMMAND if kind == 2 else OTHER_LANGUAGE)
        scores = answer.labels[0].log_softmax(-1).double().numpy()
        spans = spans_of(text, best_labels(scores, boundary_scores(text, cut), meeting_scores(text)))
        if not any(span.role in ('target', 'destination') for span in spans):
            return Instruction(text, language, reason=NOTHING_NAMED)
        heads = {name: answer.attention[0, index].numpy() for index, name in enumerate(HEADS)}
        avoid = whole_pieces(pieces, answer.avoid[0].numpy())
        steps = make_steps(text, spans, pieces, heads, avoid, language)
        tokens = tuple(Token(text[start:end], start, end, _role(start, end, spans), round(weight, 4))
                       for (start, end), weight in zip(pieces, answer.weights[0].tolist(), strict=True))
        roles = {role: [text[span.start:span.end] for span in spans if span.role == role] for role in ROLES}
        return Instruction(text, language, tokens, roles, steps, heads)


def language_of(text: str) -> str:
    """Return 'ko', 'en' (Latin letters; which language they write is the model's to say) or ''."""
    hangul = sum('가' <= character <= '힣' or 'ㄱ' <= character <= 'ㆎ' for character in text)
    latin = sum(character.isalpha() and 'LATIN' in unicodedata.name(character, '') for character in text)
    other = sum(character.isalpha() for character in text) - hangul - latin
    if other > 0.2 * (hangul + latin) or not hangul + latin:
        return ''
    return 'ko' if 2 * hangul >= latin else 'en'


def piece_tensors(pieces: list[tuple[int, int]], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the pieces as the network takes them: bounds (T, 2), and the piece of each character (L,)."""
    piece = np.zeros(length, np.int64)
    for index, (start, _) in enumerate(pieces):
        piece[start:] = index
    return torch.tensor([(start, end - 1) for start, end in pieces]), torch.from_numpy(piece)


def _role(start: int, end: int, spans: list[Span]) -> str:
    """Return the role that most of the token's characters play."""
    share = {span.role: min(end, span.end) - max(start, span.start) for span in spans
             if min(end, span.end) > max(start, span.start)}
    best = max(share, key=lambda role: share[role], default='')
    return best if best and 2 * share[best] >= end - start else ''


@lru_cache(maxsize=1)
def default_parser() -> InstructionParser:
    """Return the parser with the package's weights, made once."""
    return InstructionParser()


def parse_instruction(text: str) -> Instruction:
    """Take a command apart with the default parser; see :meth:`InstructionParser.parse`."""
    return default_parser().parse(text)
