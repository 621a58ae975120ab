"""Samples without end, and batches of them for the network."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from training.language import english, korean, negatives
from training.language.chooser import Chooser
from training.language.sample import Sample, write
from vla_attention.language.characters import FEATURES, encode
from vla_attention.language.instruction import HEADS

LONGEST = 200  # characters; longer samples are drawn again, so that batches stay small
# batches are padded to multiples of it: making the kernels of each shape takes longer than running them
ROUNDED = 8
SHORT, SHORT_STEPS = 90, 3000  # training begins with short commands: as much to learn, at half the time
NEGATIVE_SHARE = 0.14


@dataclass(frozen=True)
class Batch:
    """Input and answer of B texts, padded to L characters and T pieces."""

    characters: Tensor  # (B, L, FEATURES) int64
    real: Tensor  # (B, L) bool
    bounds: Tensor  # (B, T, 2) int64, -1 pads
    piece: Tensor  # (B, L) int64
    labels: Tensor  # (B, L) int64, -100 pads
    avoid: Tensor  # (B, L) float32
    starts: Tensor  # (B, L) float32
    inner: Tensor  # (B, L) bool: where a cut is a question (inside what is written as one word)
    heads: Tensor  # (B, len(HEADS), T, T) float32, rows sum to 1
    supervised: Tensor  # (B,) bool: the pieces are those of the answer
    kind: Tensor  # (B,) int64


def samples(
    seed: int, *, test: bool = False, noise: bool = True, negatives_too: bool = True
) -> Iterator[Sample]:
    """Yield commands of both languages in turn, for ever.

    :param test: take held-out nouns alone, and at least one held-out template a command.
    :param noise: add misspellings and missing or doubled spaces.
    """
    rng = random.Random(seed)
    choosers = {language: Chooser(rng, language, test=test) for language in ('ko', 'en')}
    makers = {'ko': korean.sentence, 'en': english.sentence}
    while True:
        for language, choose in choosers.items():
            choose.new_templates = 0
            kind = 0
            if negatives_too and choose.chance(NEGATIVE_SHARE):
                how = choose.pick(foreign=3 if language == 'en' else 0, chat=8, nothing=2)
                words, kind = (
                    negatives.foreign(choose)
                    if how == 'foreign'
                    else getattr(negatives, how)(choose, language)
                )
            else:
                words = makers[language](choose)
                while test and not choose.new_templates:
                    words = makers[language](choose)
            sample = write(words, language, kind, rng, noise=noise)
            if len(sample.pieces) > 0 and len(sample.text) <= LONGEST:
                yield sample


def collate(rows: Sequence[Sample], rng: random.Random | None = None, multiple: int = 1) -> Batch:
    """Pad samples to a batch.

    :param rng: where given, some samples are cut into other pieces than the answer's, so that the
        network learns to label characters whose cut went wrong.
    :param multiple: of which lengths are after padding.
    """
    pieces = [list(row.pieces) for row in rows]
    supervised = [True] * len(rows)
    if rng is not None:
        for index, row in enumerate(rows):
            if rng.random() < 0.12:
                pieces[index], supervised[index] = _recut(row, rng), False
    size = len(rows)
    length, count = (-(-each // multiple) * multiple
                     for each in (max(len(row.text) for row in rows), max(map(len, pieces))))
    characters = np.zeros((size, length, FEATURES), np.int64)
    labels = np.full((size, length), -100, np.int64)
    avoid, starts = np.zeros((2, size, length), np.float32)
    inner = np.zeros((size, length), bool)
    bounds = np.full((size, count, 2), -1, np.int64)
    piece = np.zeros((size, length), np.int64)
    heads = np.zeros((size, len(HEADS), count, count), np.float32)
    for index, row in enumerate(rows):
        end = len(row.text)
        characters[index, :end] = encode(row.text)
        labels[index, :end] = row.labels
        avoid[index, :end] = row.avoid
        starts[index, [start for start, _ in row.pieces]] = 1
        spaces = np.array([character.isspace() for character in row.text])
        inner[index, 1:end] = ~spaces[1:] & ~spaces[:-1]
        for place, (start, stop) in enumerate(pieces[index]):
            bounds[index, place] = start, stop - 1
            piece[index, start:] = place
        if supervised[index]:
            for head, name in enumerate(HEADS):
                for query, keys in enumerate(row.heads[name]):
                    heads[index, head, query, keys] = 1 / len(keys)
    return Batch(
        *map(
            torch.from_numpy,
            (
                characters,
                characters[..., 0] > 0,
                bounds,
                piece,
                labels,
                avoid,
                starts,
                inner,
                heads,
                np.array(supervised),
                np.array([row.kind for row in rows], np.int64),
            ),
        )
    )


def _recut(row: Sample, rng: random.Random) -> list[tuple[int, int]]:
    pieces: list[tuple[int, int]] = []
    for start, end in row.pieces:
        if pieces and pieces[-1][1] == start and rng.random() < 0.25:
            pieces[-1] = (pieces[-1][0], end)
        elif end - start > 1 and rng.random() < 0.12:
            middle = rng.randrange(start + 1, end)
            pieces += [(start, middle), (middle, end)]
        else:
            pieces.append((start, end))
    return pieces


def batches(seed: int, size: int, done: int = 0) -> Iterator[Batch]:
    """Yield training batches for ever; samples of like length stand together, so that little is padded.

    :param done: how many steps were trained before.
    """
    rng = random.Random(seed)
    stream = samples(seed)
    while True:
        longest = SHORT if done < SHORT_STEPS else LONGEST
        fitting = (row for row in stream if len(row.text) <= longest)
        pool = sorted(islice(fitting, size * 16), key=lambda row: len(row.text))
        done += 16
        groups = [pool[start : start + size] for start in range(0, len(pool), size)]
        rng.shuffle(groups)
        for group in groups:
            yield collate(group, rng, ROUNDED)
