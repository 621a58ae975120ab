"""Train the head of the embedded model on cached features.

Resumable: state is saved after every pass over the cache and read back; the cache may grow meanwhile. By
``--minutes`` the learning rate follows the clock, so no run is like another; by ``--steps``, and with a cache
that stays as it is, a run can be repeated. Run from the repository root::

    python -m training.grounding.train --cache CACHE/photos CACHE/rendered --val CACHE/photos_val --out RUN
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.grounding.features import load_backbone
from training.grounding.groups import names_of
from training.grounding.measure import auroc
from training.grounding.run import descend, record, resume, save_learned
from training.grounding.targets import crop_label, make_targets
from vla_attention.grounding.head import GroundingHead, class_logits
from vla_attention.grounding.kind_classes import classes_of
from vla_attention.language.lexicon import load_lexicon
from vla_attention.vision.image import PATCH

MOST_CLASSES = 4


@dataclass
class Words:
    """The lexicon's kinds with the classifier rows of each, as tensors."""

    kinds: list[str]
    rows: Tensor        # (K, C, 1280)
    bias: Tensor        # (K, C)
    present: Tensor     # (K, C) bool

    @property
    def mean(self) -> Tensor:
        """Return (K, 1280) the mean of each kind's rows, 0 without any."""
        count = self.present.sum(1, keepdim=True).clamp(min=1)
        return (self.rows * self.present[..., None]).sum(1) / count


def make_words(weight: Tensor, bias: Tensor) -> Words:
    """Look up the classifier rows of every kind."""
    kinds = list(load_lexicon().names)
    rows = torch.zeros(len(kinds), MOST_CLASSES, weight.shape[1])
    biases = torch.zeros(len(kinds), MOST_CLASSES)
    present = torch.zeros(len(kinds), MOST_CLASSES, dtype=torch.bool)
    for i, kind in enumerate(kinds):
        for j, number in enumerate(classes_of(kind)[0][:MOST_CLASSES]):
            rows[i, j], biases[i, j], present[i, j] = weight[number], bias[number], True
    return Words(kinds, rows, biases, present)


@dataclass
class Batch:
    """Features and targets of some pictures."""

    fine: Tensor
    coarse: Tensor
    words: Tensor       # (B, W) rows of the lexicon's kinds
    inside: Tensor
    core: Tensor
    outside: Tensor
    objects: Tensor
    boxes: Tensor


def batches(shards: list[Path], vocabulary: list[str], index: dict[str, int], size: int,
            random: np.random.Generator, window: int = 0) -> Iterator[Batch]:
    """Yield batches of two shards at a time, mixed.

    :param window: patches of the side of a square window that is cut out of each picture around one of its
        things, which makes a step cheaper; 0 takes whole pictures.
    """
    order = random.permutation(len(shards))
    for start in range(0, len(order), 2):
        loaded = [np.load(shards[i]) for i in order[start:start + 2]]
        fine = np.concatenate([shard['fine'] for shard in loaded])
        coarse = np.concatenate([shard['coarse'] for shard in loaded])
        labels = [label for shard in loaded for label in json.loads(shard['labels'].tobytes())]
        picked = random.permutation(len(labels))
        for begin in range(0, len(picked) - size + 1, size):
            chosen = picked[begin:begin + size]
            if window:
                parts = [_window(fine[i], coarse[i], labels[i], window, random) for i in chosen]
                features = [np.stack([part[k] for part in parts]) for k in (0, 1)]
                chosen_labels = [part[2] for part in parts]
            else:
                features, chosen_labels = [fine[chosen], coarse[chosen]], [labels[i] for i in chosen]
            rows, cols = features[0].shape[2:]
            targets = [make_targets(label, vocabulary, random, count=24, rows=rows, cols=cols)
                       for label in chosen_labels]
            yield Batch(*(torch.from_numpy(values).float() for values in features),
                        torch.tensor([[index[word] for word in t.words] for t in targets]),
                        *(torch.from_numpy(np.stack([getattr(t, name) for t in targets]))
                          for name in ('inside', 'core', 'outside', 'objects', 'boxes')))


def _window(fine: np.ndarray, coarse: np.ndarray, label: dict[str, Any], side: int,
            random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    rows, cols = fine.shape[1:]
    top, left = random.integers(0, (rows - side) // 2 + 1) * 2, random.integers(0, (cols - side) // 2 + 1) * 2
    things = [thing for thing in label['objects'] if thing[3] is not None]
    if things:
        box = things[random.integers(len(things))][1]
        x, y = (box[0] + box[2]) / 2 / PATCH, (box[1] + box[3]) / 2 / PATCH
        left = int(np.clip(x - side * random.uniform(0.2, 0.8), 0, cols - side)) // 2 * 2
        top = int(np.clip(y - side * random.uniform(0.2, 0.8), 0, rows - side)) // 2 * 2
    return (fine[:, top:top + side, left:left + side],
            coarse[:, top // 2:(top + side) // 2, left // 2:(left + side) // 2],
            crop_label(label, left * PATCH, top * PATCH, side * PATCH, side * PATCH))


def losses(head: GroundingHead, batch: Batch, words: Words, known: Tensor) -> dict[str, Tensor]:
    """Return the parts of the loss."""
    rows = words.mean[batch.words]
    logits = class_logits(batch.coarse, words.rows[batch.words], words.bias[batch.words],
                          words.present[batch.words])
    queries = head.words.queries(known[batch.words], batch.words, rows)
    tokens, objectness, boxes = head.encoder(batch.fine, batch.coarse)
    attention, match = head.words(queries, tokens, logits)
    mixture = attention.mean(dim=1)
    has = batch.inside.any(dim=-1)
    inside = (mixture * batch.inside).sum(-1)
    around = (mixture * batch.outside).sum(-1)
    pointing = -(inside / (inside + around + 1e-6) + 1e-6).log()
    per_head = (attention * batch.inside[:, None]).sum(-1) / (
        (attention * (batch.inside | batch.outside)[:, None]).sum(-1) + 1e-6)
    heads = -(per_head + 1e-6).log().mean(dim=1)
    positives = batch.core.sum().clamp(min=1)
    signed = focal(match, batch.core.float())
    valid = batch.core | batch.outside
    seen = ~batch.objects.isnan()
    target = batch.objects.nan_to_num(0.0)
    middle = target == 1
    # sums and counts, as a batch may show nothing, and the mean of nothing is NaN
    return {
        'pointing': pointing[has].sum() / has.sum().clamp(min=1),
        'heads': 0.3 * heads[has].sum() / has.sum().clamp(min=1),
        'match': (signed * valid).sum() / positives,
        'objects': (focal(objectness, target) * seen).sum() / middle.sum().clamp(min=1),
        'boxes': (1 - generalised_iou(boxes[middle], batch.boxes[middle])).sum() / middle.sum().clamp(min=1),
    }


def focal(logits: Tensor, target: Tensor, gamma: float = 2.0, alpha: float = 0.4) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017)."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction='none')
    probability = torch.sigmoid(logits)
    wrong = torch.where(target > 0.5, 1 - probability, probability)
    return loss * wrong ** gamma * torch.where(target > 0.5, alpha, 1 - alpha)


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """GIoU of pairs of boxes (Rezatofighi et al., CVPR 2019)."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    both = (high - low).clamp(min=0).prod(1)
    area = (first[:, 2:] - first[:, :2]).prod(1) + (second[:, 2:] - second[:, :2]).prod(1) - both
    hull = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).prod(1)
    return both / area.clamp(min=1e-6) - (hull - area) / hull.clamp(min=1e-6)


@torch.no_grad()
def evaluate(head: GroundingHead, shards: list[Path], vocabulary: list[str], index: dict[str, int],
             words: Words, known: Tensor) -> dict[str, float]:
    """Measure pointing of each shown word on boxed pictures, AUROC of presence, and IoU of boxes."""
    head.eval()
    random = np.random.default_rng(0)
    hits, scores, overlaps = [], [], []
    for batch in batches(shards, vocabulary, index, 10, random):
        logits = class_logits(batch.coarse, words.rows[batch.words], words.bias[batch.words],
                              words.present[batch.words])
        tokens, _, boxes = head.encoder(batch.fine, batch.coarse)
        queries = head.words.queries(known[batch.words], batch.words, words.mean[batch.words])
        attention, match = head.words(queries, tokens, logits)
        answer = {'attention': attention.mean(1), 'match': match, 'class': logits}
        for i, w in batch.core.any(-1).nonzero().tolist():
            valid = batch.inside[i, w] | batch.outside[i, w]
            size = float(batch.inside[i, w].float().mean())
            peaks = {name: int(value[i, w].masked_fill(~valid, -1e9).argmax())
                     for name, value in answer.items()}
            hits.append([size] + [bool(batch.inside[i, w, peak]) for peak in peaks.values()])
        for present, row in ((True, batch.core.any(-1)), (False, batch.outside.all(-1))):
            scores += [(float(match[i, w].max()), present) for i, w in row.nonzero().tolist()]
        middle = batch.objects == 1
        overlaps.append(generalised_iou(boxes[middle], batch.boxes[middle]))
    table = np.array(hits)
    small = table[:, 0] < 0.05
    shown, absent = ([score for score, present in scores if present is wanted] for wanted in (True, False))
    result = {'auroc': auroc(shown, absent), 'giou': float(torch.cat(overlaps).mean())}
    for column, name in enumerate(('attention', 'match', 'class'), 1):
        result[name] = float(table[:, column].mean())
        result[f'{name}_small'] = float(table[small, column].mean())
    head.train()
    return result


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--cache', type=Path, nargs='+', required=True)
    parser.add_argument('--val', type=Path, required=True)
    parser.add_argument('--backbone', type=Path, required=True, help='what convert_backbone.py wrote')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=float, default=40, help='the learning rate falls to 0 by then')
    parser.add_argument('--steps', type=int, help='... by then, and not by the clock')
    parser.add_argument('--evaluate-every', type=int, default=2, help='passes over the cache')
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--window', type=int, default=20, help='patches; 0: whole pictures')
    parser.add_argument('--rate', type=float, default=1.5e-3)
    parser.add_argument('--threads', type=int, default=1)
    arguments = parser.parse_args()
    if arguments.steps is not None and arguments.steps < 1:
        parser.error(f'--steps must be 1 or more, got {arguments.steps}')
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    backbone = load_backbone(arguments.backbone)
    words = make_words(backbone.classifier.weight.detach(), backbone.classifier.bias.detach())
    index = {kind: i for i, kind in enumerate(words.kinds)}
    head = GroundingHead(len(words.kinds))
    optimiser = torch.optim.AdamW(head.parameters(), lr=arguments.rate, weight_decay=0.03)
    state = resume(arguments.out, head, optimiser)
    spent, passes, taken = state.get('spent', 0.0), state.get('passes', 0), state.get('steps', 0)

    def share(seconds: float, steps: int) -> float:
        """Return how much of the training is over after so many seconds and steps of this pass."""
        if arguments.steps is not None:
            return min(1.0, (taken + steps) / arguments.steps)
        return min(1.0, (spent + seconds) / (arguments.minutes * 60))

    print(f'{sum(p.numel() for p in head.parameters())} parameters', flush=True)
    while share(0, 0) < 1:
        # shards that were added since the last pass join in
        shards = sorted(path for folder in arguments.cache for path in folder.glob('????.npz'))
        vocabulary = seen_words(shards)
        known = torch.zeros(len(words.kinds))
        known[[index[word] for word in vocabulary]] = 1.0
        sums: dict[str, float] = {}
        begin, steps = time.perf_counter(), 0
        for batch in batches(shards, vocabulary, index, arguments.batch,
                             np.random.default_rng(passes), arguments.window):
            over = share(time.perf_counter() - begin, steps)
            rate = arguments.rate * min(1.0, over / 0.03 + 0.05, 1.25 * (1 - over) + 0.002)
            # now and then a word is known by its classes alone, as most words of the lexicon are
            dropped = known * (torch.rand(len(known)) > 0.2)
            parts = losses(head, batch, words, dropped)
            descend(torch.stack(list(parts.values())).sum(), head, optimiser, rate)
            steps += 1
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value.item()
            if steps % 20 == 0:
                print(f'{passes} {steps} ' + ' '.join(f'{k} {v / steps:.3f}' for k, v in sums.items())
                      + f' {(time.perf_counter() - begin) / steps:.2f} s', flush=True)
            if share(time.perf_counter() - begin, steps) >= 1:
                break
        if not steps:
            parser.error(f'--cache: no batch of {arguments.batch} pictures in {len(shards)} shards')
        passes, spent, taken = passes + 1, spent + time.perf_counter() - begin, taken + steps
        entry = {'pass': passes, 'minutes': round(spent / 60, 1), 'shards': len(shards), 'steps': steps,
                 **{name: round(value / max(1, steps), 4) for name, value in sums.items()}}
        if passes % arguments.evaluate_every == 0 or share(0, 0) >= 1:
            entry['val'] = evaluate(head, sorted(arguments.val.glob('????.npz')), vocabulary, index, words,
                                    known)
        save_learned(arguments.out / 'head.safetensors',
                     {f'head.{name}': value for name, value in head.state_dict().items()}, vocabulary)
        record(arguments.out, entry, head, optimiser, spent=spent, passes=passes, steps=taken)


def seen_words(shards: list[Path], least: int = 8) -> list[str]:
    """Return the words that at least so many pictures of the shards show."""
    counts: Counter[str] = Counter()
    for path in shards:
        for label in json.loads(np.load(path)['labels'].tobytes()):
            counts.update({name for kind, *_, boxed in label['objects'] if boxed is not None
                           for name in names_of(kind)})
    return sorted(name for name, count in counts.items() if count >= least)


if __name__ == '__main__':
    main()
