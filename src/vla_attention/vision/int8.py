"""Eight-bit arithmetic for the backbone: rounded weights and activations, which the CPU multiplies faster.

Quantisation after training as in "Integer Quantization for Deep Learning Inference" (Wu et al., 2020):
weights are rounded for each output channel, activations for each layer, within a range that was measured on
photographs. The rounding is part of the model as :func:`torch.fake_quantize_per_tensor_affine`; OpenVINO
turns it into integer convolutions where the CPU has VNNI or AMX.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from vla_attention.vision.backbone import SameConvolution

LEVELS = 255        # steps of an activation between the ends of its range
WEIGHT_LEVELS = 127     # steps of a weight on either side of 0


class Int8Convolution(nn.Module):
    """A convolution whose input and weights are rounded to eight bits; sums and bias are exact."""

    def __init__(self, convolution: SameConvolution, low: float, high: float) -> None:
        super().__init__()
        self.convolution = convolution
        low, high = min(low, 0.0), max(high, 0.0)   # padding is 0, which must be exact
        self.scale = max(high - low, 1e-6) / LEVELS
        self.zero = min(LEVELS, max(0, round(-low / self.scale)))
        self.range = nn.Buffer(torch.tensor([low, high]))   # so that the state tells all of the model
        self.weight_scale = nn.Buffer(
            convolution.weight.detach().abs().amax(dim=(1, 2, 3)).clamp(min=1e-8) / WEIGHT_LEVELS)
        self.weight_zero = nn.Buffer(torch.zeros(convolution.out_channels, dtype=torch.int32))

    def forward(self, tokens: Tensor) -> Tensor:
        """Filter (B, C, H, W)."""
        rounded = torch.fake_quantize_per_tensor_affine(tokens, self.scale, self.zero, 0, LEVELS)
        weight = torch.fake_quantize_per_channel_affine(
            self.convolution.weight, self.weight_scale, self.weight_zero, 0, -WEIGHT_LEVELS, WEIGHT_LEVELS)
        return self.convolution.filter(rounded, weight)


def in_int8(model: nn.Module, ranges: Tensor) -> nn.Module:
    """Return a copy of a model whose convolutions work in eight bits.

    :param ranges: (N, 2) least and greatest input of each of its N convolutions, in the order of
        ``model.modules()``; NaN leaves a convolution as it is.
    :raises ValueError: another number of ranges.
    """
    model = copy.deepcopy(model)
    found = convolutions(model)
    if ranges.shape != (len(found), 2):
        raise ValueError(f'ranges must be ({len(found)}, 2) for this model, got {tuple(ranges.shape)}')
    by_module = dict(zip(found, ranges.tolist(), strict=True))
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child in by_module and not math.isnan(by_module[child][0]):
                setattr(parent, name, Int8Convolution(child, *by_module[child]))
    return model


def convolutions(model: nn.Module) -> list[SameConvolution]:
    """Return a model's convolutions, in order."""
    return [module for module in model.modules() if isinstance(module, SameConvolution)]
