"""Train and test one readout: the same examples, steps and learning rates for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from training.effect.features import Asked, Example
from training.effect.model import Chooser

BATCH = 4               # scenes a step
LEARNING_RATE = 2e-3
NOTHING = -100          # target of a phrase that only fills a batch up
CROWDED, SIMPLE = 7, 4  # at least, at most so many things in view
LONG, SHORT = 5, 3      # at least, at most so many words


@dataclass(frozen=True)
class Choice:
    """One phrase of the test scenes: whether it was answered rightly, and what kind of question it was."""

    right: bool
    chance: float
    things: int
    asked: Asked


def train(readout: str, examples: Sequence[Example], words: dict[str, int], *, epochs: int,
          seed: int) -> tuple[Chooser, float]:
    """Train a readout with AdamW and a one-cycle rate on cross-entropy over the candidates.

    :return: the model and the seconds that it took.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Chooser(readout, len(words) + 2).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    steps = epochs * (len(examples) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    numbers = [encode(example.asked, words) for example in examples]
    begin = time.process_time()
    for _ in range(epochs):
        order = rng.permutation(len(examples))
        for start in range(0, len(examples) // BATCH * BATCH, BATCH):
            batch = order[start:start + BATCH]
            loss = _loss(model, [examples[index] for index in batch], [numbers[index] for index in batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            rate.step()
    return model.eval(), time.process_time() - begin


@torch.no_grad()
def test(model: Chooser, examples: Sequence[Example], words: dict[str, int]) -> list[Choice]:
    """Answer every phrase."""
    choices = []
    for example in examples:
        best = model(*stack([example], [encode(example.asked, words)])).argmax(-1)[0].tolist()
        count = len(example.boxes)
        choices += [Choice(answer == asked.target, 1 / count, count, asked)
                    for answer, asked in zip(best, example.asked, strict=True)]
    return choices


def encode(asked: Sequence[Asked], words: dict[str, int], most: int = 16) -> Tensor:
    """Return the words' numbers, (P, W) int64, padded with 0; a word never seen is 1."""
    length = min(most, max(len(entry.words) for entry in asked))
    numbers = torch.zeros(len(asked), length, dtype=torch.int64)
    for row, entry in enumerate(asked):
        for column, word in enumerate(entry.words[:length]):
            numbers[row, column] = words.get(word, 1)
    return numbers


def stack(examples: Sequence[Example], words: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return cells, boxes, which of those are, and words of scenes as one batch, filled up with zeros."""
    boxes = pad_sequence([example.boxes for example in examples], batch_first=True)
    counts = torch.tensor([len(example.boxes) for example in examples])
    phrases, longest = max(len(each) for each in words), max(each.shape[1] for each in words)
    numbers = torch.zeros(len(words), phrases, longest, dtype=torch.int64)
    for filled, given in zip(numbers, words, strict=True):
        filled[:len(given), :given.shape[1]] = given
    return (torch.stack([example.cells for example in examples]).float(), boxes,
            torch.arange(boxes.shape[1]) < counts[:, None], numbers)


def _loss(model: Chooser, examples: Sequence[Example], words: Sequence[Tensor]) -> Tensor:
    scores = model(*stack(examples, words))
    targets = torch.full(scores.shape[:2], NOTHING)
    for row, example in zip(targets, examples, strict=True):
        row[:len(example.asked)] = torch.tensor([asked.target for asked in example.asked])
    return functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=NOTHING)
