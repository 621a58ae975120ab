"""Scenes as the frozen backbone sees them, with their phrases and candidates, kept in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.kept import whole
from training.scenes.dataset import load_scene, read_labels
from training.scenes.scene import Scene
from vla_attention.grounding.embedded_model import load_model
from vla_attention.vision.backbone import CHANNELS, STRIDE, EfficientNetLite0

SIZE = (320, 256)           # width and height that the backbone sees
COARSE = (SIZE[1] // STRIDE, SIZE[0] // STRIDE)     # rows and columns at stride 32
GRID = (2 * COARSE[0], 2 * COARSE[1])           # of the patches of 16x16 pixels that readouts see
CELLS = GRID[0] * GRID[1]
CHANNELS_KEPT = 256                             # of a patch: those of stride 16, the rest of stride 32
_WORD = re.compile(r'[0-9a-z]+|[가-힣]+')


@dataclass(frozen=True)
class Asked:
    """One phrase in one language: ``words`` as text, ``target`` an index into the candidates."""

    words: tuple[str, ...]
    target: int
    needs: tuple[str, ...]
    language: str


@dataclass(frozen=True)
class Example:
    """One scene: ``cells`` (CELLS, C) float16, candidates' ``boxes`` (N, 4) in 0..1, and what is asked."""

    cells: Tensor
    boxes: Tensor
    asked: tuple[Asked, ...]


def load_backbone() -> EfficientNetLite0:
    """Load the frozen backbone that the package carries."""
    return load_model().sight.backbone


def as_input(image: np.ndarray) -> Tensor:
    """Return an RGB image in the size that the backbone sees, (1, 3, H, W) float32 in 0..255."""
    seen = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1))).float()[None]


@torch.no_grad()
def backbone_features(backbone: EfficientNetLite0, image: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return the features of an image at stride 32, (rows, columns, C) float32, and at stride 16."""
    _, fine, coarse = backbone(as_input(image))
    return coarse[0].permute(1, 2, 0), fine[0].permute(1, 2, 0)


@dataclass(frozen=True)
class Projection:
    """What makes patches of features: fitted on training scenes alone and the same for every readout.

    Stride 32 gives its principal components, repeated for the four patches of a cell; stride 16 is as it is
    but for its scale.
    """

    mean: Tensor
    basis: Tensor
    fine_mean: Tensor
    fine_scale: Tensor

    def __call__(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return (CELLS, CHANNELS_KEPT) of the two features of :func:`backbone_features`."""
        reduced = (coarse - self.mean) @ self.basis
        wide = reduced.repeat_interleave(2, 0).repeat_interleave(2, 1)
        return torch.cat([wide, (fine - self.fine_mean) * self.fine_scale], dim=-1).flatten(0, 1)

    @classmethod
    def fit(cls, coarse: Tensor, fine: Tensor) -> Projection:
        """Fit on features (N, C) of both strides."""
        mean = coarse.mean(0)
        centred = coarse - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(coarse))
        kept = CHANNELS_KEPT - fine.shape[1]
        scale = values[-kept:].clamp_min(1e-6).sqrt()
        return cls(mean, vectors[:, -kept:] / scale.mean(), fine.mean(0), 1 / fine.std().clamp_min(1e-6))

    @classmethod
    def random(cls) -> Projection:
        """Return one that was fitted on nothing, to time it."""
        kept = CHANNELS_KEPT - CHANNELS[16]
        return cls(torch.zeros(CHANNELS[32]), torch.randn(CHANNELS[32], kept), torch.zeros(CHANNELS[16]),
                   torch.ones(()))


def tokenize(text: str) -> tuple[str, ...]:
    """Split a phrase into lower-case words; Korean ones keep their particles."""
    return tuple(_WORD.findall(text.lower()))


def read_features(folder: Path, backbone: EfficientNetLite0, count: int,
                  cache: Path) -> list[tuple[tuple[Tensor, Tensor], Scene]]:
    """Return (features at strides 32 and 16, float16, scene without its pictures) of a folder's first scenes.

    :param cache: a file that keeps the features of scenes seen before, by seed.
    """
    known: dict[int, tuple[Tensor, Tensor]] = torch.load(cache, weights_only=True) if cache.exists() else {}
    found, begun = [], len(known)
    for record in tqdm(list(islice(read_labels(folder), count)), desc=f'features of {folder.name}',
                       disable=None):
        scene = load_scene(folder, record)
        if scene.seed not in known:
            coarse, fine = backbone_features(backbone, scene.image)
            known[scene.seed] = (coarse.half(), fine.half())
        # what is needed of the pictures later is their size
        nothing = np.broadcast_to(np.uint8(0), scene.image.shape)
        pictures = {'image': nothing, 'instances': nothing[..., 0], 'depth': nothing[..., 0]}
        found.append((known[scene.seed], replace(scene, **pictures)))
    if len(known) > begun:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with whole(cache) as file:
            torch.save(known, file)
    return found


def make_example(features: tuple[Tensor, Tensor], scene: Scene, projection: Projection) -> Example | None:
    """Make an example; None where there is nothing to choose between or nothing asked."""
    objects = scene.objects
    index = {entry.id: number for number, entry in enumerate(objects)}
    height, width = scene.image.shape[:2]
    boxes = torch.tensor([entry.box2d for entry in objects], dtype=torch.float32).reshape(-1, 4)
    asked = tuple(Asked(tokenize(text), index[phrase.target_id], phrase.needs, language)
                  for phrase in scene.phrases if phrase.target_id
                  for language, text in (('en', phrase.text_en), ('ko', phrase.text_ko)))
    if len(objects) < 2 or not asked:
        return None
    cells = projection(*(each.float() for each in features)).half()
    return Example(cells, boxes / torch.tensor([width, height, width, height]), asked)


def vocabulary(examples: Iterable[Example]) -> dict[str, int]:
    """Give the words of training numbers from 2 on; 0 is padding, 1 a word never seen."""
    words = sorted({word for example in examples for asked in example.asked for word in asked.words})
    return {word: number + 2 for number, word in enumerate(words)}
