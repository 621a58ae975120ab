"""The embedded model's network and its weights file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.head import GroundingHead, WordAttention
from vla_attention.language.lexicon import load_lexicon
from vla_attention.vision.backbone import EfficientNetLite0

WEIGHTS = Path(__file__).parent.parent / 'weights' / 'embedded.safetensors'


class Sight(NamedTuple):
    """What the model knows of one image before any word: P patches of the grid, row by row."""

    tokens: Tensor          # (1, P, DIM)
    objectness: Tensor      # (1, P) logits: the middle of a thing is here
    boxes: Tensor           # (1, P, 4) x0, y0, x1, y1 in pixels of the model's image
    embedding: Tensor       # (1, 1280, rows / 2, cols / 2), what the ImageNet classifier reads


class SightModel(nn.Module):
    """The part that does not depend on words, in one graph: backbone and patch encoder."""

    def __init__(self, backbone: EfficientNetLite0, head: GroundingHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.encoder = head.encoder

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See an image (B, 3, H, W) in 0..255; returns the fields of :class:`Sight`."""
        eighth, sixteenth, embedding = self.backbone(image)
        fine = torch.cat([sixteenth, functional.avg_pool2d(eighth, 2)], dim=1)
        tokens, objectness, boxes = self.encoder(fine, embedding)
        return tokens, objectness, boxes, embedding


class EmbeddedModel(NamedTuple):
    """The network, its classifier, and which kinds of the lexicon it was trained on."""

    sight: SightModel
    words: WordAttention
    classifier: nn.Linear
    kinds: tuple[str, ...]      # rows of the word embedding
    known: frozenset[str]


def load_model(path: Path = WEIGHTS) -> EmbeddedModel:
    """Read the weights.

    :raises BackendError: the file is missing or holds something else; the message names it.
    """
    try:
        with safe_open(str(path), framework='pt') as file:
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (no mapping)
            metadata = file.metadata() or {}
        kinds = tuple(json.loads(metadata['kinds']))
        known = frozenset(json.loads(metadata['known']))
        backbone, head = EfficientNetLite0(), GroundingHead(len(kinds))
        backbone.load_state_dict(_part(state, 'backbone.'))
        head.load_state_dict(_part(state, 'head.'))
    except FileNotFoundError:
        raise BackendError(f'weights of the embedded model not found: {path}') from None
    except (SafetensorError, RuntimeError, KeyError, OSError, json.JSONDecodeError) as error:
        raise BackendError(f'{path} does not hold the weights of the embedded model: {error}') from error
    sight = SightModel(backbone, head).eval()
    return EmbeddedModel(sight, head.words.eval(), backbone.classifier, kinds, known)


def save_model(path: Path, backbone: dict[str, Tensor], head: dict[str, Tensor], known: list[str],
               notes: str) -> None:
    """Write one file with both parts in fp16."""
    state = {**{f'backbone.{name}': tensor for name, tensor in backbone.items()},
             **{f'head.{name}': tensor for name, tensor in head.items()}}
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, str(path),
              metadata={'kinds': json.dumps(list(load_lexicon().names)), 'known': json.dumps(sorted(known)),
                        'notes': notes})


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix):]: tensor for name, tensor in state.items() if name.startswith(prefix)}
