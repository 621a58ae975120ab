"""A mean of weights before and after training: better than either on what neither was trained on."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def keep(network: nn.Module, start: dict[str, Tensor], share: float) -> None:
    """Move the weights back towards those that training began with, by this share of the way.

    Between the two lie weights that do better than either on what the new training has not (Wortsman et al.,
    "Robust fine-tuning of zero-shot models", 2022).

    :param start: the state of the network, float32, as it was; every name of it.
    :param share: 0 leaves the network as it is, 1 makes it what it was.
    """
    for name, tensor in network.state_dict().items():
        tensor.lerp_(start[name], share)
