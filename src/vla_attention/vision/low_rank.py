"""Late layers of the backbone that differ a little from those it came with, at little cost on disk.

The change of a 1x1 convolution is a product of two thin matrices (LoRA, Hu et al., ICLR 2022). Applied once,
it costs nothing when the network runs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_attention.vision.backbone import EfficientNetLite0, SameConvolution

RANK = 24


class LateChange(nn.Module):
    """A change of the 1x1 convolutions behind stride 16; none until it is trained."""

    def __init__(self, rank: int = RANK) -> None:
        """Make room for it.

        :param rank: of the change of a layer; more changes more, and takes more room.
        """
        super().__init__()
        with torch.device('meta'):
            shapes = EfficientNetLite0()
        self.parts = nn.ModuleDict({_key(name): _Change(layer.out_channels, layer.in_channels, rank)
                                    for name, layer in late_convolutions(shapes)})

    def weights(self, backbone: EfficientNetLite0) -> dict[str, Tensor]:
        """Return the changed weights of a backbone's late layers by the names in its state."""
        changed: dict[str, Tensor] = {}
        for name, layer in late_convolutions(backbone):
            part = self.parts[_key(name)]
            assert isinstance(part, _Change)
            assert layer.bias is not None
            changed[f'{name}.weight'] = layer.weight + (part.up @ part.down)[..., None, None]
            changed[f'{name}.bias'] = layer.bias + part.bias
        return changed

    @torch.no_grad()
    def applied(self, backbone: EfficientNetLite0) -> EfficientNetLite0:
        """Return a backbone with the change; all that does not change is shared with the one given."""
        changed = EfficientNetLite0()
        changed.load_state_dict({**backbone.state_dict(), **self.weights(backbone)}, assign=True)
        return changed.eval()


class _Change(nn.Module):
    """The change of one 1x1 convolution: ``up @ down`` of its weight (outputs, inputs), and ``bias``."""

    def __init__(self, outputs: int, inputs: int, rank: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.up = nn.Parameter(torch.zeros(outputs, rank))
        self.down = nn.Parameter(torch.randn(rank, inputs) * inputs ** -0.5)


def late_convolutions(backbone: EfficientNetLite0) -> list[tuple[str, SameConvolution]]:
    """Return the 1x1 convolutions behind stride 16 with their names, in the order in which they run."""
    late = [(f'blocks.{number}', block) for number, block in enumerate(backbone.blocks)
            if number > backbone.taps[16]]
    found = [(f'{prefix}.{name}', layer) for prefix, block in late
             for name, layer in block.named_modules()
             if isinstance(layer, SameConvolution) and layer.kernel_size == (1, 1)]
    return [*found, ('head', backbone.head)]


def _key(name: str) -> str:
    """Return a layer's name as a ModuleDict takes it."""
    return name.replace('.', '_')
