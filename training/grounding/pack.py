"""Put a trained head and the backbone into the one file that the package carries."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file

from vla_attention.grounding.embedded_model import WEIGHTS, save_model


def main() -> None:
    """Pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--head', type=Path, required=True, help='head.safetensors of a training run')
    parser.add_argument('--backbone', type=Path, required=True, help='what convert_backbone.py wrote')
    parser.add_argument('--out', type=Path, default=WEIGHTS)
    parser.add_argument('--notes', default='', help='what it was trained on, kept in the file')
    arguments = parser.parse_args()
    head = {name.removeprefix('head.'): tensor for name, tensor in load_file(str(arguments.head)).items()}
    with safe_open(str(arguments.head), framework='pt') as file:
        known = json.loads(file.metadata()['known'])
    save_model(arguments.out, load_file(str(arguments.backbone)), head, known, arguments.notes)


if __name__ == '__main__':
    main()
