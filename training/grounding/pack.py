"""Put a trained head and the backbone into the one file that the package carries."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from vla_attention.grounding.embedded_model import WEIGHTS, save_model


def main() -> None:
    """Pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--head', type=Path, nargs='+', required=True,
                        help='head.safetensors of training runs; of several the mean is taken')
    parser.add_argument('--crops', type=Path, required=True, help='crops.safetensors, after fuse.py')
    parser.add_argument('--backbone', type=Path, required=True, help='what convert_backbone.py wrote')
    parser.add_argument('--out', type=Path, default=WEIGHTS)
    parser.add_argument('--notes', default='', help='what it was trained on, kept in the file')
    arguments = parser.parse_args()
    pack(arguments.head, arguments.crops, arguments.backbone, arguments.out, arguments.notes)


def pack(heads: list[Path], crops: Path, backbone: Path, out: Path, notes: str) -> None:
    """Write the weights file of the embedded model.

    :param heads: as :func:`mean_of` takes them.
    """
    first, known = mean_of(heads)
    second, crop_known = _read(crops)
    save_model(out, load_file(str(backbone)), first, second, known, crop_known, notes)


def mean_of(paths: list[Path]) -> tuple[dict[str, Tensor], list[str]]:
    """Return the mean of what several runs, or passes of one, have learned, and the kinds that they saw.

    The mean is that of each tensor as it is kept. Of changes of low rank that is the mean of their factors,
    whose product is not the mean of the changes (which would be of a higher rank).

    :param paths: of which each goes on where the one before ended, and the last saw all kinds (model soups,
        Wortsman et al., ICML 2022).
    """
    runs = [_read(path) for path in paths]
    mean = {name: torch.stack([run[name].float() for run, _ in runs]).mean(0) for name in runs[0][0]}
    return mean, runs[-1][1]


def _read(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of a training run and the kinds that it saw."""
    with safe_open(str(path), framework='pt') as file:
        known: list[str] = json.loads(file.metadata()['known'])
    return {name.removeprefix('head.'): tensor for name, tensor in load_file(str(path)).items()}, known


if __name__ == '__main__':
    main()
