"""Effect: what cross-attention adds over pooled features, with the same backbone, data and training budget.

The task is to choose the thing meant among the things in view of rendered scenes whose shapes, textures and
shades training never saw. Time and memory are those of the whole: backbone and readout, one instruction.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

import training.effect.features
import training.effect.model
import training.effect.train
from training.effect.features import (
    SIZE,
    Example,
    Projection,
    backbone_features,
    load_backbone,
    make_example,
    read_features,
    vocabulary,
)
from training.effect.model import READOUTS, Chooser
from training.effect.train import CROWDED, LONG, SHORT, SIMPLE, Choice, stack, test, train
from training.kept import digest

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / 'training' / 'effect' / 'cache'
FITTED = 300        # scenes that the features' projection is fitted on
GROUPS: tuple[tuple[str, Callable[[Choice], bool]], ...] = (
    ('accuracy', lambda choice: True),
    ('simple', lambda choice: choice.things <= SIMPLE),
    ('crowded', lambda choice: choice.things >= CROWDED),
    ('short', lambda choice: len(choice.asked.words) <= SHORT),
    ('long', lambda choice: len(choice.asked.words) >= LONG),
    ('kind', lambda choice: choice.asked.needs == ('kind',)),
    ('colour', lambda choice: choice.asked.needs in (('colour',), ('kind', 'colour'))),
    ('size', lambda choice: 'size' in choice.asked.needs),
    ('position', lambda choice: bool({'position', 'ordinal'} & set(choice.asked.needs))),
    ('relation', lambda choice: 'relation' in choice.asked.needs),
    ('en', lambda choice: choice.asked.language == 'en'),
    ('ko', lambda choice: choice.asked.language == 'ko'),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--train', type=Path, help='folder of training scenes (default: made anew)')
    parser.add_argument('--test', type=Path, help='folder of test scenes (default: made anew)')
    parser.add_argument('--train-scenes', type=int, default=1500, help='scenes to train on (default: 1500)')
    parser.add_argument('--test-scenes', type=int, default=300, help='scenes to test on (default: 300)')
    parser.add_argument('--epochs', type=int, default=6, help='passes over the training scenes (default: 6)')
    parser.add_argument('--seeds', type=int, default=3, help='trainings of each readout (default: 3)')
    parser.add_argument('--frames', type=int, default=40, help='frames that are timed (default: 40)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Train and test every readout on one core, and return rows for the table."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _run(options)
    finally:
        torch.set_num_threads(threads)


def _run(options: argparse.Namespace) -> dict[str, Any]:
    folders = [_folder(options, split) for split in ('train', 'test')]
    labelled = [folder / 'labels.jsonl' for folder in folders]
    backbone = load_backbone()
    code = (training.effect.features, training.effect.model, training.effect.train)
    made_of = digest(backbone, *labelled, *code)
    counts = (options.train_scenes, options.test_scenes)
    raw = [
        read_features(folder, backbone, count, CACHE / f'{digest(backbone, labels)}.pt')
        for folder, labels, count in zip(folders, labelled, counts, strict=True)
    ]
    fitted = [features for features, _ in raw[0][:FITTED]]
    projection = Projection.fit(*(torch.cat([each.flatten(0, 1) for each in stride]).float()
                                  for stride in zip(*fitted, strict=True)))
    learned, held_out = (
        [example for features, scene in part
         if (example := make_example(features, scene, projection)) is not None]
        for part in raw
    )
    del raw
    words = vocabulary(learned)
    rows, runs = [], []
    for readout in READOUTS:
        marks = [
            train_and_test(readout, learned, held_out, words, options.epochs, seed, made_of)
            for seed in range(options.seeds)
        ]
        runs += marks
        rows.append(
            {
                'readout': readout,
                'trainings': len(marks),
                **_mean_and_error(marks),
                'parameters': _size(readout, len(words)),
                **_cost(readout, len(words), options.frames),
            }
        )
    _compare(rows)
    result = {
        'rows': rows,
        'runs': runs,
        'train_scenes': len(learned),
        'test_scenes': len(held_out),
        'test_phrases': sum(len(example.asked) for example in held_out),
        'epochs': options.epochs,
        'chance': float(np.mean([1 / len(e.boxes) for e in held_out for _ in e.asked])),
    }
    return result


def train_and_test(
    readout: str,
    learned: Sequence[Example],
    held_out: Sequence[Example],
    words: dict[str, int],
    epochs: int,
    seed: int,
    made_of: str,
) -> dict[str, Any]:
    """Return the marks of one training; the same one that was done before is read back.

    :param made_of: a digest of scenes, backbone and code.
    """
    size = f'{len(learned)}-{len(held_out)}-{epochs}-{seed}-{made_of}'
    path = CACHE / 'runs' / f'{readout.replace(" ", "_")}-{size}.json'
    if path.exists():
        saved: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
        return saved
    model, seconds = train(readout, learned, words, epochs=epochs, seed=seed)
    run = {'readout': readout, 'seed': seed, 'cpu_s': seconds, **_marks(test(model, held_out, words))}
    print(f'{readout}, seed {seed}: {run["accuracy"]:.3f} in {seconds:.0f} s', file=sys.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run), encoding='utf-8')
    return run


def _folder(options: argparse.Namespace, split: str) -> Path:
    """Return the folder of a split's scenes; they are rendered where none is given."""
    given: Path | None = getattr(options, split)
    if given is not None:
        return given
    from training.scenes.dataset import Job, write_dataset

    folder = CACHE / split
    count = options.train_scenes if split == 'train' else options.test_scenes
    write_dataset(Job(str(folder), (320, 240), split, depth=False, jpeg=True), range(count), progress=True)
    return folder


def _marks(choices: Sequence[Choice]) -> dict[str, float]:
    marks = {}
    for name, belongs in GROUPS:
        rights = [choice.right for choice in choices if belongs(choice)]
        marks[name] = float(np.mean(rights)) if rights else float('nan')
    return marks


def _mean_and_error(marks: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return each mark's mean over trainings, and its standard error where there are several."""
    row = {}
    for name, _ in GROUPS:
        values = [mark[name] for mark in marks]
        row[name] = float(np.mean(values))
        if name == 'accuracy' and len(values) > 1:
            row['se'] = float(np.std(values, ddof=1) / len(values) ** 0.5)
    return row


def _size(readout: str, words: int) -> int:
    return sum(weight.numel() for weight in Chooser(readout, words + 2).parameters())


def _cost(readout: str, words: int, frames: int) -> dict[str, float]:
    """Measure milliseconds and memory in a process of its own, so that readouts do not share memory."""
    command = [sys.executable, '-m', 'benchmarks.effect', readout, str(words), str(frames)]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    cost: dict[str, float] = json.loads(printed)
    return cost


@torch.no_grad()
def _time_frames(readout: str, words: int, frames: int) -> dict[str, float]:
    """Run backbone and readout on random pictures with eight candidates and a phrase of five words."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    backbone, model = load_backbone(), Chooser(readout, words + 2).eval()
    projection = Projection.random()
    corner = torch.rand(8, 2) * 0.8
    example = Example(torch.zeros(0), torch.cat([corner, corner + 0.15], dim=1), ())
    phrase = [torch.randint(2, words, (1, 5))]
    seeing, choosing = [], []
    for _ in range(frames):
        image = rng.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
        begin = time.perf_counter()
        cells = projection(*backbone_features(backbone, image))
        middle = time.perf_counter()
        model(*stack([replace(example, cells=cells)], phrase))
        end = time.perf_counter()
        seeing.append((middle - begin) * 1000)
        choosing.append((end - middle) * 1000)
    # the best tenth: what the code takes when nothing else runs
    return {
        'backbone_ms': float(np.percentile(seeing, 10)),
        'readout_ms': float(np.percentile(choosing, 10)),
        'memory_mb': psutil.Process().memory_info().rss / 2**20,
    }


def _compare(rows: list[dict[str, Any]]) -> None:
    """Add what each readout costs beside the first, in percent.

    The backbone is the same for all, so that its best time holds for all.
    """
    backbone = min(row['backbone_ms'] for row in rows)
    for row in rows:
        row['backbone_ms'] = backbone
        more = row['readout_ms'] - rows[0]['readout_ms']
        row['time_more_%'] = 100 * more / (backbone + rows[0]['readout_ms'])
        row['memory_more_%'] = 100 * (row['memory_mb'] / rows[0]['memory_mb'] - 1)


if __name__ == '__main__':
    print(json.dumps(_time_frames(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
