"""EfficientNet-Lite0 as a feature extractor: features at strides 8, 16 and 32, and its ImageNet classes.

The architecture is that of "EfficientNet-Lite" (R. Liu, TensorFlow blog, 2020), a variant of EfficientNet
(Tan and Le, 2019) without squeeze-and-excitation and with ReLU6. Batch normalisation is folded into the
convolutions, so a layer is a convolution with a bias.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# (repeats, kernel, stride, expansion, channels) of each stage
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
          (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))
STEM = 32
EMBEDDING = 1280        # channels at stride 32, which the ImageNet classifier reads
CLASSES = 1000
CHANNELS = {8: 40, 16: 112, 32: EMBEDDING}
STRIDE = 32             # width and height of the input must be multiples


class SameConvolution(nn.Conv2d):
    """Convolution with the padding of TensorFlow's SAME for inputs that the stride divides."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=True,
                         padding=kernel // 2 if stride == 1 else 0)
        before = (kernel - stride) // 2
        self.pad = (before, kernel - stride - before) * 2 if stride > 1 else None

    def forward(self, image: Tensor) -> Tensor:
        """Filter (B, C, H, W)."""
        return self.filter(image, self.weight)

    def filter(self, image: Tensor, weight: Tensor) -> Tensor:
        """Filter with other weights of the same shape."""
        return self._conv_forward(functional.pad(image, self.pad) if self.pad else image, weight, self.bias)


class _InvertedResidual(nn.Module):
    """Expand, filter each channel, project; add the input where the shape allows."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = SameConvolution(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = SameConvolution(inner, inner, kernel, stride, groups=inner)
        self.project = SameConvolution(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, tokens: Tensor) -> Tensor:
        inner = tokens if self.expand is None else functional.relu6(self.expand(tokens))
        output = self.project(functional.relu6(self.depthwise(inner)))
        return output + tokens if self.residual else output


class EfficientNetLite0(nn.Module):
    """The backbone; :meth:`classify` is its ImageNet head, on pooled or on dense features alike."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConvolution(3, STEM, 3, 2)
        blocks: list[nn.Module] = []
        inputs = STEM
        self.taps: dict[int, int] = {}
        stride = 2
        for repeats, kernel, step, expansion, outputs in STAGES:
            for repeat in range(repeats):
                first = step if repeat == 0 else 1
                blocks.append(_InvertedResidual(inputs, outputs, kernel, first, expansion))
                inputs = outputs
            stride *= step
            self.taps[stride] = len(blocks) - 1     # the last block at this stride
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConvolution(inputs, EMBEDDING, 1)
        self.classifier = nn.Linear(EMBEDDING, CLASSES)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of an image.

        :param image: (B, 3, H, W) RGB in 0..255, H and W multiples of 32.
        :returns: (B, 40, H/8, W/8), (B, 112, H/16, W/16) and (B, 1280, H/32, W/32).
        :raises ValueError: another shape.
        """
        if image.dim() != 4 or image.shape[1] != 3 or image.shape[2] % STRIDE or image.shape[3] % STRIDE:
            raise ValueError(f'image must be (B, 3, H, W) with H and W multiples of {STRIDE}, '
                             f'got {tuple(image.shape)}')
        tokens = functional.relu6(self.stem((image - 127.0) / 128.0))
        found = {}
        for index, block in enumerate(self.blocks[:self.taps[16] + 1]):
            tokens = block(tokens)
            found[index] = tokens
        return found[self.taps[8]], found[self.taps[16]], self.late(tokens)

    def late(self, sixteenth: Tensor) -> Tensor:
        """Go on from the features at stride 16, (B, 112, H/16, W/16), to the last, (B, 1280, H/32, W/32)."""
        for block in self.blocks[self.taps[16] + 1:]:
            sixteenth = block(sixteenth)
        return functional.relu6(self.head(sixteenth))

    def classify(self, embedding: Tensor) -> Tensor:
        """Return the logits (..., 1000) of the ImageNet classes for features (..., 1280)."""
        logits: Tensor = self.classifier(embedding)
        return logits


@torch.no_grad()
def fold_batch_norm(weight: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor,
                    epsilon: float) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the convolution that does a convolution and its batch normalisation."""
    factor = scale / (variance + epsilon).sqrt()
    return weight * factor.reshape(-1, 1, 1, 1), shift - mean * factor
