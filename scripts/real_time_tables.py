"""Write the measured figures into docs/real_time.md.

They come from speed.json, transport.json and soak.json in benchmarks/results (`vla-attention bench`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'real_time.md'
RESULTS = ROOT / 'benchmarks' / 'results'
TABLES = {      # marker on the page: file, where its rows are, the columns that are shown
    'latency': ('speed', ('rows',), ('stack', 'taken', 'output', 'Hz', 'p50 ms', 'p95 ms', 'p99 ms')),
    'frames': ('speed', ('tables', 'frames'), ('stack', 'taken', 'from', 'to', 'sent', 'came', 'lost',
                                               'replaced', 'unmatched', 'worked on')),
    'nodes': ('speed', ('tables', 'nodes'), ('stack', 'taken', 'process', 'cpu', 'rss MB', 'pss MB')),
    'transport': ('transport', ('rows',), ('transport', 'reliability', 'image', 'sent', 'lost', 'p50 ms',
                                           'p95 ms', 'p99 ms')),
    'memory': ('soak', ('rows',), ('process', 'rss MB settled', 'rss MB at the end', 'rss growth %',
                                   'own MB settled', 'own MB at the end', 'own growth %', 'restarts')),
    'faults': ('soak', ('tables', 'faults'), ('fault', 'times', 'seconds to normal, median', 'most',
                                              'not recovered', 'instructions lost')),
}


def updated(page: str, results: Path = RESULTS) -> str:
    """Return the page with every table set from the results."""
    for marker, (name, place, columns) in TABLES.items():
        begin, end = f'<!-- {marker}: begin -->', f'<!-- {marker}: end -->'
        before, rest = page.split(begin, 1)
        after = rest.split(end, 1)[1]
        page = f'{before}{begin}\n{_table(results / f"{name}.json", place, columns)}\n{end}{after}'
    return page


def _table(file: Path, place: tuple[str, ...], columns: tuple[str, ...]) -> str:
    if not file.exists():
        return f'Not measured yet: `vla-attention bench {file.stem}`.'
    result: Any = json.loads(file.read_text(encoding='utf-8'))
    rows = result
    for key in place:
        rows = rows[key]
    lines = ['| ' + ' | '.join(columns) + ' |', '|' + '---|' * len(columns)]
    lines += ['| ' + ' | '.join(_cell(row.get(column)) for column in columns) + ' |' for row in rows]
    return '\n'.join([*lines, '', _conditions(result)])


def _cell(value: Any) -> str:
    return '' if value is None else f'{value:g}' if isinstance(value, float) else str(value)


def _conditions(result: dict[str, Any]) -> str:
    told = ('load average before', 'load average at the end', 'minutes', 'crashes', 'autogroup priority')
    said = [result['machine']] + [f'{key} {result[key]}' for key in told if result.get(key) is not None]
    return f'Measured on {", ".join(said)}.'


def main() -> int:
    """Rewrite the page."""
    page = PAGE.read_text(encoding='utf-8')
    PAGE.write_text(updated(page), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
