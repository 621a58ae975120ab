"""Cross-attention from words to what a crop shows: is this what the word names, and does its box fit it.

And, whatever the word: where is the box of the thing in the crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_attention.attention import CrossAttention, MultiHeadAttention
from vla_attention.vision.backbone import CHANNELS
from vla_attention.vision.low_rank import LateChange

DIM = 192
HEADS = 4
TOKENS = 25         # of a crop: 5x5 at stride 32


class CropEncoder(nn.Module):
    """Features of the backbone's last layer -> tokens that know of each other."""

    def __init__(self, dim: int = DIM) -> None:
        super().__init__()
        self.project = nn.Linear(CHANNELS[32], dim)
        self.position = nn.Parameter(torch.zeros(TOKENS, dim))
        self.norm = nn.LayerNorm(dim)
        self.attention = MultiHeadAttention(dim, HEADS)
        self.perceptron = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(),
                                        nn.Linear(2 * dim, dim))
        self.final = nn.LayerNorm(dim)
        self.reach = nn.Linear(dim, 4)
        nn.init.normal_(self.position, std=0.1)
        nn.init.normal_(self.reach.weight, std=0.01)
        self.reach.bias.data = torch.tensor([-0.4, -0.4, 0.4, 0.4])

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Encode crops.

        :param features: (N, TOKENS, 1280).
        :returns: tokens (N, TOKENS, DIM), and the box of the thing (N, 4) x0, y0, x1, y1 in sides of the crop
            from its middle.
        """
        # features of the last layer are sparse and large; a square root evens them out
        tokens = self.project(torch.sqrt(features + 1e-4)) + self.position
        tokens = tokens + self.attention(self.norm(tokens))[0]
        encoded: Tensor = self.final(tokens + self.perceptron(tokens))
        return encoded, self.reach(encoded.mean(dim=1))


class CropWords(nn.Module):
    """Words attend to the tokens of crops; the ImageNet classes of a word enter as a prior."""

    def __init__(self, words: int, dim: int = DIM) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dim)
        self.from_classes = nn.Linear(CHANNELS[32], dim, bias=False)
        self.cross = CrossAttention(dim, HEADS)
        self.norm = nn.LayerNorm(dim)
        self.judge = nn.Linear(dim, dim)
        self.prior = nn.Parameter(torch.tensor([0.3, 0.3, -4.0]))   # of logit, of log probability; a bias
        self.scale = dim ** -0.5
        nn.init.normal_(self.embedding.weight, std=0.5)
        nn.init.normal_(self.from_classes.weight, std=0.5)

    def queries(self, known: Tensor, index: Tensor, class_rows: Tensor) -> Tensor:
        """Return word vectors (W, DIM).

        :param known: (W,) 1 where the word was trained on, 0 where only its classes speak.
        :param index: (W,) int, row of the embedding.
        :param class_rows: (W, 1280) mean of the classifier's rows of the word's classes; 0 without classes.
        """
        return self.embedding(index) * known[..., None] + self.from_classes(class_rows)

    def forward(self, words: Tensor, tokens: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """Attend.

        :param words: (W, DIM) of :meth:`queries`.
        :param tokens: (N, TOKENS, DIM).
        :param prior: (2, N, W) of :func:`class_prior`.
        :returns: logits (N, W) that the box fits a thing of that name, and attention (N, heads, W, TOKENS).
        """
        seen, attention = self.cross(words[None].expand(len(tokens), -1, -1), tokens)
        fit = (self.norm(seen) * self.judge(words)).sum(-1) * self.scale
        return fit + self.prior[0] * prior[0] + self.prior[1] * prior[1] + self.prior[2], attention


def class_prior(pooled: Tensor, classifier: nn.Linear, rows: Tensor, bias: Tensor,
                present: Tensor) -> Tensor:
    """Return what ImageNet's classes say of crops, (2, N, W).

    The largest logit of a word's classes, over 5, and their log probability, moved and cut off so that it
    stays near 0; both are 0 for a word without classes.

    :param pooled: (N, 1280) mean of the crops' features.
    :param rows: (W, C, 1280) classifier rows of the words' classes, ``bias`` (W, C), ``present`` (W, C) bool.
    """
    whole = classifier(pooled).logsumexp(dim=-1)
    logits = (torch.einsum('wcd,nd->nwc', rows, pooled) + bias).masked_fill(~present, -1e4)
    has = present.any(dim=-1)
    best = logits.amax(dim=-1) * has / 5
    share = torch.where(has, (logits.logsumexp(dim=-1) - whole[:, None]).clamp(min=-12) + 6, 0.0)
    return torch.stack([best, share])


class CropHead(nn.Module):
    """The trained part of the second look, and ``fusion``: how much each look counts.

    ``late`` is what makes the backbone's late layers those of the second look.
    """

    fusion: Tensor

    def __init__(self, words: int, dim: int = DIM) -> None:
        super().__init__()
        self.encoder = CropEncoder(dim)
        self.words = CropWords(words, dim)
        self.late = LateChange()
        # of the match of the first look, of there being a thing, of the second look; a bias
        self.register_buffer('fusion', torch.tensor([0.5, 0.0, 0.5, 0.0]))


