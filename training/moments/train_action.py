"""Trains the spatial attention: where the tip of the tool is in the motion maps of one tick.

python -m training.moments.train_action --steps 3000 --out finder.safetensors
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from training.kept import whole
from training.moments.dataset import Sequence, load_shards
from vla_attention.moments.action import FEATURES, ActionFilter, ActionFinder, look, mirrored
from vla_attention.moments.cues import CHANNELS, GRID
from vla_attention.moments.moment import PHASES

RATE = 3e-3
BATCH = 96
SIGMA = 0.8     # cells: how sharply the place of the tip is asked for


def gather(sequences: list[Sequence]) -> tuple[Tensor, Tensor, Tensor]:
    """Return every second tick whose tip is in the image: maps (N, C, 24, 32), tips (N, 2), phases (N,)."""
    maps, tips, phases = [], [], []
    for number, one in enumerate(sequences):
        inside = ((one.tips > 0) & (one.tips < 1)).all(axis=1)
        kept = np.flatnonzero(inside & (np.arange(len(inside)) % 2 == number % 2))
        maps.append(one.maps[kept])
        tips.append(one.tips[kept])
        phases.append(one.phases[kept])
    return (torch.from_numpy(np.concatenate(maps)), torch.from_numpy(np.concatenate(tips)),
            torch.from_numpy(np.concatenate(phases)))


def disturb(maps: Tensor, tips: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror half of them, zoom and shift, scale the motion, leave out some of the memory.

    Nothing may be relied on alone: with less of this, longer training found elbows and heads in real scenes.
    """
    maps, tips = maps.float(), tips.clone()
    turned = torch.rand(len(maps)) < 0.5
    maps[turned] = mirrored(maps[turned])
    tips[turned, 0] = 1 - tips[turned, 0]
    factor = torch.exp(torch.empty(len(maps), 1, 1, 1).uniform_(-0.6, 0.6))
    maps[:, :2] = (maps[:, :2] - 128) * factor + 128
    maps[:, 2:3] = (maps[:, 2:3] * factor.sqrt()).clamp(max=255)
    kept = (torch.rand(len(maps), len(CHANNELS) - 3, 1, 1) > 0.15).float()
    kept[:, -1] *= (torch.rand(len(maps), 1, 1) > 0.3).float()     # the edges look most like the drawings
    maps[:, 3:] = maps[:, 3:] * kept
    zoom = torch.exp(torch.empty(len(maps), 2).uniform_(-0.3, 0.35))
    middle = torch.empty(len(maps), 2).uniform_(-0.25, 0.25)
    matrix = torch.zeros(len(maps), 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, :, 2] = 1 / zoom[:, 0], 1 / zoom[:, 1], middle
    still = torch.tensor([128.0, 128.0] + [0.0] * (len(CHANNELS) - 2))[:, None, None]
    grid = functional.affine_grid(matrix, list(maps.shape), align_corners=False)
    maps = functional.grid_sample(maps - still, grid, align_corners=False) + still
    tips = ((2 * tips - 1 - middle) * zoom + 1) / 2
    return maps, tips


def losses(model: ActionFinder, phase_head: nn.Module, maps: Tensor, tips: Tensor,
           phases: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross entropy of the heat map, and of the phase as the feature at the tip tells it."""
    logits, features = model(maps)
    rows, columns = GRID
    ys, xs = torch.arange(rows) + 0.5, torch.arange(columns) + 0.5
    away = (xs - tips[:, :1] * columns)[:, None, :] ** 2 + (ys - tips[:, 1:] * rows)[:, :, None] ** 2
    wanted = (-away / (2 * SIGMA * SIGMA)).flatten(1).softmax(dim=1)
    inside = ((tips > 0) & (tips < 1)).all(dim=1)
    heat = -(wanted * logits.flatten(1).log_softmax(dim=1)).sum(dim=1)[inside].mean()
    row = (tips[:, 1] * rows / 2).long().clamp(0, rows // 2 - 1)
    column = (tips[:, 0] * columns / 2).long().clamp(0, columns // 2 - 1)
    at_tip = features[torch.arange(len(maps)), :, row, column]
    return heat, functional.cross_entropy(phase_head(at_tip), phases.where(inside, -1), ignore_index=-1)


def tip_errors(model: ActionFinder, sequences: list[Sequence]) -> np.ndarray:
    """Return how far the filtered tip is from the true one, in diagonals, over all ticks in view."""
    model.eval()
    errors = []
    for one in sequences:
        follow = ActionFilter()
        logits, features = look(model, torch.from_numpy(one.maps))
        for index in range(len(one.times)):
            action = follow.step(logits[index], features[index])
            if ((one.tips[index] > 0) & (one.tips[index] < 1)).all():
                errors.append(np.hypot(*((np.array(action.point) - one.tips[index]) * one.aspect)))
    return np.array(errors)


def train(steps: int, out: Path, start: Path | None = None, seed: int = 0) -> None:
    """Train for so many steps; new shards are taken in as they appear."""
    torch.manual_seed(seed)
    known: set[Path] = set()
    parts = [gather(load_shards('train_*.npz', known=known))]
    held_out = load_shards('held_*.npz')
    model, phase_head = ActionFinder(), nn.Linear(FEATURES, len(PHASES))
    if start is not None:
        model.load_state_dict(load_file(str(start)))
    optimizer = torch.optim.AdamW([*model.parameters(), *phase_head.parameters()], lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    begin, running = time.process_time(), np.zeros(2)
    for step in range(steps):
        if step % 100 == 0:
            more = load_shards('train_*.npz', known=known)
            if more:
                parts.append(gather(more))
            maps, tips, phases = (torch.cat([part[index] for part in parts]) for index in range(3))
        model.train()
        chosen = torch.randint(len(maps), (BATCH,))
        heat, phase = losses(model, phase_head, *disturb(maps[chosen], tips[chosen]), phases[chosen])
        optimizer.zero_grad()
        (heat + 0.3 * phase).backward()
        optimizer.step()
        schedule.step()
        now = np.array([float(heat.detach()), float(phase.detach())])
        running += (now - running) * max(0.02, 1 / (step + 1))
        if (step + 1) % 400 == 0 or step + 1 == steps:
            errors = {kind: tip_errors(model, [one for one in held_out if one.name.startswith(kind)][:20])
                      for kind in ('drawn', 'panda', 'kuka')}
            print(f'step {step + 1} ticks {len(maps)} cpu {time.process_time() - begin:.0f} s '
                  f'heat {running[0]:.3f} phase {running[1]:.3f} '
                  + ' '.join(f'{kind} median {np.median(error):.3f} within 0.08 {(error < 0.08).mean():.2f}'
                             for kind, error in errors.items() if len(error)), flush=True)
            with whole(out) as file:
                save_file(model.state_dict(), str(file))


def main(arguments: list[str] | None = None) -> None:
    """Train as the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--steps', type=int, default=3000)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--start', type=Path, help='weights to go on from')
    parser.add_argument('--seed', type=int, default=0, help='another one for each --start')
    options = parser.parse_args(arguments)
    if options.start is not None and options.start.resolve() == options.out.resolve():
        parser.error('--out is --start: the weights before would be lost')
    torch.set_num_threads(1)
    train(options.steps, options.out, options.start, options.seed)


if __name__ == '__main__':
    main(sys.argv[1:])
