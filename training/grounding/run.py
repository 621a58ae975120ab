"""What both trainings of the embedded model share: where they go on, their steps, and their log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from training.kept import whole

MOST_GRADIENT = 5.0     # norm to which gradients are cut


def resume(folder: Path, head: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Go on where a run in this folder stopped; returns its state, empty where there was none."""
    path = folder / 'state.pt'
    if not path.exists():
        return {}
    state: dict[str, Any] = torch.load(path, weights_only=True)
    head.load_state_dict(state['head'])
    optimiser.load_state_dict(state['optimiser'])
    torch.set_rng_state(state['random'])
    return state


def descend(loss: Tensor, head: nn.Module, optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Take one step down a loss at a learning rate.

    :raises RuntimeError: the gradient is not finite; the step would ruin all weights.
    """
    for group in optimiser.param_groups:
        group['lr'] = rate
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(head.parameters(), MOST_GRADIENT, error_if_nonfinite=True)
    optimiser.step()


def record(folder: Path, entry: dict[str, Any], head: nn.Module, optimiser: torch.optim.Optimizer,
           **state: Any) -> None:
    """Write a pass into the log, and the state from which :func:`resume` goes on."""
    print(entry, flush=True)
    with (folder / 'log.jsonl').open('a', encoding='utf-8') as lines:
        lines.write(json.dumps(entry) + '\n')
    with whole(folder / 'state.pt') as file:
        torch.save({'head': head.state_dict(), 'optimiser': optimiser.state_dict(),
                    'random': torch.get_rng_state(), **state}, file)


def save_learned(path: Path, state: dict[str, Tensor], known: list[str]) -> None:
    """Write what a look has learned, in fp16, and which kinds it saw, as pack.py reads it."""
    with whole(path) as file:
        save_file({name: value.half().contiguous() for name, value in state.items()}, file,
                  metadata={'known': json.dumps(known)})
