"""OWLv2 as a grounding backend: a score and a box of every patch for each text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from vla_attention.grounding.assemble import Evidence, calibrate
from vla_attention.grounding.hub_backend import HubBackend, to_grid
from vla_attention.grounding.hub_candidates import distinct_boxes


class Owlv2Backend(HubBackend):
    """OWLv2 (Minderer et al., NeurIPS 2023, arXiv 2306.09683): an open-vocabulary detector without proposals.

    Every patch of the image (16x16 of 960x960 pixels in the base model) is compared with each text: these
    scores are the attention grid, and the patch's own box prediction the candidates, each thing once. The
    image is padded to a square at the right and the bottom, with black as in training (transformers took
    grey before its change 41938); boxes are in shares of that square, and the padding is cut off again.
    Words of a text are compared in the same product, so ``words`` cost nothing.
    """

    name = 'owlv2'
    model_type = 'owlv2'
    architecture = 'Owlv2ForObjectDetection'
    template = 'a photo of a {}'
    threshold = 0.1         # the library's own
    with_words = True
    square = True
    exports = True

    def _encode(self, texts: tuple[str, ...]) -> torch.Tensor:
        # padded as the model was trained: always to the longest text that it takes
        tokens = self._tokens(map(self._say, texts), padding='max_length')
        embeds = self.model.owlv2.get_text_features(**tokens).pooler_output
        return embeds / torch.linalg.norm(embeds, dim=-1, keepdim=True)

    def detect(self, pixels: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (S, S, T) logits of every patch and (S * S, 4) boxes.

        :param pixels: (1, 3, h, w) from :meth:`prepare`.
        :param features: (T, D) text embeddings.
        :return: boxes are centre x, centre y, width, height in shares of the padded square.
        """
        return self._detect(self._see(pixels), features)

    def _detect(self, seen: tuple[torch.Tensor, ...],
                features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        patches, = seen
        _, rows, cols, width = patches.shape
        flat = patches.reshape(1, rows * cols, width)
        logits, _ = self.model.class_predictor(flat, features[None], None)
        boxes = self.model.box_predictor(flat, patches)
        return logits[0].view(rows, cols, -1), boxes[0]

    def _patches(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.model.image_embedder(pixels)[0],)

    def _see(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self._patches(pixels)

    def _look(self, image: np.ndarray, features: Any, count: int) -> Evidence:
        return self._look_at(image, self._see(self.prepare(image)), features, count)

    def _look_at(self, image: np.ndarray, seen: tuple[torch.Tensor, ...], features: Any,
                 count: int) -> Evidence:
        height, width = image.shape[:2]
        logits, boxes = self._detect(seen, features)
        scores = torch.sigmoid(logits.float())
        side = max(height, width)
        maps = to_grid(scores.permute(2, 0, 1), self.grid(image), (height / side, width / side))
        centre, half = boxes.float()[:, :2], boxes.float()[:, 2:] / 2
        corners = (torch.cat([centre - half, centre + half], 1) * side).cpu().numpy()
        flat = calibrate(scores.reshape(-1, count).cpu().numpy(), self.threshold)
        found = tuple(distinct_boxes(np.column_stack([corners, flat[:, text]]), (width, height))
                      for text in range(count))
        presence = np.array([boxes[0, 4] if len(boxes) else 0.0 for boxes in found], np.float32)
        return Evidence(calibrate(maps, self.threshold), found, presence, own_boxes=True)

    def _accelerate(self, by: Callable[[Callable[..., Any]], Any]) -> None:
        self._patches = by(self._patches)       # type: ignore[method-assign]
