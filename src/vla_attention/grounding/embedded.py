"""The embedded model: phrases in Korean or English and an image -> AttentionMaps, on a CPU, without network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from vla_attention.grounding.attention_maps import AttentionMaps
from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.colour import colour_evidence
from vla_attention.grounding.kind_classes import classes_of
from vla_attention.grounding.resolve import resolve_parts
from vla_attention.language import Phrase, parse_phrase
from vla_attention.vision.backbone import EfficientNetLite0
from vla_attention.vision.image import LONGEST, PATCH, check_image, fit
from vla_attention.vision.saliency import saliency

WEIGHTS = Path(__file__).parent.parent / 'weights' / 'efficientnet_lite0.safetensors'
FINE = 4            # pixels of the model's image per cell of the fine maps


@dataclass(frozen=True)
class EncodedPhrases:
    """Phrases taken apart, and the classifier rows of each."""

    texts: tuple[str, ...]
    phrases: tuple[Phrase, ...]


class EmbeddedBackend:
    """Grounds phrases with the weights that the package carries."""

    def __init__(self, weights: str | Path | None = None, device: str = 'cpu', *,
                 longest: int = LONGEST) -> None:
        """Load the weights.

        :param weights: a safetensors file; the package's own when None.
        :param device: a torch device.
        :param longest: pixels of the longer side that the model sees; less is faster and sees less.
        :raises BackendError: the file is missing or holds something else; the message names it.
        """
        self.name = 'embedded'
        self.device = device
        self.longest = longest
        path = Path(weights) if weights is not None else WEIGHTS
        try:
            state = load_file(str(path))
            self.backbone = EfficientNetLite0()
            self.backbone.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        except FileNotFoundError:
            raise BackendError(f'weights of the embedded model not found: {path}') from None
        except (SafetensorError, RuntimeError, OSError) as error:
            raise BackendError(f'{path} does not hold the weights of the embedded model: {error}') from error
        self.backbone.eval().to(device)

    def encode(self, phrases: Sequence[str]) -> EncodedPhrases:
        """Take P phrases apart."""
        return EncodedPhrases(tuple(phrases), tuple(parse_phrase(text) for text in phrases))

    @torch.no_grad()
    def attend(self, image: np.ndarray, encoded: EncodedPhrases) -> AttentionMaps:
        """Return the attention of the phrases over one image.

        :param image: (H, W, 3) uint8 RGB.
        :raises ValueError: another shape or dtype.
        """
        check_image(image)
        seen = fit(image, self.longest)
        tensor = torch.from_numpy(np.ascontiguousarray(seen)).to(self.device).permute(2, 0, 1)[None].float()
        embedding = self.backbone(tensor)[2][0].permute(1, 2, 0)
        scene = _Scene(seen, (image.shape[1], image.shape[0]), self.backbone.classify(embedding).cpu().numpy())
        answers = [scene.look_for(phrase) for phrase in encoded.phrases]
        return AttentionMaps(
            encoded.texts, np.stack([a.map for a in answers]), np.array([a.presence for a in answers], np.float32),
            (image.shape[1], image.shape[0]),
            heads={name: np.stack([a.heads[name] for a in answers]) for name in answers[0].heads},
            masks=np.stack([a.fine for a in answers]), boxes=tuple(a.boxes for a in answers))


@dataclass
class _Answer:
    map: np.ndarray
    fine: np.ndarray
    presence: float
    heads: dict[str, np.ndarray]
    boxes: np.ndarray


class _Scene:
    """One image, and what was found in it so far."""

    def __init__(self, seen: np.ndarray, size: tuple[int, int], logits: np.ndarray) -> None:
        self.seen = seen
        self.size = size
        self.logits = logits
        self.grid = (seen.shape[1] // PATCH, seen.shape[0] // PATCH)
        self.fine = (seen.shape[1] // FINE, seen.shape[0] // FINE)
        self.saliency = saliency(seen)

    def look_for(self, phrase: Phrase) -> _Answer:
        """Find what a phrase means."""
        kind, presence = self.kind_map(phrase.kind)
        colour = self.colour_map(phrase.colours)
        fine = cv2.resize(kind, self.fine, interpolation=cv2.INTER_LINEAR) * colour
        candidates, evidence = self.candidates(fine)
        heads = {'kind': kind, 'colour': cv2.resize(colour, self.grid, interpolation=cv2.INTER_AREA)}
        space, size = np.ones_like(kind), np.ones_like(kind)
        score = evidence
        if len(candidates):
            references = None
            if phrase.relation and phrase.reference is not None:
                references = self.look_for(phrase.reference).boxes
            scale = np.array([self.size[0] / self.seen.shape[1], self.size[1] / self.seen.shape[0]] * 2)
            boxes = np.concatenate([candidates * scale, evidence[:, None]], 1)
            asked = phrase if phrase.reference is not None else _without_relation(phrase)
            parts = resolve_parts(asked, boxes, image_size=self.size, references=references)
            score = parts.score
            space = self.paint(candidates, parts.space)
            size = self.paint(candidates, parts.size)
            weight = cv2.resize(space * size, self.fine, interpolation=cv2.INTER_LINEAR)
            fine = fine * weight
            order = np.argsort(-score)
            boxes = np.concatenate([boxes[order, :4], score[order, None] * presence], 1).astype(np.float32)
        else:
            boxes = np.zeros((0, 5), np.float32)
        fine = fine / max(float(fine.max()), 1e-6)
        coarse = cv2.resize(fine, self.grid, interpolation=cv2.INTER_AREA)
        return _Answer(coarse / max(float(coarse.max()), 1e-6), fine, presence,
                       {**heads, 'space': space, 'size': size}, boxes)

    def kind_map(self, kind: str) -> tuple[np.ndarray, float]:
        """Return the map of a kind, its peak 1, on the patch grid, and how probably it is in view."""
        numbers, steps = classes_of(kind)
        salient = 0.3 + 0.7 * self.saliency
        if not numbers:
            return salient / salient.max(), 0.6
        best = self.logits[..., list(numbers)].max(axis=-1)
        fine = cv2.resize(best, self.grid, interpolation=cv2.INTER_CUBIC)
        spread = float(best.std()) + 1e-6
        kind_map = np.exp((fine - fine.max()) / spread).astype(np.float32) * (0.5 + 0.5 * self.saliency)
        presence = 1 / (1 + np.exp(-(float(best.max()) - 1.0)))
        return kind_map / kind_map.max(), 0.5 + 0.5 * presence * 0.8 ** steps

    def colour_map(self, colours: tuple[str, ...]) -> np.ndarray:
        """Return the evidence of the named colours on the fine grid; 1 where none is named."""
        if not colours:
            return np.ones(self.fine[::-1], np.float32)
        evidence = colour_evidence(self.seen, colours, self.fine).max(axis=0)
        return 0.02 + 0.98 * cv2.GaussianBlur(evidence, (0, 0), 1.0)

    def candidates(self, fine: np.ndarray, most: int = 12) -> tuple[np.ndarray, np.ndarray]:
        """Cut the fine map into parts: boxes (N, 4) in pixels of the seen image, and their evidence 0..1."""
        left = fine.copy()
        boxes, evidence = [], []
        top = float(fine.max())
        for _ in range(most):
            _, peak, _, (x, y) = cv2.minMaxLoc(left)
            if peak < 0.2 * top or peak <= 0:
                break
            inside = (left >= 0.5 * peak).astype(np.uint8)
            _, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
            x0, y0, width, height, area = stats[labels[y, x]]
            left[labels == labels[y, x]] = 0
            if area < 4:
                continue
            boxes.append((x0, y0, x0 + width, y0 + height))
            evidence.append(peak / top)
        return (np.array(boxes, np.float32).reshape(-1, 4) * FINE, np.array(evidence, np.float32))

    def paint(self, boxes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return a map on the patch grid that holds each box's value, and the mean of all elsewhere."""
        painted = np.full(self.grid[::-1], float(values.mean()), np.float32)
        for box, value in sorted(zip(boxes / PATCH, values, strict=True), key=lambda pair: pair[1]):
            x0, y0, x1, y1 = int(box[0]), int(box[1]), int(np.ceil(box[2])), int(np.ceil(box[3]))
            painted[y0:y1, x0:x1] = value
        return painted


def _without_relation(phrase: Phrase) -> Phrase:
    """Drop the relation of a destination: what is looked for is the thing itself."""
    return replace(phrase, relation='')
