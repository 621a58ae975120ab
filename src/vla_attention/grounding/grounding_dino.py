"""Grounding DINO as a grounding backend: boxes and cross-attention of all texts in one prompt."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from vla_attention.grounding.assemble import Evidence, calibrate
from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.hub_backend import HubBackend, to_grid
from vla_attention.grounding.hub_candidates import distinct_boxes

_LAYERS = 2             # decoder layers whose attention is shown, from the top
_log = logging.getLogger(__name__)
_BREAKS = re.compile(r'[.?]')   # what the model takes for the end of a phrase
_Spans = tuple[tuple[tuple[int, ...], ...], ...]     # token indices of each word of each text


class _Prompt(NamedTuple):
    tokens: dict[str, torch.Tensor]
    spans: _Spans
    words: tuple[tuple[str, ...], ...]


class GroundingDinoBackend(HubBackend):
    """Grounding DINO (Liu et al., ECCV 2024, arXiv 2303.05499), the tiny and base models.

    All texts go into one prompt ("red mug. laptop."), whose words see only their own text, and through the
    model once; what is longer than the model takes (256 tokens) goes through it in several. A text's map is
    the score of its best word at each place of the encoder's feature maps (the model's own language-guided
    query selection), the finest map that says most; candidates are the decoder's boxes, each thing once,
    with the score of the text's best word.

    Further heads: ``decoder_N``, the cross-attention between image queries and the text in the two highest
    decoder layers, mean over the attention heads and sum over the text's words; as the decoder's queries
    have a box each, their weight times their confidence is put on the image there. BERT runs once for a
    prompt.
    """

    name = 'grounding_dino'
    model_type = 'grounding-dino'
    architecture = 'GroundingDinoForObjectDetection'
    threshold = 0.25        # the library's own

    def __init__(self, model: str = '', **options: Any) -> None:
        """Load the model; see :class:`HubBackend`. :raises BackendError: it cannot be loaded."""
        super().__init__(model, **options)
        if not self.model.config.two_stage:
            raise BackendError('a Grounding DINO without two_stage has no map of its own; use a released one')
        inner = self.model.model
        inner.text_backbone = RememberedText(inner.text_backbone)
        self._seen: dict[str, Any] = {}
        inner.encoder.register_forward_pre_hook(self._see_levels, with_kwargs=True)
        first = len(inner.decoder.layers) - _LAYERS
        for index, layer in enumerate(inner.decoder.layers[first:], first):
            layer.encoder_attn_text.register_forward_hook(self._see_attention(f'decoder_{index + 1}'))

    def _encode(self, texts: tuple[str, ...]) -> tuple[_Prompt, ...]:
        bare = [_BREAKS.sub(' ', text).strip().lower() for text in texts]
        most = self.model.config.max_text_len - 2               # less what begins and ends a prompt
        groups: list[list[str]] = [[]]
        length = 0
        for text in bare:
            tokens = len(self.tokenizer(f'{text}.', add_special_tokens=False, verbose=False)['input_ids'])
            if tokens > most:
                _log.warning('%s reads %d tokens; the end of "%s" (%d) is cut off', self.name, most, text,
                             tokens)
            if groups[-1] and length + tokens > most:
                groups.append([])
                length = 0
            groups[-1].append(text)
            length += tokens
        if len(groups) > 1:
            _log.warning('%s takes %d tokens at once; %d texts go through it in %d passes', self.name,
                         self.model.config.max_text_len, len(texts), len(groups))
        return tuple(map(self._prompt, groups))

    def _prompt(self, texts: list[str]) -> _Prompt:
        batch = self.tokenizer(' '.join(f'{text}.' for text in texts), truncation=True,
                               max_length=self.model.config.max_text_len, return_tensors='pt')
        return _Prompt(self._placed(batch), *_spans(texts, batch))

    def detect(self, pixels: torch.Tensor, prompt: Any) -> Any:
        """Return the model's own output for a prompt.

        :param pixels: (1, 3, h, w) from :meth:`prepare`.
        """
        return self.model(pixel_values=pixels, **prompt.tokens)

    def _look(self, image: np.ndarray, features: Any, count: int) -> Evidence:
        pixels = self.prepare(image)
        seen = [self._look_for(image, pixels, prompt) for prompt in features]
        if len(seen) == 1:
            return seen[0]
        heads = {name: np.concatenate([part.heads[name] for part in seen]) for name in seen[0].heads}
        return Evidence(np.concatenate([part.maps for part in seen]), sum((part.boxes for part in seen), ()),
                        np.concatenate([part.presence for part in seen]), own_boxes=True, heads=heads,
                        words=sum((part.words for part in seen), ()),
                        word_texts=sum((part.word_texts for part in seen), ()))

    def _look_for(self, image: np.ndarray, pixels: torch.Tensor, prompt: _Prompt) -> Evidence:
        height, width = image.shape[:2]
        grid = self.grid(image)
        output = self.detect(pixels, prompt)
        tokens = torch.sigmoid(output.logits[0].float())                                    # (Q, tokens)
        places = torch.sigmoid(output.enc_outputs_class[0].float())                         # (places, tokens)
        texts = [sum(words, ()) for words in prompt.spans]
        scores = torch.stack([_best(tokens, text) for text in texts], 1)                    # (Q, T)
        centre, half = output.pred_boxes[0].float()[:, :2], output.pred_boxes[0].float()[:, 2:] / 2
        corners = torch.cat([centre - half, centre + half], 1)
        size = torch.tensor([width, height] * 2, device=corners.device)
        placed, flat = (corners * size).cpu().numpy(), calibrate(scores.cpu().numpy(), self.threshold)
        found = tuple(distinct_boxes(np.column_stack([placed, flat[:, text]]), (width, height))
                      for text in range(len(texts)))
        words = [calibrate(self._levels(torch.stack([_best(places, word) for word in spans or ((),)]), grid),
                           self.threshold) for spans in prompt.spans]
        maps = np.stack([of.max(axis=0) for of in words])
        presence = np.array([boxes[0, 4] if len(boxes) else 0.0 for boxes in found], np.float32)
        heads = {name: self._on_image(attention, texts, corners, scores.amax(1), grid)
                 for name, attention in sorted(self._seen.items()) if name != 'levels'}
        return Evidence(maps, found, presence, own_boxes=True, heads=heads, words=tuple(words),
                        word_texts=tuple(said or ('',) for said in prompt.words))

    def _levels(self, flat: torch.Tensor, grid: tuple[int, int]) -> np.ndarray:
        """Return (W, rows, cols): the highest score of the levels at each place of flat (W, places)."""
        levels = self._seen['levels']
        parts = flat.split([rows * cols for rows, cols in levels], dim=1)
        shaped = (part.view(len(flat), *level) for part, level in zip(parts, levels, strict=True))
        return np.max([to_grid(part, grid) for part in shaped], axis=0)

    @staticmethod
    def _on_image(attention: torch.Tensor, texts: list[tuple[int, ...]], corners: torch.Tensor,
                  confidence: torch.Tensor, grid: tuple[int, int]) -> np.ndarray:
        """Return (T, rows, cols): attention (heads, Q, tokens) to each text, where the queries' boxes are."""
        mean = attention.float().mean(0)
        weight = torch.stack([mean[:, list(text)].sum(1) for text in texts]) * confidence       # (T, Q)
        y = (torch.arange(grid[0], device=mean.device) + 0.5) / grid[0]
        x = (torch.arange(grid[1], device=mean.device) + 0.5) / grid[1]
        across = (x >= corners[:, :1]) & (x <= corners[:, 2:3])                                 # (Q, cols)
        down = (y >= corners[:, 1:2]) & (y <= corners[:, 3:4])                                  # (Q, rows)
        inside = down[:, :, None] & across[:, None, :]
        on_image = torch.stack([(one[:, None, None] * inside).amax(0) for one in weight])
        return on_image.clamp(0, 1).cpu().numpy()

    def _see_levels(self, module: nn.Module, arguments: Any, keywords: dict[str, Any]) -> None:
        self._seen['levels'] = list(keywords['spatial_shapes_list'])

    def _see_attention(self, name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            self._seen[name] = output[1][0]
        return hook

    def _accelerate(self, by: Callable[[Callable[..., Any]], Any]) -> None:
        self.model.model.backbone = by(self.model.model.backbone)


class RememberedText(nn.Module):
    """A text encoder that keeps its output for the prompts that it saw last."""

    def __init__(self, encoder: nn.Module, size: int = 32) -> None:
        super().__init__()
        self.encoder = encoder
        self.size = size
        self._outputs: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def forward(self, input_ids: torch.Tensor, *arguments: Any, **keywords: Any) -> Any:
        """Return the encoder's output; masks and positions follow from the tokens, which are the key."""
        key = tuple(input_ids.flatten().tolist())
        if key not in self._outputs:
            self._outputs[key] = self.encoder(input_ids, *arguments, **keywords)
            while len(self._outputs) > self.size:
                self._outputs.popitem(last=False)
        self._outputs.move_to_end(key)
        return self._outputs[key]


def _best(scores: torch.Tensor, tokens: tuple[int, ...]) -> torch.Tensor:
    """Return (N,): the highest of scores (N, all tokens) over some; 0 where a text has none that is read."""
    return scores[:, list(tokens)].amax(1) if tokens else scores.new_zeros(len(scores))


def _spans(texts: list[str], batch: Any) -> tuple[_Spans, tuple[tuple[str, ...], ...]]:
    """Return the token indices of each word of each text, and the words."""
    bounds, spans, words = [], [], []
    position = 0
    for text in texts:
        bounds.append((position, position + len(text)))
        position += len(text) + 2           # the full stop and the space
    whole = ' '.join(f'{text}.' for text in texts)
    for start, end in bounds:
        of_text, said = [], []
        for match in re.finditer(r'\S+', whole[start:end]):
            first, last = start + match.start(), start + match.end()
            found = {batch.char_to_token(0, character) for character in range(first, last)} - {None}
            if found:
                of_text.append(tuple(sorted(found)))
                said.append(match.group())
        spans.append(tuple(of_text))
        words.append(tuple(said))
    return tuple(spans), tuple(words)
