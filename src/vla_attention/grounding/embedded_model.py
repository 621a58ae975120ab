"""The embedded model's network and its weights file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.crop_attention import CropHead, CropWords
from vla_attention.grounding.head import GroundingHead, WordAttention
from vla_attention.language.lexicon import load_lexicon
from vla_attention.vision.backbone import EfficientNetLite0

RANGES, NEAR_RANGES = 'ranges', 'near_ranges'       # names of the tensors of training/grounding/quantize.py
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


class CropModel(nn.Module):
    """The second look's part that does not depend on words, in one graph: backbone and crop encoder."""

    def __init__(self, backbone: EfficientNetLite0, head: CropHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.encoder = head.encoder

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See crops (N, 3, SIDE, SIDE) in 0..255.

        :returns: tokens (N, TOKENS, DIM), mean features (N, 1280), and boxes (N, 4) as the encoder's.
        """
        _, _, embedding = self.backbone(crops)
        features = embedding.flatten(2).transpose(1, 2)
        tokens, reach = self.encoder(features)
        return tokens, features.mean(dim=1), reach


class SecondModel(NamedTuple):
    """The second look: its network, and which kinds it was trained on."""

    sight: CropModel
    words: CropWords
    known: frozenset[str]
    fusion: np.ndarray          # (4,) weights of the evidence of both looks, and a bias
    ranges: Tensor | None       # (N, 2) of the inputs of its convolutions; None: not measured


class EmbeddedModel(NamedTuple):
    """The network, its classifier, and which kinds of the lexicon it was trained on."""

    sight: SightModel
    words: WordAttention
    classifier: nn.Linear
    kinds: tuple[str, ...]      # rows of the word embeddings
    known: frozenset[str]
    second: SecondModel | None  # None: weights without a second look
    ranges: Tensor | None       # (N, 2) of the inputs of the backbone's convolutions; None: not measured


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
        crop_known = frozenset(json.loads(metadata.get('crop_known', '[]')))
        backbone, head, crop = EfficientNetLite0(), GroundingHead(len(kinds)), CropHead(len(kinds))
        backbone.load_state_dict(part_of(state, 'backbone.'))
        head.load_state_dict(part_of(state, 'head.'))
        if crop_known:
            crop.load_state_dict(part_of(state, 'crop.'))
    except FileNotFoundError:
        raise BackendError(f'weights of the embedded model not found: {path}') from None
    except (SafetensorError, RuntimeError, KeyError, OSError, json.JSONDecodeError) as error:
        reason = '; '.join(line.strip()[:200] for line in str(error).splitlines()[:2])
        raise BackendError(f'{path} does not hold the weights of the embedded model: {reason}') from error
    sight = SightModel(backbone, head).eval()
    second = None
    if crop_known:
        second = SecondModel(CropModel(crop.late.applied(backbone), crop).eval(), crop.words.eval(),
                             crop_known, crop.fusion.numpy(), state.get(NEAR_RANGES))
    return EmbeddedModel(sight, head.words.eval(), backbone.classifier, kinds, known, second,
                         state.get(RANGES))


def save_model(path: Path, backbone: dict[str, Tensor], head: dict[str, Tensor], crop: dict[str, Tensor],
               known: list[str], crop_known: list[str], notes: str) -> None:
    """Write one file with all parts in fp16.

    :param known: kinds that ``head`` was trained on; ``crop_known`` those of ``crop``.
    :raises ValueError: the lexicon has other kinds now than when ``head`` was trained.
    """
    kinds, rows = load_lexicon().names, len(head['words.embedding.weight'])
    if rows != len(kinds):
        raise ValueError(f'the head knows {rows} kinds and the lexicon {len(kinds)}: '
                         'pack with the lexicon that it was trained with')
    state = {f'{part}.{name}': tensor.half().contiguous()
             for part, tensors in (('backbone', backbone), ('head', head), ('crop', crop))
             for name, tensor in tensors.items()}
    save_file(state, str(path), metadata={
        'kinds': json.dumps(list(kinds)), 'known': json.dumps(sorted(known)),
        'crop_known': json.dumps(sorted(crop_known)), 'notes': notes})


def part_of(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it: 'backbone.', 'head.' or 'crop.'."""
    return {name[len(prefix):]: tensor for name, tensor in state.items() if name.startswith(prefix)}
