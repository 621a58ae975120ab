"""What an instruction says: the result type of the language stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, get_type_hints

import numpy as np

ROLES = ('target', 'action', 'manner', 'destination', 'source')
HEADS = ('modifier', 'argument', 'action_order', 'time', 'cause')


@dataclass(frozen=True)
class Token:
    """One token of the instruction.

    ``start`` and ``end`` are character offsets into ``Instruction.text`` (end exclusive), ``role`` one
    of :data:`ROLES` or ``''``, ``weight`` the word's attention weight, 0 to 1.
    """

    text: str
    start: int
    end: int
    role: str = ''
    weight: float = 0.0


@dataclass(frozen=True)
class Step:
    """One thing to do, or with ``avoid`` one thing that must not be done.

    Every span is text as written; an empty string says that the step does not name it. ``target`` is
    resolved where a pronoun stands for it ("place it": the cup of the step before).
    """

    action: str = ''
    target: str = ''
    destination: str = ''
    source: str = ''
    manner: str = ''
    avoid: bool = False


@dataclass(frozen=True)
class Instruction:
    """A parsed instruction.

    ``language`` is 'ko' or 'en' ('' when neither), ``roles`` maps each of :data:`ROLES` to its spans as
    written, in the order of the text, ``steps`` stand in the order of execution, ``heads`` maps each
    of :data:`HEADS` to a (T, T) float32 array over ``tokens`` (query, key) whose rows sum to 1.
    ``reason`` says why a parse is empty; it is '' otherwise.
    """

    text: str
    language: str = ''
    tokens: tuple[Token, ...] = ()
    roles: dict[str, list[str]] = field(default_factory=lambda: {role: [] for role in ROLES})
    steps: tuple[Step, ...] = ()
    heads: dict[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)
    reason: str = ''

    @property
    def targets(self) -> list[str]:
        """Phrases to look for, each once, in the order of execution."""
        return _unique(step.target for step in self.steps if not step.avoid)

    @property
    def destinations(self) -> list[str]:
        """Destination phrases (with their relation word), each once, in the order of execution."""
        return _unique(step.destination for step in self.steps if not step.avoid)

    @property
    def avoided(self) -> list[str]:
        """Phrases that must not be touched."""
        return _unique(step.target for step in self.steps if step.avoid)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the heads as plain lists, dicts, strings and numbers, ready for JSON."""
        return {
            'text': self.text, 'language': self.language, 'reason': self.reason,
            'roles': {role: list(spans) for role, spans in self.roles.items()},
            'steps': [asdict(step) for step in self.steps],
            'tokens': [asdict(token) for token in self.tokens],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Instruction:
        """Read what :meth:`to_dict` wrote; heads are empty.

        :raises ValueError: a field is missing or of the wrong type; the message names it.
        """
        try:
            for each in (*data['steps'], *data['tokens']):
                _check_types(each)
            for spans in data['roles'].values():
                if not isinstance(spans, list) or not all(isinstance(span, str) for span in spans):
                    raise TypeError(f'roles must be lists of texts, not {spans!r:.40}')
            return cls(
                text=str(data['text']), language=str(data['language']), reason=str(data['reason']),
                roles={str(role): list(spans) for role, spans in data['roles'].items()},
                steps=tuple(Step(**step) for step in data['steps']),
                tokens=tuple(Token(**token) for token in data['tokens']))
        except KeyError as error:
            raise ValueError(f'instruction lacks the field {error}') from error
        except (TypeError, AttributeError) as error:
            raise ValueError(f'instruction has a field of the wrong form: {error}') from error


_FIELD_TYPES = {**get_type_hints(Token), **get_type_hints(Step)}


def _check_types(fields: Any) -> None:
    """Raise TypeError where a field of a step or token, as JSON has it, is not of its type."""
    for name, value in fields.items():
        kind = _FIELD_TYPES.get(name, object)
        fits = isinstance(value, (int, float) if kind is float else kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f'{name} is {value!r:.40}')


def _unique(spans: Any) -> list[str]:
    return list(dict.fromkeys(span for span in spans if span))
