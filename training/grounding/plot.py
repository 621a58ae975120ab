"""Draw the learning curves of both looks: ``python -m training.grounding.plot``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot

RESULTS = Path(__file__).parent / 'results'


def main() -> None:
    """Read ``results/train.jsonl`` and ``results/crops.jsonl``, write ``results/learning_curves.png``."""
    first, second = _read(RESULTS / 'train.jsonl'), _read(RESULTS / 'crops.jsonl')
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for name in ('pointing', 'match', 'objects', 'boxes'):
        left.plot(range(1, len(first) + 1), [entry[name] for entry in first], label=name)
    left.set(xlabel='pass, warm restarts with more scenes', ylabel='loss', yscale='log', title='first look')
    passes = range(1, len(second) + 1)
    for name, title in (('val', 'photographs'), ('rval', 'rendered')):
        right.plot(passes, [entry[name]['head'] for entry in second], marker='o', markersize=3, label=title)
        right.plot(passes, [entry[name]['unknown'] for entry in second], linestyle='--',
                   label=f'{title}, words by their classes alone')
        right.axhline(second[0][name]['classes'], linestyle=':', color='grey')
    right.set(xlabel='pass', ylabel='mean average precision over words, dotted: ImageNet alone',
              title='second look, on pictures that it was not trained on', ylim=(0, 1))
    right.yaxis.label.set_size(8)
    for axes in (left, right):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(RESULTS / 'learning_curves.png', dpi=110)


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]


if __name__ == '__main__':
    main()
