"""Trains the attention over time on the shards of :mod:`training.moments.dataset`.

python -m training.moments.train --minutes 12 --out src/vla_attention/weights/moments.safetensors
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.moments.dataset import Sequence, load_shards
from training.moments.measure import Tally
from vla_attention.moments.cues import SCALARS
from vla_attention.moments.importance import EventDetector
from vla_attention.moments.moment import PHASES
from vla_attention.moments.phase_model import WEIGHTS, PhaseModel

MIRRORED = torch.tensor([-1.0 if name.endswith(('_x', '_dx')) else 1.0 for name in SCALARS])
SPEEDS = (
    'mean_speed',
    'top_speed',
    'velocity_x',
    'velocity_y',
    'point_velocity_x',
    'point_velocity_y',
    'camera',
)
LOG_TIMES = {'elapsed': 3.0, 'since_stop': 2.0, 'still_time': 1.0, 'moving_time': 1.0}
RATE = 2e-3
LENGTH = 96  # ticks of a training sequence at most


def sample(sequence: Sequence, rng: np.random.Generator) -> dict[str, Tensor]:
    """Return a stretch of a sequence, mirrored half the time, its scalars disturbed a little."""
    length = len(sequence.times)
    begin = 0
    if length > LENGTH:
        begin = int(rng.integers(0, length - LENGTH + 1)) if rng.random() < 0.25 else 0
    part = slice(begin, begin + LENGTH)
    grid, crop = torch.from_numpy(sequence.grid[part]), torch.from_numpy(sequence.crop[part])
    scalars = torch.from_numpy(sequence.scalars[part])
    if rng.random() < 0.5:
        grid, crop, scalars = mirror(grid), mirror(crop), scalars * MIRRORED
    grid, scalars = shift(grid, scalars, rng)
    times = torch.from_numpy(sequence.times[part]).float()
    grid, crop, scalars, times = hasten(grid, crop, scalars, times, float(rng.uniform(0.75, 1.35)))
    kept = torch.rand(len(SCALARS)) > 0.12      # no part may be relied on alone
    scalars = scalars * kept * (1 + 0.15 * torch.randn(len(SCALARS))) + 0.08 * torch.randn(scalars.shape)
    if rng.random() < 0.15:
        grid = torch.full_like(grid, 0)
        grid[:, :2] = 128
    elif rng.random() < 0.5:
        grid[:, int(rng.integers(2, grid.shape[1]))] = 0
    if rng.random() < 0.5:
        crop[:, int(rng.integers(2, crop.shape[1]))] = 0
    return {
        'grid': grid,
        'crop': crop,
        'scalars': scalars,
        'times': times,
        'phases': torch.from_numpy(sequence.phases[part]),
        'nearness': torch.from_numpy(sequence.nearness[part]),
    }


def mirror(maps: Tensor) -> Tensor:
    """Swap left and right of (T, C, rows, cols) uint8 maps, whose first channel is the flow to the right."""
    turned = maps.flip(-1).clone()
    turned[:, 0] = (256 - turned[:, 0].int()).clamp(0, 255).to(torch.uint8)
    return turned


def shift(grid: Tensor, scalars: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Move the whole scene by up to three cells, as if the camera looked a bit aside."""
    right, down = int(rng.integers(-3, 4)), int(rng.integers(-2, 3))
    empty = torch.zeros_like(grid)
    empty[:, :2] = 128
    rows, columns = grid.shape[-2:]
    empty[:, :, max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = grid[
        :, :, max(-down, 0) : rows + min(-down, 0), max(-right, 0) : columns + min(-right, 0)
    ]
    scalars = scalars.clone()
    scalars[:, SCALARS.index('point_x')] += 2 * right / columns
    scalars[:, SCALARS.index('point_y')] += 2 * down / rows
    return empty, scalars


def hasten(
    grid: Tensor, crop: Tensor, scalars: Tensor, times: Tensor, factor: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Play the scene faster by the factor: speeds grow by it, times shrink by it."""
    grid, crop, scalars = grid.clone(), crop.clone(), scalars.clone()
    for maps in (grid, crop):
        flow = (maps[:, :2].float() - 128) * factor + 128
        maps[:, :2] = flow.round().clamp(0, 255).to(torch.uint8)
        maps[:, 2] = (maps[:, 2].float() * factor).round().clamp(0, 255).to(torch.uint8)
    for index, name in enumerate(SCALARS):
        if name in SPEEDS:
            scalars[:, index] *= factor
        elif name in LOG_TIMES:  # log(1 + time) / scale
            scale = LOG_TIMES[name]
            scalars[:, index] = torch.log1p(torch.expm1(scalars[:, index] * scale) / factor) / scale
        elif name == 'dt':
            scalars[:, index] /= factor
    return grid, crop, scalars, times / factor


def batch(samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Pad to the longest; what is padded is unlabelled."""
    longest = max(len(one['times']) for one in samples)
    result = {}
    for key in samples[0]:
        padded = []
        for one in samples:
            tensor = one[key]
            fill = tensor[-1:].expand(longest - len(tensor), *tensor.shape[1:])
            if key == 'phases':
                fill = torch.full((longest - len(tensor),), -1)
            elif key == 'nearness':
                fill = torch.full((longest - len(tensor),), -1.0)
            padded.append(torch.cat([tensor, fill]))
        result[key] = torch.stack(padded)
    return result


def loss_of(model: PhaseModel, data: dict[str, Tensor]) -> Tensor:
    """Return the negative log likelihood of the phases under the belief, plus that of the nearness."""
    beliefs, nearness = model(data['grid'], data['crop'], data['scalars'], data['times'])
    said = beliefs.clamp_min(1e-6).log().flatten(0, 1)
    phase = functional.nll_loss(said, data['phases'].flatten(), ignore_index=-1)
    known = data['nearness'] >= 0
    near = functional.binary_cross_entropy_with_logits(nearness[known], data['nearness'][known])
    return phase + 0.5 * near


@torch.inference_mode()
def evaluate(model: PhaseModel, sequences: list[Sequence]) -> Tally:
    """Run the model causally over whole sequences."""
    model.eval()
    tally = Tally(len(PHASES))
    for one in sequences:
        beliefs, _ = model(
            torch.from_numpy(one.grid)[None],
            torch.from_numpy(one.crop)[None],
            torch.from_numpy(one.scalars)[None],
            torch.from_numpy(one.times).float()[None],
        )
        probabilities = beliefs[0].numpy()
        detector, events = EventDetector(), []
        for when, belief in zip(one.times, probabilities, strict=True):
            events += [(float(when), name) for name in detector.step(belief)]
        tally.add(
            probabilities.argmax(axis=1).tolist(),
            one.phases.tolist(),
            events,
            one.events,
            float(one.times[-1]),
        )
    return tally


def train(minutes: float, out: Path, start: Path | None = None, seed: int = 0) -> None:
    """Train for so many minutes and keep the weights that do best on held-out drawn episodes."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    known: set[Path] = set()
    sequences, held_out = load_shards('train_*.npz', known=known), load_shards('held_*.npz')
    print(
        f'{len(sequences)} episodes, {sum(len(one.times) for one in sequences)} ticks; '
        f'{len(held_out)} held out',
        flush=True,
    )
    model = PhaseModel()
    if start is not None:
        model.load_state_dict({name: tensor.float() for name, tensor in load_file(str(start)).items()})
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.1)
    begin, step, best = time.monotonic(), 0, -1.0
    running = 0.0
    while (share := (time.monotonic() - begin) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:  # warm up, then down along a cosine
            group['lr'] = RATE * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * (1 + np.cos(np.pi * share)) / 2)
        if step % 200 == 0:  # what has been made meanwhile
            sequences += load_shards('train_*.npz', known=known)
            order = np.argsort([min(len(one.times), LENGTH) for one in sequences])
        middle = int(rng.integers(len(order)))  # neighbours in length: little padding
        near = order[max(0, middle - 40) : middle + 40]
        chosen = rng.choice(near, min(16, len(near)), replace=False)
        model.train()
        loss = loss_of(model, batch([sample(sequences[index], rng) for index in chosen]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        running = 0.97 * running + 0.03 * float(loss.detach()) if step else float(loss.detach())
        step += 1
        if step % 200 == 0:
            results = evaluate(average.module, held_out).results()
            print(
                f'step {step} episodes {len(sequences)} loss {running:.3f} '
                + ' '.join(f'{key} {value:.3f}' for key, value in results.items()),
                flush=True,
            )
            score = results['accuracy'] + results['edit'] + results['f1@50']
            if score > best:
                best = score
                weights = average.module.state_dict()
                save_file({name: tensor.half() for name, tensor in weights.items()}, str(out))


def main(arguments: list[str] | None = None) -> None:
    """Train as the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=12.0, help='how long')
    parser.add_argument('--out', type=Path, default=WEIGHTS)
    parser.add_argument('--start', type=Path, help='weights to go on from')
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    train(options.minutes, options.out, options.start)


if __name__ == '__main__':
    main(sys.argv[1:])
