"""The second look: candidates of the first, each cut out and seen again from near.

As eyes do, attention moves: the first look says where things may be, the second looks at each of them at the
resolution at which the backbone knows things best, and judges what it is, whether the box fits it, and where
the thing's own box is.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import nn

from vla_attention.grounding.crop_attention import class_prior
from vla_attention.grounding.embedded_model import SecondModel
from vla_attention.grounding.look_memory import LookMemory
from vla_attention.grounding.word_queries import WordQueries
from vla_attention.vision.engine import Engine

SIDE = 160          # pixels of a crop; ImageNet classes are told apart half as well again as at 128
MARGIN = 1.15       # side of the crop over the longer side of the box


def crop_side(box: np.ndarray) -> float:
    """Return the pixels of the side of the square that is cut out around a box (4,)."""
    return float(max(box[2] - box[0], box[3] - box[1], 8.0) * MARGIN)


def cut(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Cut squares around boxes out of an image.

    :param image: (H, W, 3) uint8 RGB; what lies outside it repeats its border.
    :param boxes: (N, 4) x0, y0, x1, y1 in its pixels.
    :returns: (N, SIDE, SIDE, 3) uint8.
    """
    crops = np.empty((len(boxes), SIDE, SIDE, 3), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        side = crop_side(boxes[number])
        left, top = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2
        scale = side / SIDE
        if scale > 1.5:             # shrink by area first, or fine texture turns to noise
            first = [max(0, int(left)), max(0, int(top)), min(image.shape[1], int(left + side) + 1),
                     min(image.shape[0], int(top + side) + 1)]
            part = image[first[1]:first[3], first[0]:first[2]]
            size = (max(1, round(part.shape[1] / scale)), max(1, round(part.shape[0] / scale)))
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            moved = ((left - first[0]) / scale, (top - first[1]) / scale)
            matrix = np.array([[1, 0, moved[0]], [0, 1, moved[1]]], np.float32)
        else:
            # pixels are areas: their centres, not their corners, are what the matrix moves
            half = (scale - 1) / 2
            part, matrix = image, np.array([[scale, 0, left + half], [0, scale, top + half]], np.float32)
        crops[number] = cv2.warpAffine(part, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE,
                                       flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return crops


class SecondLook:
    """Looks at boxes of one image from near; a box is looked at once, whatever is asked of it."""

    def __init__(self, model: SecondModel, classifier: nn.Linear, engine: Engine, image: np.ndarray,
                 queries: WordQueries, most: int, batch: int, memory: LookMemory | None = None) -> None:
        """Take the image as it came, in its full resolution.

        :param engine: of ``model.sight``.
        :param most: boxes of a phrase that are worth a look.
        :param batch: crops that the engine takes at once.
        :param memory: of the images before this one; what it knows is not looked at again.
        """
        self.model, self.classifier, self.engine = model, classifier, engine
        self.image, self.queries, self.most, self.batch = image, queries, most, batch
        self.memory = memory
        self._seen: dict[tuple[float, ...], np.ndarray] = {}
        if memory is not None:
            memory.begin()

    def __call__(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Look at boxes (N, 4) in image pixels.

        :returns: (N, W) float32 logits that each fits a thing of each kind, and (N, 4) float32 the boxes of
            the things that are seen there.
        """
        keys = [tuple(box) for box in boxes.tolist()]
        new = [number for number, key in enumerate(keys) if key not in self._seen]
        if new and self.memory is not None:
            for number, seen in zip(new, self.memory.recall(boxes[new], self.image), strict=True):
                if seen is not None:
                    self._seen[keys[number]] = seen
            new = [number for number in new if keys[number] not in self._seen]
        for start in range(0, len(new), self.batch):
            part = new[start:start + self.batch]
            self._seen.update(zip((keys[number] for number in part), self._see(boxes[part]), strict=True))
        if new and self.memory is not None:
            self.memory.keep(boxes[new], [self._seen[keys[number]] for number in new], self.image)
        width = len(self.queries.kinds) + 4
        found = np.array([self._seen[key] for key in keys], np.float32).reshape(-1, width)
        sides = np.array([crop_side(box) for box in boxes], np.float32).reshape(-1, 1)
        middles = np.tile((boxes[:, :2] + boxes[:, 2:]) / 2, 2)
        return found[:, :-4], middles + found[:, -4:] * sides

    @torch.no_grad()
    def _see(self, boxes: np.ndarray) -> np.ndarray:
        """Return (N, W + 4): logits, and the box of the thing in sides of the crop from its middle."""
        crops = cut(self.image, boxes)
        # always as many: engines are compiled for a shape
        blank = np.zeros((self.batch - len(boxes), SIDE, SIDE, 3), np.uint8)
        tokens, pooled, reach = (part[:len(boxes)] for part in self.engine(np.concatenate([crops, blank])))
        words = self.queries
        prior = class_prior(pooled, self.classifier, words.rows[0], words.bias[0], words.present[0])
        logits, _ = self.model.words(words.near, tokens, prior)
        return np.asarray(torch.cat([logits, reach], dim=1).cpu().numpy())
