"""Measure the parser on generated commands with held-out nouns and templates.

``python -m training.language.evaluate`` prints the figures and writes what remains wrong into
``training/language/results``.
"""

from __future__ import annotations

import argparse
import collections
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.language.dataset import samples
from training.language.sample import Sample
from vla_attention.language.instruction import HEADS, ROLES, Instruction, Step
from vla_attention.language.parser import InstructionParser
from vla_attention.language.spans import spans_of
from vla_attention.language.steps import make_steps

SCORED = ('target', 'action', 'manner', 'destination')
RESULTS = Path(__file__).parent / 'results'


@dataclass
class Tally:
    """Spans right, given and wanted; commands right in a respect, and asked."""

    spans: dict[str, list[int]] = field(default_factory=lambda: collections.defaultdict(lambda: [0, 0, 0]))
    commands: dict[str, list[int]] = field(default_factory=lambda: collections.defaultdict(lambda: [0, 0]))

    def count(self, name: str, right: bool) -> None:
        """Count one command."""
        self.commands[name][0] += right
        self.commands[name][1] += 1

    def compare(
        self, language: str, given: Mapping[str, Sequence[str]], wanted: Mapping[str, Sequence[str]]
    ) -> bool:
        """Count the spans of a command; return whether all are right."""
        correct = True
        for role in SCORED:
            have, want = collections.Counter(given[role]), collections.Counter(wanted[role])
            correct &= have == want
            for key in ('all', role, language):
                for place, part in enumerate((have & want, have, want)):
                    self.spans[key][place] += sum(part.values())
        return correct

    def f1(self, key: str) -> float:
        """Return the F1 of exact spans of a role or language, or of 'all'."""
        right, given, wanted = self.spans[key]
        return 2 * right / max(given + wanted, 1)

    def share(self, name: str) -> float:
        """Return the share of commands that are right in a respect."""
        right, asked = self.commands[name]
        return right / max(asked, 1)


def right_answer(sample: Sample) -> tuple[dict[str, list[str]], tuple[Step, ...]]:
    """Return the roles and steps that the generator meant; none for what is no command."""
    spans = spans_of(sample.text, sample.labels)
    if sample.kind or not any(span.role in ('target', 'destination') for span in spans):
        return {role: [] for role in ROLES}, ()
    count = len(sample.pieces)
    heads = {name: np.zeros((count, count), np.float32) for name in HEADS}
    for name, rows in sample.heads.items():
        for query, keys in enumerate(rows):
            heads[name][query, keys] = 1 / len(keys)
    steps = make_steps(sample.text, spans, sample.pieces, heads, np.array(sample.avoid), sample.language)
    roles = {
        role: [sample.text[span.start : span.end] for span in spans if span.role == role] for role in ROLES
    }
    return roles, steps


def measure(
    parser: InstructionParser, rows: Iterable[Sample]
) -> tuple[Tally, list[tuple[Sample, Instruction]]]:
    """Parse the commands; return the counts, and what came out wrong."""
    tally, wrong = Tally(), []
    for sample in rows:
        given = parser.parse(sample.text)
        roles, steps = right_answer(sample)
        correct = tally.compare(sample.language, given.roles, roles)
        tally.count('whole', correct)
        if not steps:
            tally.count('empty where nothing is named', not given.steps)
        else:
            tally.count('not empty where something is named', bool(given.steps))
        if len({step.action for step in steps if not step.avoid}) > 1:
            said, true = _actions(given.steps), _actions(steps)
            tally.count('order', said == true)
            if set(said) == set(true):
                tally.count('order where the actions are found', said == true)
        if steps:
            tally.count('avoid', _avoided(given.steps) == _avoided(steps))
            tally.count('steps', given.steps == steps)
        if not correct or given.steps != steps:
            wrong.append((sample, given))
    return tally, wrong


def _actions(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(step.action for step in steps if not step.avoid))


def _avoided(steps: Sequence[Step]) -> set[tuple[str, str]]:
    return {(step.action, step.target) for step in steps if step.avoid}


def table(tally: Tally) -> dict[str, float]:
    """Return every figure by its name."""
    figures = {f'F1 {key}': round(tally.f1(key), 4) for key in ('all', *SCORED, 'ko', 'en')}
    return {**figures, **{f'right: {name}': round(tally.share(name), 4) for name in sorted(tally.commands)}}


def show(sample: Sample, given: Instruction) -> str:
    """Write an error as Markdown: the command, what differs."""
    roles, steps = right_answer(sample)
    lines = [f'- `{sample.text}`']
    for role in SCORED:
        if collections.Counter(roles[role]) != collections.Counter(given.roles[role]):
            lines.append(
                f'  - {role}: {given.roles[role]} instead of {roles[role]}'
                + (f' ({given.reason})' if given.reason else '')
            )
    if len(lines) == 1:
        lines.append(
            '  - steps: '
            + '; '.join(
                f'{_step(a)} instead of {_step(b)}'
                for a, b in zip(given.steps, steps, strict=False)
                if a != b
            )
            + ('' if len(given.steps) == len(steps) else f' {len(given.steps)} steps instead of {len(steps)}')
        )
    return '\n'.join(lines)


def _step(step: Step) -> str:
    return ', '.join(f'{name}={value}' for name, value in vars(step).items() if value)


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument('--count', type=int, default=2000)
    options.add_argument('--weights', default=None)
    options.add_argument('--noise', action='store_true', help='with misspellings and spacing errors')
    options.add_argument('--seed', type=int, default=77)
    options.add_argument('--dry', action='store_true', help='write nothing')
    given = options.parse_args()
    parser = InstructionParser(given.weights)
    stream = samples(given.seed, test=True, noise=given.noise)
    tally, wrong = measure(parser, tqdm(islice(stream, given.count), total=given.count, disable=None))
    figures = table(tally)
    print(json.dumps(figures, indent=1))
    if not given.dry:
        (RESULTS / 'held_out.json').write_text(
            json.dumps({'commands': given.count, **figures}, indent=1) + '\n', encoding='utf-8'
        )
        text = [
            f'# What remains wrong: {len(wrong)} of {given.count} generated commands (the first 60)',
            '',
            *(show(*pair) for pair in wrong[:60]),
        ]
        (RESULTS / 'errors.md').write_text('\n'.join(text) + '\n', encoding='utf-8')
    else:
        print('\n'.join(show(*pair) for pair in wrong[:40]))


if __name__ == '__main__':
    main()
