"""Cross-attention from words to patches: the trained part of the embedded model.

Patch tokens are made of the backbone's features, exchange what they know by self-attention (to tokens pooled
2x2, which costs a quarter), and answer three questions: is here the middle of a thing, how far does it
reach, and, for each word, is this what the word names. The last is the cross-attention; the ImageNet class
attention of the word enters its scores as a prior, so that words that were never trained on still look
somewhere sensible.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vla_attention.attention import CrossAttention, MultiHeadAttention
from vla_attention.vision.backbone import CHANNELS
from vla_attention.vision.image import PATCH

DIM = 128
HEADS = 8


class _Mixer(nn.Module):
    """Depthwise convolution and a two-layer perceptron with a residual, as in ConvNeXt (Liu et al., 2022)."""

    def __init__(self, dim: int, kernel: int = 5, expansion: int = 2) -> None:
        super().__init__()
        self.filter = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, dim * expansion)
        self.down = nn.Linear(dim * expansion, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, DIM, rows, cols) -> the same."""
        mixed = self.norm(self.filter(tokens).permute(0, 2, 3, 1))
        mixed = self.down(functional.gelu(self.up(mixed)))
        return tokens + mixed.permute(0, 3, 1, 2)


class PatchEncoder(nn.Module):
    """Backbone features -> patch tokens, objectness and boxes."""

    def __init__(self, dim: int = DIM) -> None:
        super().__init__()
        self.fine = nn.Conv2d(CHANNELS[16] + CHANNELS[8], dim, 1)
        self.coarse = nn.Conv2d(CHANNELS[32], dim, 1)
        self.before = _Mixer(dim)
        self.norm = nn.LayerNorm(dim)
        self.attention = MultiHeadAttention(dim, 4)
        self.after = nn.ModuleList([_Mixer(dim), _Mixer(dim)])
        self.final = nn.LayerNorm(dim)
        self.extent = nn.Linear(dim, 5)
        nn.init.zeros_(self.extent.weight)
        with torch.no_grad():
            self.extent.bias.copy_(torch.tensor([-3.0, 0.9, 0.9, 0.9, 0.9]))

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode.

        :param fine: (B, 152, rows, cols) features at stride 16, and those at stride 8 pooled to it.
        :param coarse: (B, 1280, rows / 2, cols / 2).
        :returns: tokens (B, P, DIM), objectness logits (B, P), boxes (B, P, 4) in pixels.
        """
        # features of the last layer are sparse and large; a square root evens them out
        tokens = self.fine(fine * 0.25) + functional.interpolate(
            self.coarse(torch.sqrt(coarse + 1e-4)), scale_factor=2.0, mode='bilinear', align_corners=False)
        tokens = self.before(tokens)
        rows, cols = tokens.shape[2:]
        pooled = functional.avg_pool2d(tokens, 2).flatten(2).transpose(1, 2)
        flat = tokens.flatten(2).transpose(1, 2)
        seen, _ = self.attention(self.norm(flat), self.norm(pooled))
        tokens = (flat + seen).transpose(1, 2).unflatten(2, (rows, cols))
        for mixer in self.after:
            tokens = mixer(tokens)
        flat = self.final(tokens.flatten(2).transpose(1, 2))
        extent = self.extent(flat)
        reach = extent[..., 1:].clamp(max=4.5).exp() * PATCH
        centres = patch_centres(rows, cols, flat.device)
        boxes = torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], dim=-1)
        return flat, extent[..., 0], boxes


class WordAttention(nn.Module):
    """Words attend to patches, with the class attention as prior."""

    def __init__(self, words: int, dim: int = DIM, heads: int = HEADS) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dim)
        self.from_classes = nn.Linear(CHANNELS[32], dim, bias=False)
        self.cross = CrossAttention(dim, heads)
        self.prior = nn.Parameter(torch.tensor([[0.5], [0.5]]).repeat(1, heads))     # z-score and logit
        self.match = nn.Linear(dim, dim)
        self.match_prior = nn.Parameter(torch.tensor([0.5, 0.5, -4.0]))              # the same, and a bias
        self.scale = dim ** -0.5
        nn.init.normal_(self.embedding.weight, std=0.5)
        nn.init.normal_(self.from_classes.weight, std=0.5)

    def queries(self, known: Tensor, index: Tensor, class_rows: Tensor) -> Tensor:
        """Return word vectors (..., DIM).

        :param known: (...) 1 where the word was trained on, 0 where only its classes speak.
        :param index: (...) int, row of the embedding.
        :param class_rows: (..., 1280) mean of the classifier's rows of the word's classes; 0 without classes.
        """
        return self.embedding(index) * known[..., None] + self.from_classes(class_rows)

    def forward(self, words: Tensor, tokens: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Attend.

        :param words: (B, W, DIM) of :meth:`queries`.
        :param tokens: (B, P, DIM).
        :param logits: (B, W, P) class attention of each word: the largest logit of its classes.
        :returns: attention (B, heads, W, P), rows sum to 1, and match logits (B, W, P).
        """
        spread = logits.std(dim=-1, keepdim=True) + 1e-3
        z = (logits - logits.mean(dim=-1, keepdim=True)) / spread
        strength = logits * 0.2
        prior = self.prior[0][:, None, None] * z[:, None] + self.prior[1][:, None, None] * strength[:, None]
        _, attention = self.cross(words, tokens, mask=prior)
        match = (words @ self.match(tokens).transpose(1, 2)) * self.scale
        match = match + self.match_prior[0] * z + self.match_prior[1] * strength + self.match_prior[2]
        return attention, match


class GroundingHead(nn.Module):
    """The trained part: :class:`PatchEncoder` and :class:`WordAttention` over the kinds of the lexicon."""

    def __init__(self, words: int, dim: int = DIM, heads: int = HEADS) -> None:
        super().__init__()
        self.encoder = PatchEncoder(dim)
        self.words = WordAttention(words, dim, heads)


def class_logits(coarse: Tensor, rows: Tensor, bias: Tensor, present: Tensor) -> Tensor:
    """Return the class attention of words, (B, W, P): the largest logit of each word's classes, at stride 16.

    :param coarse: (B, 1280, rows, cols).
    :param rows: (B, W, C, 1280) classifier rows, ``bias`` (B, W, C), ``present`` (B, W, C) bool; a word
        without any class gets 0 everywhere.
    """
    flat = coarse.flatten(2)
    logits = torch.einsum('bwck,bkp->bwcp', rows, flat) + bias[..., None]
    best = logits.masked_fill(~present[..., None], float('-inf')).amax(dim=2)
    best = torch.where(present.any(dim=2)[..., None], best, torch.zeros_like(best))
    best = best.unflatten(2, coarse.shape[2:])
    return functional.interpolate(best, scale_factor=2.0, mode='bilinear', align_corners=False).flatten(2)


def patch_centres(rows: int, cols: int, device: torch.device | str = 'cpu') -> Tensor:
    """Return (P, 2) x, y of the patch centres in pixels."""
    ys, xs = torch.meshgrid(torch.arange(rows, device=device), torch.arange(cols, device=device),
                            indexing='ij')
    return (torch.stack([xs, ys], dim=-1).reshape(-1, 2).float() + 0.5) * PATCH
