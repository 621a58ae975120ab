"""Muon for the matrices of a network, AdamW for what else it has.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024): the momentum of a matrix is
made orthogonal before it is added, so that a step goes as far along rare directions as along common ones.
What rare words and templates need is learned in fewer steps by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import AdamW, Muon


class MuonWithAdamW:
    """One optimizer of the two; a convolution is the matrix that its windows are multiplied by."""

    def __init__(
        self,
        network: nn.Module,
        rate: float,
        *,
        is_matrix: Callable[[str, Tensor], bool],
        faster: float = 1.5,
        decay: float = 0.01,
    ) -> None:
        """Take a network's parameters.

        :param rate: learning rate of AdamW.
        :param is_matrix: by name and parameter, whether Muon takes it. By the paper not for tables of
            embeddings and output layers.
        :param faster: learning rate of Muon by that of AdamW; its steps have the root mean square of AdamW's
            (Liu et al., "Muon is Scalable for LLM Training", 2025).
        :param decay: ``weight_decay`` of AdamW; Muon's is ten times as much. Both take rate times decay of a
            weight in a step, so matrices decay ``10 * faster`` times as fast as the rest (15 by default).
        :raises ValueError: a matrix does not lie in memory row by row, so that its flat form would be a copy.
        """
        named = list(network.named_parameters())
        matrices = {name: each for name, each in named if each.ndim > 1 and is_matrix(name, each)}
        for name, each in matrices.items():     # what Muon did to a copy would never reach the network
            if each.detach().flatten(1).data_ptr() != each.data_ptr():
                raise ValueError(f'{name} {tuple(each.shape)} is not contiguous in memory, strides '
                                 f'{each.stride()}: Muon cannot change it in place')
        taken = {id(each) for each in matrices.values()}
        self._faster = faster
        rest = [each for _, each in named if id(each) not in taken]
        self._rest = AdamW(rest, rate, weight_decay=decay, fused=True)
        # the same memory in two forms
        self._flat = [(each, nn.Parameter(each.detach().flatten(1))) for each in matrices.values()]
        self._matrices = Muon(
            [flat for _, flat in self._flat],
            rate * faster,
            weight_decay=10 * decay,
            adjust_lr_fn='match_rms_adamw',
        )

    def set_rate(self, rate: float) -> None:
        """Change the learning rate."""
        for optimizer, times in ((self._rest, 1.0), (self._matrices, self._faster)):
            for group in optimizer.param_groups:
                group['lr'] = rate * times

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._rest.zero_grad()
        for each, _ in self._flat:
            each.grad = None

    def step(self) -> None:
        """Change the parameters by their gradients."""
        for each, flat in self._flat:
            flat.grad = None if each.grad is None else each.grad.flatten(1)
        self._rest.step()
        self._matrices.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both."""
        return {'matrices': self._matrices.state_dict(), 'rest': self._rest.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._matrices.load_state_dict(state['matrices'])
        self._rest.load_state_dict(state['rest'])
