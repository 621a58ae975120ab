"""What each word is worth, by leaving it out; taught to an output of the network.

The weight of word i is sqrt(D_i / max_j D_j), where D_i is how much of the answer goes when the word is
left out of the text. In full: the facts that name the word (its chance of having a role, of being linked to
another word, and of others being linked to it, over the named heads). At a quarter: what moves elsewhere
(total variation of the other words' roles and of what remains of each named head's rows, and the change of
their chance to be avoided); for a particle tells roles apart, but there is nothing to look at in it.

Asking this of a sentence of T words takes T more passes; so the network's weight output is trained on
the answers, on top of the words' states, which stay as they are: ``python -m training.language.weigh``.
"""

from __future__ import annotations

import argparse
import json
import random
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from training.language.dataset import samples
from training.language.train import save
from vla_attention.language.characters import encode
from vla_attention.language.instruction import HEADS, ROLES
from vla_attention.language.network import LanguageNetwork
from vla_attention.language.parser import WEIGHTS, piece_tensors

RESULTS = Path(__file__).parent / 'results'
MOST_WORDS = 30
ELSEWHERE = 0.25  # what a change in the answer about other words counts


@torch.inference_mode()
def losses_without(network: LanguageNetwork, text: str, pieces: list[tuple[int, int]]) -> Tensor:
    """Return how much of the answer goes with each piece, (T,), by leaving each out in turn.

    :param pieces: [start, end) of each; the pieces of what remains are kept as they are.
    """
    texts, cuts = [text], [pieces]
    for index in range(len(pieces)):
        rest, kept = _without(text, pieces, index)
        texts.append(rest)
        cuts.append(kept)
    roles, avoid, heads = _answers(network, texts, cuts)
    count = len(pieces)
    lost = torch.zeros(count)
    for index in range(count):
        others = [place for place in range(count) if place != index]
        own = 1 - roles[0, index, 0] + (1 - heads[0, :, index, index]).sum()
        own += heads[0][:, others, index].sum()
        moved = (roles[0, others] - roles[index + 1, : count - 1]).abs().sum() / 2
        moved += (avoid[0, others] - avoid[index + 1, : count - 1]).abs().sum()
        before = heads[0][:, others]
        # a row that paid attention to the word has to pay it elsewhere now: that much is no news
        left = (before[:, :, others] - heads[index + 1, :, : count - 1, : count - 1]).abs().sum()
        moved += (left - before[:, :, index].sum()) / 2
        lost[index] = own + ELSEWHERE * moved
    return lost


def occlusion_weights(network: LanguageNetwork, text: str, pieces: list[tuple[int, int]]) -> Tensor:
    """Return the weight of each piece, (T,) 0..1: sqrt(D_i / max_j D_j)."""
    return _weights(losses_without(network, text, pieces))


def _without(text: str, pieces: list[tuple[int, int]], index: int) -> tuple[str, list[tuple[int, int]]]:
    start, end = pieces[index]
    if end < len(text) and text[end].isspace() and (start == 0 or text[start - 1].isspace()):
        end += 1  # not two spaces
    shift = end - start
    return text[:start] + text[end:], [
        (a - shift, b - shift) if a >= end else (a, b)
        for place, (a, b) in enumerate(pieces)
        if place != index
    ]


def _answers(
    network: LanguageNetwork, texts: list[str], cuts: list[list[tuple[int, int]]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return, a text: role probabilities of each piece (outside first), chance of avoid, named heads."""
    size, length, count = len(texts), max(map(len, texts)), max(map(len, cuts))
    characters = torch.zeros(size, length, 6, dtype=torch.long)
    bounds = torch.full((size, count, 2), -1)
    piece = torch.zeros(size, length, dtype=torch.long)
    for index, (text, cut) in enumerate(zip(texts, cuts, strict=False)):
        if cut:
            characters[index, : len(text)] = torch.from_numpy(encode(text))
            bounds[index, : len(cut)], piece[index, : len(text)] = piece_tensors(cut, len(text))
    real = characters[..., 0] > 0
    answer = network(network.characters(characters), real, bounds, piece)
    chances = answer.labels.softmax(-1)
    by_role = torch.cat((chances[..., :1], chances[..., 1:].unflatten(-1, (len(ROLES), 2)).sum(-1)), -1)
    roles, avoid = torch.zeros(size, count, 1 + len(ROLES)), torch.zeros(size, count)
    for index, cut in enumerate(cuts):
        for place, (start, end) in enumerate(cut):
            roles[index, place] = by_role[index, start:end].mean(0)
            avoid[index, place] = answer.avoid[index, start:end].sigmoid().mean()
    return roles, avoid, answer.attention[:, : len(HEADS)]


def weighed_words(network: LanguageNetwork, text: str, pieces: list[tuple[int, int]]) -> Tensor:
    """Return what the weight output sees of each piece, (T, channels)."""
    kept: list[Tensor] = []
    hook = network.weigh.register_forward_hook(
        lambda module, inputs, output: kept.append(inputs[0][0].clone())
    )
    characters = torch.from_numpy(encode(text)).unsqueeze(0)
    bounds, piece = piece_tensors(pieces, len(text))
    with torch.no_grad():
        network(
            network.characters(characters), characters[..., 0] > 0, bounds.unsqueeze(0), piece.unsqueeze(0)
        )
    hook.remove()
    return kept[0]


def teach(network: LanguageNetwork, count: int, seed: int) -> dict[str, float]:
    """Train the weight output on ``count`` commands; return how well it does on others."""
    network.eval()
    torch.manual_seed(seed)
    rows = [
        row
        for row in islice(samples(seed, negatives_too=False), count * 2)
        if 2 < len(row.pieces) <= MOST_WORDS
    ][:count]
    seen, lost = [], []
    for row in tqdm(rows, unit='command', disable=None):
        lost.append(losses_without(network, row.text, row.pieces).clone())
        seen.append(weighed_words(network, row.text, row.pieces))
    split = len(rows) - len(rows) // 10
    x, y = torch.cat(seen[:split]), torch.cat(lost[:split]).sqrt()
    optimizer = torch.optim.AdamW(network.weigh.parameters(), lr=3e-3)
    steps = 150 * (len(x) // 512 + 1)
    order = random.Random(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group['lr'] = 3e-3 * (1 - step / steps)
        part = torch.tensor(order.sample(range(len(x)), k=min(512, len(x))))
        loss = functional.mse_loss((network.weigh(x[part]).squeeze(-1) + 1e-6).sqrt(), y[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        given = torch.cat([_weights(network.weigh(part).squeeze(-1)) for part in seen[split:]])
    true = torch.cat([_weights(part) for part in lost[split:]])
    correlation = torch.corrcoef(torch.stack((given, true)))[0, 1]
    return {
        'commands': len(rows),
        'words': len(true),
        'mean_error': round(float((given - true).abs().mean()), 4),
        'correlation': round(float(correlation), 4),
    }


def _weights(lost: Tensor) -> Tensor:
    return (lost / lost.max().clamp(min=1e-6)).sqrt()


def main() -> None:
    """Teach, write the weights back, and note how close the output comes."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument('--count', type=int, default=1200)
    options.add_argument('--seed', type=int, default=5)
    options.add_argument('--weights', default=str(WEIGHTS))
    given = options.parse_args()
    torch.set_num_threads(1)
    network = LanguageNetwork()
    network.load_state_dict(load_file(given.weights))
    figures = teach(network, given.count, given.seed)
    save(network, given.weights)
    print(json.dumps(figures))
    (RESULTS / 'word_weights.json').write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
