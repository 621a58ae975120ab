"""A stream looked at five times a second: is the thing that is chosen the same from look to look, and right.

A camera swings around generated tables, and one thing slides over each. Each image is answered by itself
(``steadiness: 0``), and with what was seen in those before (as attention_node does). ``jumps`` is the share
of looks whose region is another than in the look before (IoU below 0.1), ``toggles`` of those in which a
thing comes into view or leaves it; ``absent`` is how often something is answered for a thing that is not
there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from vla_attention.grounding import AttentionMaps, make_backend
from vla_attention.grounding.proposals import iou
from vla_attention.grounding.steady_choice import SteadyChoice

FIRST_SEED = 2_100_000      # no training set begins near here
RATE = 5.0
PHRASES, ABSENT = 6, 2      # of each table: of things in view, and of things that are not
IN_VIEW = 0.5

Boxes = Sequence[tuple[int, ...] | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--sequences', type=int, default=20, help='tables (default: 20)')
    parser.add_argument('--sequence-seconds', type=float, default=3.0,
                        help='of each, at 5 Hz (default: 3.0)')
    parser.add_argument('--steadiness', type=float, default=0.5, help='seconds (default: 0.5)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure; a row a way to answer a stream."""
    ways = {0.0: _Tally(), options.steadiness: _Tally()}
    for looks, truth in tqdm(_sequences(options), desc='steadiness', disable=None):
        for constant, tally in ways.items():
            steady = SteadyChoice()
            tally.take([steady.update(maps, number / RATE, constant) for number, maps in enumerate(looks)],
                       truth)
    return {'rows': [{'steadiness (s)': constant, **tally.row()} for constant, tally in ways.items()],
            'rate_hz': RATE, 'sequences': options.sequences}


class _Tally:
    def __init__(self) -> None:
        self.points: list[bool] = []
        self.overlaps: list[float] = []
        self.jumps: list[bool] = []
        self.toggles: list[bool] = []
        self.absent: list[bool] = []

    def take(self, looks: list[AttentionMaps], truth: list[Boxes | None]) -> None:
        for index, boxes in enumerate(truth):
            before: tuple[np.ndarray | None, bool] | None = None
            for number, maps in enumerate(looks):
                found = maps.boxes[index][0, :4] if len(maps.boxes[index]) else None
                there = bool(maps.presence[index] >= IN_VIEW)
                if boxes is None:
                    self.absent.append(there)
                elif (box := boxes[number]) is not None:
                    self._judge(found, np.array(box, float))
                if before is not None:
                    same = found is None or before[0] is None or float(iou(found, before[0][None])[0]) >= 0.1
                    self.jumps.append(not same)
                    self.toggles.append(there != before[1])
                before = (found, there)

    def _judge(self, found: np.ndarray | None, box: np.ndarray) -> None:
        if found is None:
            self.points.append(False)
            self.overlaps.append(0.0)
            return
        middle = (found[:2] + found[2:]) / 2
        self.points.append(bool((box[:2] <= middle).all() and (middle <= box[2:]).all()))
        self.overlaps.append(float(iou(found, box[None])[0]))

    def row(self) -> dict[str, Any]:
        overlaps = np.array(self.overlaps)
        return {'looks': len(self.points), 'pointing': float(np.mean(self.points)),
                'IoU >= 0.5': float((overlaps >= 0.5).mean()), 'jumps': float(np.mean(self.jumps)),
                'toggles': float(np.mean(self.toggles)), 'absent': float(np.mean(self.absent))}


def _sequences(options: argparse.Namespace) -> Iterator[tuple[list[AttentionMaps], list[Boxes | None]]]:
    """Yield the looks at a sequence, and of each phrase the boxes of its thing, None where it has none."""
    from training.scenes.player import play
    backend = make_backend()
    for seed in range(FIRST_SEED, FIRST_SEED + options.sequences):
        scenes = [scene for _, scene in play(seed, size=(320, 240), rate_hz=RATE, split='test', moving=True,
                                             seconds=options.sequence_seconds)]
        asked = scenes[0].phrases
        named = ([phrase for phrase in asked if phrase.target_id][:PHRASES]
                 + [phrase for phrase in asked if not phrase.target_id][:ABSENT])
        encoded = backend.encode([phrase.text_en for phrase in named])
        truth: list[Boxes | None] = [
            [scene.box_of(phrase.target_id) for scene in scenes] if phrase.target_id else None
            for phrase in named]
        yield [backend.attend(scene.image, encoded) for scene in scenes], truth
