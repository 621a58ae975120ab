"""Draw the learning curve: ``python -m training.language.plot``."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot

RESULTS = Path(__file__).parent / 'results'


def main() -> None:
    """Read ``results/learning_curve.json``, write ``results/learning_curve.png``."""
    log = json.loads((RESULTS / 'learning_curve.json').read_text(encoding='utf-8'))
    steps = [entry['step'] for entry in log]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    left.plot(steps, [entry['f1'] for entry in log], marker='o', markersize=3)
    left.set(xlabel='step', ylabel='F1 of exact spans', title='commands with held-out nouns and templates')
    for name in ('labels', 'starts', 'avoid', 'heads', 'kind'):
        right.plot(steps, [entry[name] for entry in log], label=name)
    right.set(xlabel='step', ylabel='loss', yscale='log', title='training')
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(RESULTS / 'learning_curve.png', dpi=110)


if __name__ == '__main__':
    main()
