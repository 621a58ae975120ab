"""Train the language model: ``python -m training.language.train``.

Seeded, resumable (run it again after a break and it goes on, with other samples), one core. What is
tested and written is the running mean of the weights (Polyak and Juditsky, "Acceleration of Stochastic
Approximation by Averaging", 1992). Writes the weights into the package and what happened into
``training/language/results``.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from training.averaging import keep
from training.kept import whole
from training.language.dataset import SHORT_STEPS, Batch, batches, collate, samples
from training.language.sample import Sample
from training.muon import MuonWithAdamW
from vla_attention.language.instruction import HEADS
from vla_attention.language.network import Answer, LanguageNetwork
from vla_attention.language.parser import WEIGHTS
from vla_attention.language.spans import best_labels, spans_of

HERE = Path(__file__).parent
AVERAGED = 0.998  # what the mean keeps at a step, at the end
LOSS_WEIGHTS = {'labels': 1.0, 'starts': 0.5, 'avoid': 0.3, 'heads': 0.3, 'kind': 0.2}


def losses(network: LanguageNetwork, batch: Batch) -> dict[str, Tensor]:
    """Return each part of the loss, a mean."""
    states = network.characters(batch.characters)
    cut = network.cut(states).float()
    answer: Answer = network(states, batch.real, batch.bounds, batch.piece)
    inner = batch.inner.float()
    starts = functional.binary_cross_entropy_with_logits(cut, batch.starts, reduction='none')
    avoid = functional.binary_cross_entropy_with_logits(answer.avoid.float(), batch.avoid, reduction='none')
    real = batch.real.float()
    attention = answer.attention[:, : len(HEADS)].float()
    rows = -(batch.heads * (attention + 1e-6).log()).sum(-1)
    known = batch.heads.sum(-1)
    linked = known * (1 + 2 * (1 - batch.heads.diagonal(dim1=-2, dim2=-1)))  # a link counts three times
    return {
        'labels': functional.cross_entropy(
            answer.labels.float().flatten(0, 1), batch.labels.flatten(), ignore_index=-100
        ),
        'starts': (starts * inner).sum() / inner.sum().clamp(min=1),
        'avoid': (avoid * real).sum() / real.sum(),
        'heads': (rows * linked).sum() / linked.sum().clamp(min=1),
        'kind': functional.cross_entropy(answer.kind.float(), batch.kind),
    }


@torch.inference_mode()
def held_out_f1(network: LanguageNetwork, rows: list[Sample]) -> float:
    """Return the F1 of exact spans, with the pieces that are right."""
    network.eval()
    right = found = wanted = 0
    for start in range(0, len(rows), 50):
        part = rows[start : start + 50]
        batch = collate(part)
        answer = network(network.characters(batch.characters), batch.real, batch.bounds, batch.piece)
        for row, scores in zip(part, answer.labels.log_softmax(-1).numpy(), strict=False):
            have = set(spans_of(row.text, best_labels(scores[: len(row.text)])))
            want = set(spans_of(row.text, row.labels))
            right, found, wanted = right + len(have & want), found + len(have), wanted + len(want)
    network.train()
    return 2 * right / max(found + wanted, 1)


def _is_hidden(name: str, parameter: Tensor) -> bool:
    """Tell whether a parameter takes states to states; tables, and what answers are read from, do not."""
    return 'embeddings' not in name and min(parameter.shape[:2]) >= 128


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Warm up over 200 steps, then fall along a cosine to nothing."""
    return peak * min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / steps))


@torch.no_grad()
def average(mean: nn.Module, network: nn.Module, step: int) -> None:
    """Move the running mean towards the network; over fewer steps at the start."""
    kept = min(AVERAGED, (1 + step) / (10 + step))
    for slow, fast in zip(mean.parameters(), network.parameters(), strict=False):
        slow.lerp_(fast, 1 - kept)


def train(options: argparse.Namespace) -> LanguageNetwork:
    """Train, or go on where the last run stopped."""
    torch.manual_seed(options.seed)
    network, mean = LanguageNetwork(), LanguageNetwork()
    if options.start:
        network.load_state_dict(load_file(options.start))
    mean.load_state_dict(network.state_dict())
    optimizer = MuonWithAdamW(network, options.rate, is_matrix=_is_hidden)
    step, log = 0, []
    checkpoint = Path(options.checkpoint)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists() and not options.fresh:
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state['network'])
        mean.load_state_dict(state['mean'])
        optimizer.load_state_dict(state['optimizer'])
        step, log = state['step'], state['log']
    test = [sample for _, sample in zip(range(400), samples(99, test=True), strict=False)]
    learnt = SHORT_STEPS if options.start else 0  # what is trained already needs no short commands first
    stream: Iterable[Batch] = batches(options.seed * 100003 + step, options.batch, learnt + step)
    began, done = time.process_time(), step
    bar = tqdm(total=options.steps, initial=step, unit='step', disable=None)
    sums = dict.fromkeys(LOSS_WEIGHTS, 0.0)
    for batch in stream:
        if step >= options.steps:
            break
        optimizer.set_rate(learning_rate(step, options.steps, options.rate))
        with torch.autocast('cpu', torch.bfloat16):
            parts = losses(network, batch)
        loss = sum((LOSS_WEIGHTS[name] * part for name, part in parts.items()), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        average(mean, network, step)
        bar.update()
        for name, part in parts.items():
            sums[name] += part.item()
        if step % options.every == 0 or step == options.steps:
            entry = {
                'step': step,
                'cpu_s': round(time.process_time() - began, 1),
                'f1': round(held_out_f1(mean, test), 4),
                **{name: round(value / options.every, 4) for name, value in sums.items()},
            }
            log.append(entry)
            tqdm.write(json.dumps(entry))
            sums = dict.fromkeys(sums, 0.0)
            state = {
                'network': network.state_dict(),
                'mean': mean.state_dict(),
                'optimizer': optimizer.state_dict(),
                'step': step,
                'log': log,
            }
            with whole(checkpoint) as file:
                torch.save(state, file)
            save(mean, options.weights)
    bar.close()
    if options.start:
        keep(mean, load_file(options.start), options.keep)
        save(mean, options.weights)
    if step > done:
        (HERE / 'results' / 'learning_curve.json').write_text(
            json.dumps(log, indent=1) + '\n', encoding='utf-8'
        )
    return mean


def save(network: LanguageNetwork, path: str) -> None:
    """Write the weights."""
    with whole(Path(path)) as file:
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, file)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--steps', type=int, default=17000)
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--rate', type=float, default=1.5e-3, help='peak learning rate')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--every', type=int, default=500, help='steps between checkpoints')
    parser.add_argument('--checkpoint', default=str(HERE / 'checkpoints' / 'language.pt'))
    parser.add_argument('--weights', default=str(WEIGHTS), help='where the result goes')
    parser.add_argument(
        '--start', default=None, help='weights to begin with (after a change of the words), not random ones'
    )
    parser.add_argument(
        '--keep', type=float, default=0.5, help='with --start: share of the old weights in the result, 0..1'
    )
    parser.add_argument('--fresh', action='store_true', help='start anew, even where a checkpoint is')
    return parser.parse_args()


if __name__ == '__main__':
    torch.set_num_threads(1)
    gc.freeze()     # word lists and modules stay; looking through them again and again takes time
    train(arguments())
