"""Train the second look on cached crops, and with it the late layers of its backbone.

The ImageNet classes are kept alive by distillation (Hinton et al., 2015): what the classifier says of a crop
should stay what it said before. Resumable: state is saved after every pass. Run from the repository root::

    python -m training.grounding.train_crops --cache CACHE/photos CACHE/rendered --val CACHE/val --out RUN
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from training.grounding.features import load_backbone
from training.grounding.groups import may_be, names_of
from training.grounding.run import descend, record, resume, save_learned
from training.grounding.train import Words, generalised_iou, make_words
from vla_attention.grounding.crop_attention import CropHead, class_prior
from vla_attention.grounding.embedded_model import part_of
from vla_attention.grounding.second_look import SIDE
from vla_attention.vision.backbone import CHANNELS, EfficientNetLite0

FITS, MISSES = 0.55, 0.35       # IoU from which a box fits a thing, and up to which it does not
REACH, CLASSES = 0.5, 0.1       # what boxes and ImageNet's classes count in the loss beside words


class Crops:
    """All crops of some folders in memory.

    ``features`` (N, 112, 10, 10) fp16 at stride 16; ``pooled`` (N, 1280) fp16, the mean of the last ones as
    the backbone came; ``targets`` (N, W) int8; ``reach`` (N, 4) of the thing's box, NaN without any.
    """

    def __init__(self, folders: list[Path], vocabulary: list[str] | None = None) -> None:
        paths = sorted(path for folder in folders for path in folder.glob('????.npz'))
        labels = [json.loads(np.load(path)['labels'].tobytes()) for path in paths]
        count = sum(map(len, labels))
        side = SIDE // 16
        self.features = torch.empty(count, CHANNELS[16], side, side, dtype=torch.float16)
        self.pooled = torch.empty(count, CHANNELS[32], dtype=torch.float16)
        start = 0
        for path, shard in zip(paths, labels, strict=True):     # one at a time: together they fill the memory
            stored = np.load(path)
            self.features[start:start + len(shard)] = torch.from_numpy(stored['features'])
            self.pooled[start:start + len(shard)] = torch.from_numpy(stored['pooled'])
            start += len(shard)
        self.reach = torch.tensor([label[3] or [float('nan')] * 4 for shard in labels for label in shard])
        flat = [label for shard in labels for label in shard]
        self.vocabulary = vocabulary if vocabulary is not None else _vocabulary(flat)
        self.targets = torch.from_numpy(np.stack([_targets(label, self.vocabulary) for label in flat]))


def _vocabulary(labels: list, least: int = 20) -> list[str]:
    counts: dict[str, int] = {}
    for things, *_ in labels:
        for name in {name for kind, overlap in things if overlap >= FITS for name in names_of(kind)}:
            counts[name] = counts.get(name, 0) + 1
    return sorted(name for name, count in counts.items() if count >= least)


def _targets(label: tuple, vocabulary: list[str]) -> np.ndarray:
    """Return (W,) int8: 1 the crop shows such a thing and its box fits, 0 not, -1 not known."""
    things, open_kinds, all_labelled, _ = label
    target = np.zeros(len(vocabulary), np.int8)
    for place, word in enumerate(vocabulary):
        best = max((overlap for kind, overlap in things if word in names_of(kind)), default=0.0)
        if best >= FITS:
            target[place] = 1
        elif (best > MISSES or any(overlap > MISSES and may_be(kind, word) for kind, overlap in things)
                or any(may_be(kind, word) for kind in open_kinds) or (word == 'object' and not all_labelled)):
            target[place] = -1
    return target


class SecondLookTraining(nn.Module):
    """The second look from stride 16 on, with what its loss needs."""

    def __init__(self, backbone: EfficientNetLite0, head: CropHead, words: Words, index: Tensor) -> None:
        """Take the parts.

        :param index: (W,) rows of the vocabulary in the lexicon's kinds.
        """
        super().__init__()
        self.backbone, self.head = backbone.requires_grad_(False), head
        self.words, self.index = words, index

    def late(self, sixteenth: Tensor) -> Tensor:
        """Run the changed late layers: (N, 112, 10, 10) -> (N, TOKENS, 1280).

        1x1 convolutions are matrix products in the order in which they lie in memory, and in bfloat16: on a
        CPU that takes less time than the same as convolutions.
        """
        changed = self.head.late.weights(self.backbone)

        def project(tokens: Tensor, name: str) -> Tensor:
            weight, bias = changed[f'{name}.weight'].flatten(1), changed[f'{name}.bias']
            return functional.linear(tokens.bfloat16(), weight.bfloat16(), bias.bfloat16()).float()

        tokens = sixteenth.permute(0, 2, 3, 1)
        for number, block in enumerate(self.backbone.blocks):
            if number > self.backbone.taps[16]:
                inner = functional.relu6(project(tokens, f'blocks.{number}.expand'))
                inner = functional.relu6(block.depthwise(inner.permute(0, 3, 1, 2)))
                output = project(inner.permute(0, 2, 3, 1), f'blocks.{number}.project')
                tokens = output + tokens if block.residual else output
        return functional.relu6(project(tokens, 'head')).flatten(1, 2)

    def forward(self, features: Tensor, columns: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (N, W) of some words, boxes (N, 4), and the mean of the last features (N, 1280).

        :param features: (N, TOKENS, 1280) of :meth:`late`.
        :param columns: (W,) places in the vocabulary.
        :param known: (W,) 1 where a word is known by more than its classes.
        """
        pooled, index, words = features.mean(1), self.index[columns], self.words
        prior = class_prior(pooled, self.backbone.classifier, words.rows[index], words.bias[index],
                            words.present[index])
        tokens, reach = self.head.encoder(features)
        queries = self.head.words.queries(known, index, words.mean[index])
        return self.head.words(queries, tokens, prior)[0], reach, pooled

    def loss(self, crops: Crops, chosen: Tensor, columns: Tensor, known: Tensor) -> dict[str, Tensor]:
        """Return the parts of the loss of some crops."""
        logits, reach, pooled = self(self.late(crops.features[chosen].float()), columns, known)
        targets = crops.targets[chosen][:, columns]
        truth = (targets == 1).float()
        loss = functional.binary_cross_entropy_with_logits(logits, truth, reduction='none')
        wrong = torch.where(truth > 0.5, 1 - torch.sigmoid(logits), torch.sigmoid(logits))
        loss = loss * wrong.detach()        # focal weight, gamma 1
        has = ~crops.reach[chosen][:, 0].isnan()
        found, there = reach[has], crops.reach[chosen][has]
        off = 1 - generalised_iou(found, there) + 3 * (found - there).abs().mean(1)
        classify = self.backbone.classifier
        before = classify(crops.pooled[chosen].float()).log_softmax(-1)
        return {
            'words': (loss * (targets >= 0)).sum() / truth.sum().clamp(min=1),
            'reach': REACH * off.sum() / has.sum().clamp(min=1),
            'classes': CLASSES * functional.kl_div(classify(pooled).log_softmax(-1), before, log_target=True,
                                                   reduction='batchmean'),
        }


@torch.no_grad()
def evaluate(model: SecondLookTraining, crops: Crops) -> dict[str, float]:
    """Measure the mean average precision over the words, and the GIoU of boxes.

    'head' knows all words, 'unknown' by their ImageNet classes alone, 'classes' is those classes' share.
    """
    model.head.eval()
    columns = torch.arange(len(model.index))
    words = model.words
    answers, without, priors, reach = [], [], [], []
    for part in crops.features.split(256):
        features = model.late(part.float())
        logits, boxes, pooled = model(features, columns, torch.ones(len(columns)))
        answers.append(logits)
        without.append(model(features, columns, torch.zeros(len(columns)))[0])
        reach.append(boxes)
        priors.append(class_prior(pooled, model.backbone.classifier, words.rows[model.index],
                                  words.bias[model.index], words.present[model.index])[1])
    result = {}
    for name, scores in (('head', answers), ('unknown', without), ('classes', priors)):
        told = torch.cat(scores)
        result[name] = float(np.nanmean([precision(told[:, w], crops.targets[:, w]) for w in columns]))
    has = ~crops.reach[:, 0].isnan()
    result['reach'] = float(generalised_iou(torch.cat(reach)[has], crops.reach[has]).mean())
    model.head.train()
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
    parser.add_argument('--start', type=Path, help='weights file whose second look to start from')
    parser.add_argument('--late', action=argparse.BooleanOptionalAction, default=True,
                        help='whether the late layers of the backbone are trained too')
    parser.add_argument('--steps', type=int, help='of a pass (default: as many as show each crop once)')
    parser.add_argument('--passes', type=int, default=12)
    parser.add_argument('--batch', type=int, default=192)
    parser.add_argument('--words', type=int, default=40, help='that are asked in a step')
    parser.add_argument('--rate', type=float, default=1e-3)
    parser.add_argument('--threads', type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    backbone = load_backbone(arguments.backbone).requires_grad_(False)
    words = make_words(backbone.classifier.weight, backbone.classifier.bias)
    crops = Crops(arguments.cache)
    val = {folder.name: Crops([folder], crops.vocabulary) for folder in arguments.val}
    index = torch.tensor([words.kinds.index(word) for word in crops.vocabulary])
    head = CropHead(len(words.kinds))
    if arguments.start:
        head.load_state_dict(part_of(load_file(str(arguments.start)), 'crop.'))
    if not arguments.late:
        head.late.requires_grad_(False)
    model = SecondLookTraining(backbone, head, words, index)
    optimiser = torch.optim.AdamW(head.parameters(), lr=arguments.rate, weight_decay=0.05)
    # rare words come up more often than their share
    counts = (crops.targets == 1).sum(0).clamp(min=1).float()
    weight = ((crops.targets == 1) / counts.sqrt()).amax(1) + 0.3 / counts.max().sqrt()
    steps = arguments.steps or len(crops.features) // arguments.batch
    print(f'{len(crops.features)} crops, {len(index)} words, {steps} steps a pass, '
          f'{sum(p.numel() for p in head.parameters())} parameters', flush=True)
    passes = resume(arguments.out, head, optimiser).get('passes', 0)
    while passes < arguments.passes:
        random = torch.Generator().manual_seed(passes)
        order = torch.multinomial(weight, steps * arguments.batch, replacement=True, generator=random)
        begin = time.perf_counter()
        sums: dict[str, float] = {}
        for step, chosen in enumerate(order.split(arguments.batch)):
            share = (passes + step / steps) / arguments.passes
            rate = arguments.rate * min(1.0, share / 0.05 + 0.02, 1.2 * (1 - share) + 0.002)
            # now and then a word is known by its classes alone, as most words of the lexicon are
            columns = torch.randperm(len(index))[:arguments.words]
            known = (torch.rand(len(columns)) > 0.2).float()
            parts = model.loss(crops, chosen, columns, known)
            descend(torch.stack(list(parts.values())).sum(), head, optimiser, rate)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value.item()
            if step % 50 == 0:
                told = ' '.join(f'{name} {value / (step + 1):.3f}' for name, value in sums.items())
                pace = (time.perf_counter() - begin) / (step + 1)
                print(f'{passes} {step} {told} {pace:.2f} s', flush=True)
        passes += 1
        entry = {'pass': passes, 'crops': len(crops.features),
                 'minutes': round((time.perf_counter() - begin) / 60, 1),
                 **{name: round(value / steps, 4) for name, value in sums.items()},
                 **{name: evaluate(model, part) for name, part in val.items()}}
        # one file a pass: the mean of an early and the last pass is what goes out
        save_learned(arguments.out / f'{passes:02}.safetensors', head.state_dict(), crops.vocabulary)
        record(arguments.out, entry, head, optimiser, passes=passes)


if __name__ == '__main__':
    main()
