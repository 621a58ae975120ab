"""Language: F1 of exact spans, order, prohibitions, milliseconds a command, memory.

On generated commands whose nouns and templates training never saw, and on files of hand-tagged commands
("[T:빨간 컵]을 [A:집어]"; T target, A action, M manner, D destination, S source).
"""

from __future__ import annotations

import argparse
import collections
import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.language.dataset import samples
from training.language.evaluate import SCORED, Tally, measure
from vla_attention.language.parser import InstructionParser

ROOT = Path(__file__).resolve().parents[1]
OWN = [ROOT / 'test' / 'unit' / 'data' / name for name in (
    'commands.txt', 'spoken.txt', 'spoken_2.txt', 'commands_2.txt', 'commands_3.txt')]
BLIND = [ROOT / 'training' / 'language' / f'blind{which}.txt' for which in ('', '_2', '_3', '_4', '_5', '_6')]
"""Tagged before any answer on them was seen."""
ROLE_OF_TAG = {'T': 'target', 'A': 'action', 'M': 'manner', 'D': 'destination', 'S': 'source'}
_TAG = re.compile(r'\[([TAMDS]):([^\]]+)\]')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--commands', type=int, default=2000, help='generated commands (default: 2000)')
    parser.add_argument('--seed', type=int, default=77, help='of the generated commands (default: 77)')
    parser.add_argument('--tagged', type=Path, nargs='*', default=[*OWN, *BLIND, *_found()],
                        help='files of tagged commands (default: '
                             f'{", ".join(path.name for path in (*OWN, *BLIND))}, and dev.txt where it is)')
    parser.add_argument('--timed', type=int, default=300, help='commands that are timed (default: 300)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure on one core, and return rows for the table."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {'rows': list(_rows(options))}
    finally:
        torch.set_num_threads(threads)


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    before = _resident_mb()
    parser = InstructionParser()
    parser.parse('빨간 컵을 집어서 접시 위에 놓아줘')
    added = _resident_mb() - before
    for name, noise in (('generated', False), ('generated, with typing errors', True)):
        stream = samples(options.seed, test=True, noise=noise)
        tally, _ = measure(parser, islice(stream, options.commands))
        yield from _figures(name, tally)
    for path in options.tagged:
        yield from _figures(path.name, tagged(parser, path))
    times = _milliseconds(parser, options)
    for percent in (50, 95, 99):
        value = round(float(np.percentile(times, percent)), 2)
        yield _row('speed', f'p{percent}', value, 'ms a command, one core')
    yield _row('memory', 'added by the model', round(added, 1), 'MB')


def _row(data: str, figure: str, value: float, unit: str) -> dict[str, Any]:
    return {'data': data, 'figure': figure, 'value': value, 'unit': unit}


def _figures(name: str, tally: Tally) -> Iterator[dict[str, Any]]:
    for key in ('all', *SCORED, 'ko', 'en'):
        yield _row(name, key, round(tally.f1(key), 4), 'F1 of exact spans')
    for key in sorted(tally.commands):
        yield _row(name, key, round(tally.share(key), 4), f'of {tally.commands[key][1]} commands')


def _found() -> list[Path]:
    path = ROOT.parent / 'shared' / 'commands' / 'dev.txt'
    return [path] if path.exists() else []


def tagged(parser: InstructionParser, path: Path) -> Tally:
    """Compare the parser with a file of hand-tagged commands."""
    tally = Tally()
    for line in path.read_text(encoding='utf-8').splitlines():
        if not line.strip() or line.startswith('#'):
            continue
        wanted = collections.defaultdict(list)
        for tag, span in _TAG.findall(line):
            wanted[ROLE_OF_TAG[tag]].append(_folded(span))
        given = parser.parse(_TAG.sub(r'\2', line.strip()))
        language = 'ko' if re.search('[가-힣]', line) else 'en'
        roles = {role: [_folded(span) for span in given.roles[role]] for role in SCORED}
        tally.count('whole', tally.compare(language, roles, wanted))
    return tally


def _folded(span: str) -> str:
    return ' '.join(span.lower().split())


def _milliseconds(parser: InstructionParser, options: argparse.Namespace) -> list[float]:
    times = []
    for sample in islice(samples(options.seed + 1, test=True, negatives_too=False), options.timed):
        start = time.perf_counter()
        parser.parse(sample.text)
        times.append(1000 * (time.perf_counter() - start))
    return times


def _resident_mb() -> float:
    status = Path('/proc/self/status').read_text(encoding='ascii')
    return int(re.search(r'VmRSS:\s+(\d+)', status).group(1)) / 1024     # type: ignore[union-attr]
