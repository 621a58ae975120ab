"""A stream looked at now and then: are regions as right as where every image is looked at, at which cost.

A camera swings around generated tables, and one thing slides over each. ``alone``: every image is looked at
by itself. ``remembered``: every image is looked at, near looks at what has not changed are left out
(``relooks`` as in attention_node). ``followed``: one image in ``--every`` is looked at, its answer is there
``--late`` images later, and is carried over to the images that come (``look_every``); ``lost`` is the share
of these in which it could not be, which attention_node then looks at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from vla_attention.focus import FocusRegion, Follower
from vla_attention.grounding import make_backend
from vla_attention.grounding.proposals import iou
from vla_attention.pipeline import Pipeline

FIRST_SEED = 2_000_000      # no training set begins near here
RATE = 30.0
PHRASES = 2                 # of each sequence, whose thing is in view

Regions = Sequence[FocusRegion]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--sequences', type=int, default=8, help='tables (default: 8)')
    parser.add_argument('--sequence-seconds', type=float, default=1.5,
                        help='of each, at 30 Hz (default: 1.5)')
    parser.add_argument('--every', type=int, default=6, help='images from one look to the next (default: 6)')
    parser.add_argument('--late', type=int, default=3, help='images that a look takes (default: 3)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure; a row a way to answer a stream."""
    alone = Pipeline(make_backend(), presence_threshold=0.0, max_regions=1)
    remembered = Pipeline(make_backend(relooks=1), presence_threshold=0.0, max_regions=1)
    found: dict[str, list[tuple[bool, float, float]]] = {'alone': [], 'remembered': [], 'followed': []}
    lost = carried = 0
    for images, phrase, boxes in tqdm(_sequences(options), desc='following', disable=None):
        look, again = (_looking(pipeline, phrase) for pipeline in (alone, remembered))
        looked = [_timed(look, image) for image in images]
        ways = {'alone': looked, 'remembered': [_timed(again, image) for image in images]}
        followed: list[tuple[Regions | None, float]] = []
        follower, begun = Follower(images[0], looked[0][0] or ()), 0
        for number, image in enumerate(images):
            last = max(0, (number - options.late) // options.every * options.every)
            if last != begun:
                follower, begun = Follower(images[last], looked[last][0] or ()), last
            followed.append(_timed(follower.move, image))
        carried += len(followed)
        lost += sum(regions is None for regions, _ in followed)
        ways['followed'] = [(seen if regions is None else regions, seconds) for (regions, seconds), (seen, _)
                            in zip(followed, looked, strict=True)]
        for name, answers in ways.items():
            found[name] += [_judge(regions or (), box, seconds) for (regions, seconds), box
                            in zip(answers, boxes, strict=True) if box is not None]
    rows = [{'stream': name, 'images': len(judged), 'pointing': float(np.mean([hit for hit, *_ in judged])),
             'IoU': float(np.mean([share for _, share, _ in judged])),
             'ms p50': float(np.median([seconds for *_, seconds in judged])) * 1e3,
             'lost': lost / carried if name == 'followed' else None} for name, judged in found.items()]
    return {'rows': rows, 'every': options.every, 'late': options.late, 'rate_hz': RATE}


def _sequences(options: argparse.Namespace
               ) -> Iterator[tuple[list[np.ndarray], str, list[tuple[int, ...] | None]]]:
    """Yield (images, phrase, the box of its thing in each image or None where it is not in the picture)."""
    from training.scenes.player import play
    for seed in range(FIRST_SEED, FIRST_SEED + options.sequences):
        scenes = [scene for _, scene in play(seed, size=(640, 480), rate_hz=RATE, split='test', moving=True,
                                             seconds=options.sequence_seconds)]
        images = [scene.image for scene in scenes]
        named = [phrase for phrase in scenes[0].phrases if phrase.target_id]
        for phrase in named[:PHRASES]:
            boxes = [scene.box_of(phrase.target_id) for scene in scenes]
            yield images, phrase.text_en, boxes


def _looking(pipeline: Pipeline, phrase: str) -> Callable[[np.ndarray], Regions]:
    query = pipeline.instruct(f'pick up {phrase}')
    return lambda image: pipeline.look(image, query).regions


def _timed(answer: Callable[[np.ndarray], Regions | None], image: np.ndarray) -> tuple[Regions | None, float]:
    began = time.perf_counter()
    regions = answer(image)
    return regions, time.perf_counter() - began


def _judge(regions: Regions, box: tuple[int, ...], seconds: float) -> tuple[bool, float, float]:
    if not regions:
        return False, 0.0, seconds
    (x, y), (x0, y0, x1, y1) = regions[0].point, box
    return (x0 <= x <= x1 and y0 <= y <= y1,
            float(iou(np.array(regions[0].box), np.array(box, float)[None])[0]), seconds)
