"""Train and test one readout: the same examples, steps and learning rates for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.effect.features import Asked, Example
from training.effect.model import Chooser

BATCH = 4               # scenes a step
LEARNING_RATE = 2e-3
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
            losses = [_loss(model, examples[index], numbers[index]) for index in order[start:start + BATCH]]
            loss = torch.stack(losses).mean()
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
        best = model(example.cells, example.boxes, encode(example.asked, words)).argmax(1).tolist()
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


def _loss(model: Chooser, example: Example, words: Tensor) -> Tensor:
    targets = torch.tensor([asked.target for asked in example.asked])
    return functional.cross_entropy(model(example.cells, example.boxes, words), targets)
