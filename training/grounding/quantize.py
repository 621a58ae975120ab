"""Measure the ranges for eight-bit activations of both looks' backbones, and put them into the weights."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.grounding.photos import load_photos
from training.kept import whole
from vla_attention.grounding.embedded_model import (
    NEAR_RANGES,
    RANGES,
    WEIGHTS,
    CropModel,
    SightModel,
    load_model,
)
from vla_attention.grounding.second_look import cut
from vla_attention.vision.engine import as_tensor
from vla_attention.vision.image import fit
from vla_attention.vision.int8 import convolutions, in_int8

CROPS = 8           # of a photograph
JUDGED = 6          # photographs, or crops of them, on which each convolution is rounded alone
MOST_ERROR = 0.05   # of the features, over their deviation; the few early layers above it cost little time


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--photos', type=Path, required=True, help='folder of photographs with labels.jsonl')
    parser.add_argument('--count', type=int, default=48, help='photographs to look at')
    parser.add_argument('--weights', type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    model = load_model(arguments.weights)
    photos = load_photos(arguments.photos, 'train')
    images, crops = [], []
    for number in np.random.default_rng(0).choice(len(photos), arguments.count, replace=False):
        image = cv2.cvtColor(cv2.imread(str(photos[number].path)), cv2.COLOR_BGR2RGB)
        boxes = [thing.box for thing in photos[number].things if thing.box is not None][:CROPS]
        images.append(fit(image))
        if boxes:
            crops.append(cut(image, np.array(boxes, np.float32)))
    found = {RANGES: judged(model.sight, images)}
    if model.second is not None:
        found[NEAR_RANGES] = judged(model.second.sight, crops)
    save(arguments.weights, found)


def judged(model: SightModel | CropModel, images: list[np.ndarray]) -> Tensor:
    """Return the ranges of :func:`measure`, NaN for convolutions that are better left as they are."""
    ranges = measure(model, images)
    alone = errors(model.backbone, ranges, images[:JUDGED])
    ranges[alone > MOST_ERROR] = torch.nan
    print(f'{type(model).__name__}, left as they are: ' + ', '.join(
        f'{number} ({error:.3f})' for number, error in enumerate(alone.tolist()) if error > MOST_ERROR))
    return ranges


@torch.no_grad()
def measure(model: nn.Module, images: list[np.ndarray]) -> Tensor:
    """Return (N, 2) least and greatest input of each convolution, the median over images.

    The median and not the extreme: a rare spike that is cut off costs less than coarser steps everywhere.
    """
    found = convolutions(model)
    seen: list[list[tuple[float, float]]] = [[] for _ in found]

    def note(number: int, tokens: Tensor) -> None:
        seen[number].append((float(tokens.min()), float(tokens.max())))

    hooks = [convolution.register_forward_pre_hook(lambda _, inputs, number=number: note(number, inputs[0]))
             for number, convolution in enumerate(found)]
    for image in images:
        model(as_tensor(image))
    for hook in hooks:
        hook.remove()
    return torch.tensor(np.median(np.array(seen), axis=1), dtype=torch.float32)


@torch.no_grad()
def errors(backbone: nn.Module, ranges: Tensor, images: list[np.ndarray]) -> Tensor:
    """Return (N,) how far the last features move, over their deviation, where one convolution is rounded."""
    inputs = [as_tensor(image) for image in images]
    exact = [backbone(image)[-1] for image in inputs]
    moved = torch.zeros(len(ranges))
    for number in range(len(ranges)):
        one = torch.full_like(ranges, torch.nan)
        one[number] = ranges[number]
        rounded = in_int8(backbone, one)
        moved[number] = torch.stack([(rounded(image)[-1] - features).pow(2).mean().sqrt() / features.std()
                                     for image, features in zip(inputs, exact, strict=True)]).mean()
    return moved


def save(path: Path, ranges: dict[str, Tensor]) -> None:
    """Put ranges into a weights file, whose other contents stay."""
    with safe_open(str(path), framework='pt') as file:
        metadata = file.metadata()
    tensors = {**load_file(str(path)), **{name: values.contiguous() for name, values in ranges.items()}}
    with whole(path) as file:
        save_file(tensors, str(file), metadata=metadata)


if __name__ == '__main__':
    main()
