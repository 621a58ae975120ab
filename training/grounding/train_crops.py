"""Train the second look on cached crops.

Resumable: state is saved after every pass. Run from the repository root::

    python -m training.grounding.train_crops --cache CACHE/photos CACHE/rendered --val CACHE/val --out RUN
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from training.grounding.features import load_backbone
from training.grounding.groups import may_be, names_of
from training.grounding.run import descend, record, resume
from training.grounding.train import Words, make_words
from vla_attention.grounding.crop_attention import TOKENS, CropHead, class_prior
from vla_attention.vision.backbone import CHANNELS

FITS, MISSES = 0.55, 0.35       # IoU from which a box fits a thing, and up to which it does not


class Crops:
    """All crops of some folders in memory: features (N, TOKENS, 1280) fp16 and targets (N, W) int8."""

    def __init__(self, folders: list[Path], vocabulary: list[str] | None = None) -> None:
        paths = sorted(path for folder in folders for path in folder.glob('????.npz'))
        labels = [json.loads(np.load(path)['labels'].tobytes()) for path in paths]
        self.features = torch.empty(sum(map(len, labels)), TOKENS, CHANNELS[32], dtype=torch.float16)
        start = 0
        for path, shard in zip(paths, labels, strict=True):     # one at a time: together they fill the memory
            self.features[start:start + len(shard)] = torch.from_numpy(np.load(path)['features'])
            start += len(shard)
        flat = [label for shard in labels for label in shard]
        self.vocabulary = vocabulary if vocabulary is not None else _vocabulary(flat)
        self.targets = torch.from_numpy(np.stack([_targets(label, self.vocabulary) for label in flat]))


def _vocabulary(labels: list, least: int = 20) -> list[str]:
    counts: dict[str, int] = {}
    for things, _, _ in labels:
        for name in {name for kind, overlap in things if overlap >= FITS for name in names_of(kind)}:
            counts[name] = counts.get(name, 0) + 1
    return sorted(name for name, count in counts.items() if count >= least)


def _targets(label: tuple, vocabulary: list[str]) -> np.ndarray:
    """Return (W,) int8: 1 the crop shows such a thing and its box fits, 0 not, -1 not known."""
    things, open_kinds, all_labelled = label
    target = np.zeros(len(vocabulary), np.int8)
    for place, word in enumerate(vocabulary):
        best = max((overlap for kind, overlap in things if word in names_of(kind)), default=0.0)
        if best >= FITS:
            target[place] = 1
        elif (best > MISSES or any(overlap > MISSES and may_be(kind, word) for kind, overlap in things)
                or any(may_be(kind, word) for kind in open_kinds) or (word == 'object' and not all_labelled)):
            target[place] = -1
    return target


def loss_of(head: CropHead, features: Tensor, targets: Tensor, words: Words, index: Tensor, known: Tensor,
            classifier: torch.nn.Linear) -> Tensor:
    """Return the loss of some crops for all words of the vocabulary."""
    prior = class_prior(features.mean(1), classifier, words.rows[index], words.bias[index],
                        words.present[index])
    queries = head.words.queries(known, index, words.mean[index])
    logits, _ = head.words(queries, head.encoder(features), prior)
    truth = (targets == 1).float()
    loss = functional.binary_cross_entropy_with_logits(logits, truth, reduction='none')
    wrong = torch.where(truth > 0.5, 1 - torch.sigmoid(logits), torch.sigmoid(logits))
    loss = loss * wrong.detach()        # focal weight, gamma 1
    return (loss * (targets >= 0)).sum() / truth.sum().clamp(min=1)


@torch.no_grad()
def evaluate(head: CropHead, crops: Crops, words: Words, index: Tensor, known: Tensor,
             classifier: torch.nn.Linear) -> dict[str, float]:
    """Measure the mean average precision over the words, with the head and with ImageNet's classes alone."""
    head.eval()
    queries = head.words.queries(known, index, words.mean[index])
    answers, priors = [], []
    for part in crops.features.split(256):
        prior = class_prior(part.float().mean(1), classifier, words.rows[index], words.bias[index],
                            words.present[index])
        answers.append(head.words(queries, head.encoder(part.float()), prior)[0])
        priors.append(prior[1])
    result = {}
    for name, scores in (('head', torch.cat(answers)), ('classes', torch.cat(priors))):
        found = [precision(scores[:, w], crops.targets[:, w]) for w in range(len(index))]
        result[name] = float(np.nanmean(found))
    head.train()
    return result


def precision(scores: Tensor, target: Tensor) -> float:
    """Return the average precision of one word; NaN where nothing shows it."""
    known = target >= 0
    order = scores[known].argsort(descending=True)
    hits = (target[known][order] == 1).float()
    if not hits.any():
        return float('nan')
    ranks = torch.arange(1, len(hits) + 1)
    return float(((hits.cumsum(0) / ranks) * hits).sum() / hits.sum())


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--cache', type=Path, nargs='+', required=True)
    parser.add_argument('--val', type=Path, nargs='+', required=True)
    parser.add_argument('--backbone', type=Path, required=True, help='what convert_backbone.py wrote')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--passes', type=int, default=12)
    parser.add_argument('--batch', type=int, default=192)
    parser.add_argument('--words', type=int, default=40, help='that are asked in a step')
    parser.add_argument('--rate', type=float, default=1e-3)
    parser.add_argument('--threads', type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    backbone = load_backbone(arguments.backbone)
    classifier = backbone.classifier.requires_grad_(False)
    words = make_words(classifier.weight, classifier.bias)
    crops = Crops(arguments.cache)
    val = {folder.name: Crops([folder], crops.vocabulary) for folder in arguments.val}
    index = torch.tensor([words.kinds.index(word) for word in crops.vocabulary])
    head = CropHead(len(words.kinds))
    optimiser = torch.optim.AdamW(head.parameters(), lr=arguments.rate, weight_decay=0.05)
    # rare words come up more often than their share
    counts = (crops.targets == 1).sum(0).clamp(min=1).float()
    weight = ((crops.targets == 1) / counts.sqrt()).amax(1) + 0.3 / counts.max().sqrt()
    steps = len(crops.features) // arguments.batch
    print(f'{len(crops.features)} crops, {len(index)} words, {steps} steps a pass, '
          f'{sum(p.numel() for p in head.parameters())} parameters', flush=True)
    passes = resume(arguments.out, head, optimiser).get('passes', 0)
    while passes < arguments.passes:
        random = torch.Generator().manual_seed(passes)
        order = torch.multinomial(weight, steps * arguments.batch, replacement=True, generator=random)
        begin, total = time.perf_counter(), 0.0
        for step, chosen in enumerate(order.split(arguments.batch)):
            share = (passes + step / steps) / arguments.passes
            rate = arguments.rate * min(1.0, share / 0.05 + 0.02, 1.2 * (1 - share) + 0.002)
            # now and then a word is known by its classes alone, as most words of the lexicon are
            columns = torch.randperm(len(index))[:arguments.words]
            known = (torch.rand(len(columns)) > 0.2).float()
            loss = loss_of(head, crops.features[chosen].float(), crops.targets[chosen][:, columns], words,
                           index[columns], known, classifier)
            descend(loss, head, optimiser, rate)
            total += loss.item()
            if step % 50 == 0:
                print(f'{passes} {step} {total / (step + 1):.3f} '
                      f'{(time.perf_counter() - begin) / (step + 1):.2f} s', flush=True)
        passes += 1
        known = torch.ones(len(index))
        entry = {'pass': passes, 'loss': round(total / steps, 4), 'crops': len(crops.features),
                 'minutes': round((time.perf_counter() - begin) / 60, 1),
                 **{name: {**evaluate(head, part, words, index, known, classifier),
                           'unknown': evaluate(head, part, words, index, 0 * known, classifier)['head']}
                    for name, part in val.items()}}
        record(arguments.out, entry, head, optimiser, passes=passes)
        save_file({name: value.half().contiguous() for name, value in head.state_dict().items()},
                  arguments.out / 'crops.safetensors', metadata={'known': json.dumps(crops.vocabulary)})


if __name__ == '__main__':
    main()
