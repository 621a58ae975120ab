"""CLIPSeg as a grounding backend: a mask for each text from CLIP's middle layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from vla_attention.grounding.assemble import Evidence, calibrate
from vla_attention.grounding.hub_backend import HubBackend, to_grid
from vla_attention.grounding.hub_candidates import boxes_of_map


class ClipSegBackend(HubBackend):
    """CLIPSeg (Lüddecke and Ecker, CVPR 2022, arXiv 2112.10003): mask logits, 352x352 for its checkpoints.

    The image goes through CLIP's vision encoder once, up to the last layer that the decoder reads (10 of 12
    in the released models: the rest cannot change the result), and through the small decoder once for all
    texts. The image is squeezed to a square, as the model was trained. ``masks`` are the decoder's own.
    """

    name = 'clipseg'
    model_type = 'clipseg'
    architecture = 'CLIPSegForImageSegmentation'
    threshold = 0.4
    exports = True

    def _encode(self, texts: tuple[str, ...]) -> torch.Tensor:
        tokens = self._tokens(map(self._say, texts), padding='longest')
        return self.model.clip.get_text_features(**tokens).pooler_output

    def logits(self, pixels: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return (T, h, w) mask logits.

        :param pixels: (1, 3, h, w) from :meth:`prepare`.
        :param features: (T, D) conditional embeddings.
        """
        return self._decode(self._see(pixels), features)

    def _decode(self, seen: tuple[torch.Tensor, ...], features: torch.Tensor) -> torch.Tensor:
        count = len(features)
        logits = self.model.decoder([layer.expand(count, -1, -1) for layer in seen], features).logits
        return logits.view(count, *logits.shape[-2:])

    def _see(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self._activations(pixels)

    def _activations(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        vision, wanted = self.model.clip.vision_model, self.model.extract_layers
        states = vision.pre_layrnorm(vision.embeddings(pixels, interpolate_pos_encoding=True))
        after = []
        for layer in vision.encoder.layers[:max(wanted) + 1]:
            states = layer(states, attention_mask=None)
            after.append(states)
        return tuple(after[index] for index in wanted)

    def _look(self, image: np.ndarray, features: Any, count: int) -> Evidence:
        return self._look_at(image, self._see(self.prepare(image)), features, count)

    def _look_at(self, image: np.ndarray, seen: tuple[torch.Tensor, ...], features: Any,
                 count: int) -> Evidence:
        logits = self._decode(seen, features)
        scores = torch.sigmoid(logits.float())
        maps = calibrate(to_grid(scores, self.grid(image)), self.threshold)
        masks = calibrate(scores.cpu().numpy(), self.threshold)
        size = (image.shape[1], image.shape[0])
        # the highest per mille of a mask: one stray pixel is not a thing
        presence = np.quantile(masks.reshape(count, -1), 0.999, axis=1).astype(np.float32)
        found = tuple(boxes_of_map(mask, size) for mask in masks)
        return Evidence(maps, found, presence, own_boxes=False, masks=masks)

    def _accelerate(self, by: Callable[[Callable[..., Any]], Any]) -> None:
        self._activations = by(self._activations)       # type: ignore[method-assign]
