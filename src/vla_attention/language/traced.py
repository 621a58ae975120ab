"""The network for one text at a time, recorded: the same numbers without Python between its operations.

A command is so short that calling an operation costs about as much as the operation; recorded by
TorchScript, the network takes little more than half the time.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from vla_attention.language.characters import encode
from vla_attention.language.network import Answer, LanguageNetwork

_EXAMPLE = 'put the cup on the table'   # what is recorded holds for texts of any length


class _Read(nn.Module):
    """Characters (1, L, FEATURES) -> their states and the logits of a cut before each."""

    def __init__(self, network: LanguageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, characters: Tensor) -> tuple[Tensor, Tensor]:
        states = self.network.characters(characters)
        return states, self.network.cut(states)


class _Attend(nn.Module):
    """States and pieces of one text -> the fields of :class:`Answer`."""

    def __init__(self, network: LanguageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, states: Tensor, bounds: Tensor, piece: Tensor) -> tuple[Tensor, ...]:
        answer = self.network(states, None, bounds, piece)
        return answer.labels, answer.avoid, answer.kind, answer.attention, answer.weights


class TracedNetwork:
    """A network as it is now: later changes of its weights do not reach it."""

    def __init__(self, network: LanguageNetwork) -> None:
        """Record the network, which must be in evaluation mode (a quarter of a second)."""
        if network.training:
            raise ValueError('the network must be in evaluation mode')
        characters = torch.from_numpy(encode(_EXAMPLE)).unsqueeze(0)
        starts = [0, *(index + 1 for index, character in enumerate(_EXAMPLE) if character == ' ')]
        ends = [start - 2 for start in starts[1:]] + [len(_EXAMPLE) - 1]
        bounds = torch.tensor([list(zip(starts, ends, strict=True))])
        piece = torch.tensor([[_EXAMPLE.count(' ', 0, index) for index in range(len(_EXAMPLE))]])
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')     # checks of shapes are not recorded, and need not be
            self._read = torch.jit.freeze(
                torch.jit.trace(_Read(network).eval(), characters, check_trace=False))
            states, _ = self._read(characters)
            self._attend = torch.jit.freeze(
                torch.jit.trace(_Attend(network).eval(), (states, bounds, piece), check_trace=False))

    def read(self, characters: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states (1, L, hidden_dim) of the characters, and the logits (1, L) of a cut before each.

        :param characters: (1, L, FEATURES) int64.
        """
        with torch.jit.optimized_execution(False):  # texts differ in length: to fit code to one is lost time
            return self._read(characters)

    def attend(self, states: Tensor, bounds: Tensor, piece: Tensor) -> Answer:
        """Return what :class:`LanguageNetwork` says of one text.

        :param states: (1, L, hidden_dim) of :meth:`read`.
        :param bounds: (1, T, 2) int64: first and last character of each piece.
        :param piece: (1, L) int64: the piece that each character belongs to.
        """
        with torch.jit.optimized_execution(False):
            return Answer(*self._attend(states, bounds, piece))
