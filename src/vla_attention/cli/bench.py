"""``vla-attention bench``: what the package claims, measured."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_attention.cli.common import Parser, UsageError, add_command, make_folder, path

BENCHMARKS = Path(__file__).resolve().parents[3] / 'benchmarks'


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = add_command(commands, 'bench', 'Measure what the package claims (from a source checkout).', """\
  vla-attention bench language grounding
  vla-attention bench speed --seconds 60
  vla-attention bench grounding --help-options      # what a benchmark takes besides
""")
    parser.add_argument('--out', type=path, default=BENCHMARKS / 'results', metavar='DIR',
                        help='where NAME.json goes (default: benchmarks/results)')
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help=f'of {", ".join(_names()) or "none (no source checkout)"}; without one all of '
                             'them, in hours')
    parser.set_defaults(run=run)


def _names() -> list[str]:
    return sorted(file.stem for file in BENCHMARKS.glob('[!_]*.py'))


def _load_benchmark(name: str) -> Any:
    if not (BENCHMARKS / f'{name}.py').exists():
        raise UsageError(f'no benchmark {name} in {BENCHMARKS}; they come with the source checkout')
    if str(BENCHMARKS.parent) not in sys.path:
        sys.path.insert(0, str(BENCHMARKS.parent))
    return importlib.import_module(f'benchmarks.{name}')


def run(options: argparse.Namespace) -> None:
    """Run the benchmarks, print their tables and write their JSON."""
    names = options.names or _names()
    if not names:
        raise UsageError(f'there are no benchmarks in {BENCHMARKS}; they come with the source checkout')
    benchmarks = {name: _load_benchmark(name) for name in names}
    if '--help-options' in options.rest:
        for name, benchmark in benchmarks.items():
            _parser(name, benchmark).print_help()
        return
    # what none of them knows is an error; what two know goes to each as it declares it
    _parser(' '.join(benchmarks), *benchmarks.values()).parse_args(options.rest)
    chosen = {name: _parser(name, benchmark).parse_known_args(options.rest)[0]
              for name, benchmark in benchmarks.items()}
    make_folder(options.out, '--out')
    for name, benchmark in benchmarks.items():
        result = benchmark.run(chosen[name])
        for title, rows in {name: result['rows'], **result.get('tables', {})}.items():
            print(f'{title}\n{_table(rows)}\n')
        (options.out / f'{name}.json').write_text(json.dumps(result, indent=1, ensure_ascii=False) + '\n',
                                                  encoding='utf-8')


def _parser(names: str, *benchmarks: Any) -> argparse.ArgumentParser:
    parser = Parser(prog=f'vla-attention bench {names}', add_help=False, allow_abbrev=False,
                    conflict_handler='resolve')
    for benchmark in benchmarks:
        if hasattr(benchmark, 'add_arguments'):
            benchmark.add_arguments(parser)
    return parser


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Set rows of equal or different keys as a plain table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns] + [[_cell(row.get(key)) for key in columns] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    return '\n'.join('  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in cells)


def _cell(value: Any) -> str:
    if value is None:
        return ''
    return f'{value:.3f}' if isinstance(value, float) else str(value)
