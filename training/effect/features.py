"""Scenes as the frozen backbone sees them, with their phrases and candidates, kept in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.scenes.dataset import load_scene, read_labels
from training.scenes.scene import Scene
from vla_attention.grounding.embedded_model import load_model
from vla_attention.vision.backbone import CHANNELS, STRIDE, EfficientNetLite0

SIZE = (320, 256)           # width and height that the backbone sees
GRID = (SIZE[1] // STRIDE, SIZE[0] // STRIDE)   # rows and columns of cells
CELLS = GRID[0] * GRID[1]
RAW = CHANNELS[32] + 4 * CHANNELS[16]           # a cell of stride 32 with its four of stride 16
CHANNELS_KEPT = 256
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
    """One scene: ``cells`` (CELLS, C) float32, candidates' ``boxes`` (N, 4) in 0..1, and what is asked."""

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
def raw_cells(backbone: EfficientNetLite0, image: np.ndarray) -> Tensor:
    """Return the features of an image's cells, (CELLS, RAW) float32."""
    _, fine, coarse = backbone(as_input(image))
    stacked = torch.cat([coarse, functional.pixel_unshuffle(fine, 2)], dim=1)
    return stacked[0].flatten(1).T


@dataclass(frozen=True)
class Projection:
    """Principal components of the cells, fitted on training scenes alone and the same for every readout."""

    mean: Tensor
    basis: Tensor

    def __call__(self, cells: Tensor) -> Tensor:
        """Return (..., CHANNELS_KEPT) for cells (..., RAW)."""
        return (cells - self.mean) @ self.basis

    @classmethod
    def fit(cls, cells: Tensor) -> Projection:
        """Fit on cells (N, RAW)."""
        mean = cells.mean(0)
        centred = cells - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(cells))
        basis = vectors[:, -CHANNELS_KEPT:]
        scale = values[-CHANNELS_KEPT:].clamp_min(1e-6).sqrt()
        return cls(mean, basis / scale.mean())


def tokenize(text: str) -> tuple[str, ...]:
    """Split a phrase into lower-case words; Korean ones keep their particles."""
    return tuple(_WORD.findall(text.lower()))


def read_examples(folder: Path, backbone: EfficientNetLite0, count: int,
                  cache: Path) -> list[tuple[Tensor, Scene]]:
    """Return (cells (CELLS, RAW) float16, scene) of the first scenes of a folder.

    :param cache: a file that keeps the cells of scenes seen before, by seed.
    """
    known: dict[int, Tensor] = torch.load(cache, weights_only=True) if cache.exists() else {}
    found, begun = [], len(known)
    for record in islice(read_labels(folder), count):
        scene = load_scene(folder, record)
        if scene.seed not in known:
            known[scene.seed] = raw_cells(backbone, scene.image).half()
        found.append((known[scene.seed], scene))
    if len(known) > begun:
        cache.parent.mkdir(parents=True, exist_ok=True)
        torch.save(known, cache)
    return found


def make_example(cells: Tensor, scene: Scene, projection: Projection) -> Example | None:
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
    return Example(projection(cells.float()), boxes / torch.tensor([width, height, width, height]), asked)


def vocabulary(examples: Iterable[Example]) -> dict[str, int]:
    """Give the words of training numbers from 2 on; 0 is padding, 1 a word never seen."""
    words = sorted({word for example in examples for asked in example.asked for word in asked.words})
    return {word: number + 2 for number, word in enumerate(words)}
