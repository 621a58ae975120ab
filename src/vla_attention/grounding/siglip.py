"""SigLIP and SigLIP 2 as a grounding backend: how well each patch alone fits each text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from vla_attention.grounding.assemble import Evidence, calibrate
from vla_attention.grounding.hub_backend import HubBackend, to_grid
from vla_attention.grounding.hub_candidates import boxes_of_map

# more tokens are a multilingual tokenizer's: Gemma's 256 000, mT5's 250 000; the English one has 32 000
_ENGLISH_VOCABULARY = 100_000
_BACKGROUND = 'a photo'         # what every patch has something of


class _Features(NamedTuple):
    texts: torch.Tensor         # (T, D), unit length
    background: torch.Tensor    # (D,), unit length


class SiglipBackend(HubBackend):
    """SigLIP (Zhai et al., ICCV 2023, arXiv 2303.15343), SigLIP 2 (Tschannen et al., 2025, arXiv 2502.14786).

    The models are trained on whole images, so what a patch shows has to be drawn out of them:

    - Raw patch-to-text similarity of CLIP-like models prefers the background to the thing (Li et al., CLIP
      Surgery, arXiv 2304.05653). So attention of the last layer is replaced by self-self attention, the
      sum of query-query and key-key softmax (Wang et al., SCLIP, arXiv 2312.01597), in which a patch looks
      at those like itself.
    - The models have no class token but pool by attention. Each patch goes through the pooling head as if the
      head's probe looked at that patch alone: its value and output projections and its MLP. That puts
      patches into the space of the texts.
    - The similarity to a text that fits any picture is subtracted, as CLIP Surgery does with what is common
      to all texts, and the rest is scaled by its spread over the image.

    Presence is the model's own score of the whole image (unchanged attention). Models of a fixed input size
    only: the NaFlex variants of SigLIP 2 are another architecture. SigLIP 2 gets Korean itself.
    """

    name = 'siglip'
    model_type = 'siglip'
    architecture = 'SiglipModel'
    template = 'this is a photo of {}.'
    threshold = 0.05
    with_words = True
    resample = 'bicubic'

    def _is_multilingual(self) -> bool:
        return self.model.config.text_config.vocab_size > _ENGLISH_VOCABULARY

    def _encode(self, texts: tuple[str, ...]) -> _Features:
        # the models were trained with texts padded to the end and without a mask
        tokens = self._tokens([*map(self._say, texts), _BACKGROUND], padding='max_length')['input_ids']
        embeds = self.model.get_text_features(input_ids=tokens).pooler_output
        unit = embeds / embeds.norm(dim=-1, keepdim=True)
        return _Features(unit[:-1], unit[-1])

    def similarity(self, pixels: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (T, S, S) cosines of patches and (T,) logits of the whole image.

        :param pixels: (1, 3, h, w) from :meth:`prepare`.
        :param features: (T, D) text embeddings of unit length.
        """
        patches, pooled = self._embed(pixels)
        side = round(patches.shape[0] ** 0.5)
        cosines = (features @ patches.T).view(len(features), side, side)
        scale, bias = self.model.logit_scale.exp(), self.model.logit_bias
        return cosines, (features @ pooled[0]) * scale + bias

    def _embed(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (S * S, D) patches and (1, D) the whole image, all of unit length."""
        vision = self.model.vision_model
        states = vision.embeddings(pixels)
        for layer in vision.encoder.layers[:-1]:
            states = layer(states, attention_mask=None)
        last = vision.encoder.layers[-1]
        pooled = vision.head(vision.post_layernorm(last(states, attention_mask=None)))
        alike = states + _self_self_attention(last.self_attn, last.layer_norm1(states))
        alike = vision.post_layernorm(alike + last.mlp(last.layer_norm2(alike)))
        patches = _pool_alone(vision.head, alike[0])
        return patches / patches.norm(dim=-1, keepdim=True), pooled / pooled.norm(dim=-1, keepdim=True)

    def _look(self, image: np.ndarray, features: Any, count: int) -> Evidence:
        both = torch.cat([features.texts, features.background[None]])
        cosines, logits = self.similarity(self.prepare(image), both)
        beyond = cosines[:-1].float() - cosines[-1:].float()
        spread = beyond.flatten(1).std(dim=1).clamp_min(1e-6)[:, None, None]
        fit = torch.sigmoid(2 * ((beyond - beyond.mean(dim=(1, 2), keepdim=True)) / spread - 1.5))
        presence = calibrate(torch.sigmoid(logits[:-1].float()).cpu().numpy(), self.threshold)
        maps = to_grid(fit, self.grid(image))
        size = (image.shape[1], image.shape[0])
        return Evidence(maps, tuple(boxes_of_map(one, size) for one in maps), presence, own_boxes=False)

    def _accelerate(self, by: Callable[[Callable[..., Any]], Any]) -> None:
        self._embed = by(self._embed)       # type: ignore[method-assign]


def _self_self_attention(attention: Any, states: torch.Tensor) -> torch.Tensor:
    """Return (1, N, D): values mixed by query-query and key-key likeness (SCLIP's self-attention)."""
    batch, length, width = states.shape
    heads = (batch, length, attention.num_heads, attention.head_dim)
    query, key, value = (project(states).view(heads).transpose(1, 2)
                         for project in (attention.q_proj, attention.k_proj, attention.v_proj))
    alike = [torch.softmax((x @ x.transpose(-1, -2) * attention.scale).float(), dim=-1) for x in (query, key)]
    mixed = ((alike[0] + alike[1]).to(value.dtype) @ value).transpose(1, 2).reshape(batch, length, width)
    return attention.out_proj(mixed)


def _pool_alone(head: Any, patches: torch.Tensor) -> torch.Tensor:
    """Return (N, D): each patch as the pooling head's result had its probe looked at that patch alone."""
    width = patches.shape[-1]
    attention = head.attention
    weight, bias = attention.in_proj_weight[2 * width:], attention.in_proj_bias[2 * width:]
    value = torch.nn.functional.linear(patches, weight, bias)
    states = attention.out_proj(value)
    return states + head.mlp(head.layernorm(states))
