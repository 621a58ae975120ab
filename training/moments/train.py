"""Trains the attention over time on the shards of :mod:`training.moments.dataset`.

python -m training.moments.train --finder finder.safetensors --steps 3000 --out moments.safetensors
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

from training.averaging import keep
from training.kept import whole
from training.moments.measure import Tally
from training.moments.observed import Observed, observe_shards
from vla_attention.moments.action import FEATURES, ActionFinder
from vla_attention.moments.cues import CHANNELS
from vla_attention.moments.importance import EventDetector
from vla_attention.moments.moment import PHASES
from vla_attention.moments.phase_model import PhaseModel
from vla_attention.moments.trajectory import CROP, CROPPED, SCALARS, SIZE
from vla_attention.moments.weights import load_part

RATE = 2e-3
MIRRORED = torch.tensor([-1.0 if 'x' in name.split('_') and 'spread' not in name else 1.0
                         for name in SCALARS])
LENGTH = 128  # ticks of a training sequence at most
BATCH = 16


def sample(one: Observed, rng: np.random.Generator) -> dict[str, Tensor]:
    """Return a stretch of an episode, its numbers disturbed; none of them may be relied on alone."""
    length, begin = len(one.times), 0
    if length > LENGTH:
        begin = int(rng.integers(0, length - LENGTH + 1)) if rng.random() < 0.6 else 0
    part = slice(begin, begin + LENGTH)
    vectors = torch.from_numpy(one.vectors[part])
    turned = rng.random() < 0.3
    if turned:
        vectors = mirror(vectors)
    kept = torch.rand(SIZE) > 0.1
    if turned or rng.random() < 0.2:    # what the spatial attention's features mean mirrored, nobody knows
        kept[-FEATURES:] = False
    vectors = vectors * kept * (1 + 0.1 * torch.randn(SIZE)) + 0.03 * torch.randn(vectors.shape)
    return {'vectors': vectors, 'times': torch.from_numpy(one.times[part]).float(),
            'phases': torch.from_numpy(one.phases[part]), 'nearness': torch.from_numpy(one.nearness[part])}


def mirror(vectors: Tensor) -> Tensor:
    """Swap left and right of observations (T, SIZE), but for the features of the spatial attention."""
    crop = vectors[:, len(SCALARS):len(SCALARS) + CROPPED].unflatten(1, (len(CHANNELS), CROP, CROP)).flip(-1)
    crop = torch.cat([-crop[:, :1], crop[:, 1:]], dim=1)
    return torch.cat([vectors[:, :len(SCALARS)] * MIRRORED, crop.flatten(1), vectors[:, -FEATURES:]], dim=1)


def batch(samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Pad to the longest; what is padded is unlabelled."""
    longest = max(len(one['times']) for one in samples)
    unlabelled = {'phases': -1, 'nearness': -1.0}
    result = {}
    for key in samples[0]:
        padded = []
        for one in samples:
            tensor = one[key]
            fill = tensor[-1:].expand(longest - len(tensor), *tensor.shape[1:])
            if key in unlabelled:
                fill = torch.full_like(fill, unlabelled[key])
            padded.append(torch.cat([tensor, fill]))
        result[key] = torch.stack(padded)
    return result


def loss_of(model: PhaseModel, data: dict[str, Tensor]) -> Tensor:
    """Return the negative log likelihood of the phases under the belief, plus that of the nearness."""
    beliefs, nearness = model(data['vectors'], data['times'])
    said = beliefs.clamp_min(1e-6).log().flatten(0, 1)
    phase = functional.nll_loss(said, data['phases'].flatten(), ignore_index=-1)
    known = data['nearness'] >= 0
    near = functional.binary_cross_entropy_with_logits(nearness[known], data['nearness'][known])
    return phase + 0.5 * near


@torch.inference_mode()
def evaluate(model: PhaseModel, episodes: list[Observed]) -> Tally:
    """Run the model causally over whole episodes."""
    model.eval()
    tally = Tally(len(PHASES))
    for one in episodes:
        beliefs, _ = model(torch.from_numpy(one.vectors)[None], torch.from_numpy(one.times).float()[None])
        probabilities = beliefs[0].numpy()
        detector, events = EventDetector(), []
        for when, belief in zip(one.times, probabilities, strict=True):
            events += [(float(when), name) for name in detector.step(belief)]
        tally.add(probabilities.argmax(axis=1).tolist(), one.phases.tolist(), events, one.events,
                  float(one.times[-1]))
    return tally


def save(out: Path, finder: ActionFinder, model: PhaseModel) -> None:
    """Write both parts to one file in half precision, whole or not at all."""
    tensors = {f'{part}.{name}': tensor.half() if tensor.is_floating_point() else tensor
               for part, module in (('finder', finder), ('phases', model))
               for name, tensor in module.state_dict().items()}
    with whole(out) as file:
        save_file(tensors, str(file))


def train(
    steps: int, finder_path: Path, out: Path, start: Path | None = None, rate: float = RATE, seed: int = 0,
    kept: float = 0.0,
) -> None:
    """Train for so many steps and keep the weights that do best on held-out episodes of other arms.

    :param kept: share of the phases' weights before, in ``start``, in the result.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    finder = ActionFinder()
    finder.load_state_dict(load_file(str(finder_path)))
    finder.half().float().eval()    # as it will be loaded
    known: set[Path] = set()
    episodes = observe_shards(finder, 'train_*.npz', known)
    held_out = observe_shards(finder, 'held_*.npz', set())
    model = PhaseModel()
    if start is not None:
        model.load_state_dict(load_part(start, 'phases'))
    everything = np.concatenate([one.vectors for one in episodes])
    model.encoder.mean.copy_(torch.from_numpy(everything.mean(axis=0)))
    model.encoder.deviation.copy_(torch.from_numpy(everything.std(axis=0) + 0.05))
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1)
    begin, best, running = time.process_time(), -1.0, 0.0
    for step in range(steps):
        if step % 250 == 0:    # what has been made meanwhile
            episodes += observe_shards(finder, 'train_*.npz', known)
            order = np.argsort([min(len(one.times), LENGTH) for one in episodes])
        for group in optimizer.param_groups:  # warm up, then down along a cosine
            falling = 0.02 + 0.98 * (1 + np.cos(np.pi * step / steps)) / 2
            group['lr'] = rate * min(1.0, (step + 1) / 50) * falling
        middle = int(rng.integers(len(order)))  # neighbours in length: little padding
        near = order[max(0, middle - 40) : middle + 40]
        chosen = rng.choice(near, min(BATCH, len(near)), replace=False)
        model.train()
        loss = loss_of(model, batch([sample(episodes[index], rng) for index in chosen]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        running += (float(loss.detach()) - running) * max(0.03, 1 / (step + 1))
        if (step + 1) % 250 == 0 or step + 1 == steps:
            score = 0.0
            print(f'step {step + 1} episodes {len(episodes)} cpu {time.process_time() - begin:.0f} s '
                  f'loss {running:.3f}', flush=True)
            for kinds in (('drawn',), ('panda', 'kuka')):
                chosen_ones = [one for one in held_out if one.name.startswith(kinds)]
                if not chosen_ones:
                    continue
                results = evaluate(average.module, chosen_ones).results()
                score += results['accuracy'] + results['macro_f1'] + results['f1@50']
                print('  ' + '/'.join(kinds) + ' '
                      + ' '.join(f'{key} {value:.3f}' for key, value in results.items()), flush=True)
            if score > best:
                best = score
                save(out, finder, average.module)
    if start is not None and kept:
        model.load_state_dict(load_part(out, 'phases'))
        keep(model, load_part(start, 'phases'), kept)
        save(out, finder, model)


def main(arguments: list[str] | None = None) -> None:
    """Train as the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--steps', type=int, default=3000)
    parser.add_argument('--finder', type=Path, required=True, help='what train_action made')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--start', type=Path, help='weights to go on from')
    parser.add_argument('--rate', type=float, default=RATE, help='of learning, at its height')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--keep', type=float, default=0.0,
                        help='with --start: share of the weights before in the result, 0..1')
    options = parser.parse_args(arguments)
    if options.start is not None and options.start.resolve() == options.out.resolve():
        parser.error('--out is --start: the weights before would be lost')
    if options.keep and options.start is None:
        parser.error('--keep needs --start: there are no weights before')
    torch.set_num_threads(1)
    train(options.steps, options.finder, options.out, options.start, options.rate, options.seed, options.keep)


if __name__ == '__main__':
    main(sys.argv[1:])
