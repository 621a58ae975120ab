"""Turns episodes into tokens and labels, saved in shards so that a stopped run goes on where it was.

python -m training.moments.dataset --photos FOLDER --kind drawn --train 1000 --held-out 60
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.episodes.episode import Episode, drawn_episode, load_cutouts
from vla_attention.moments.cues import ATTENTION_GRID, Token, make_token
from vla_attention.moments.moment import PHASES
from vla_attention.moments.moment_attention import TICK_SECONDS
from vla_attention.moments.motion import MotionTracker

CACHE = Path(__file__).parent / 'cache'
HELD_OUT_SEED = 1_000_000
NEAR_SECONDS = 0.35  # scale on which nearness falls off on both sides of a grasp or a release


FIELDS = ('maps', 'dt', 'camera', 'aspect', 'attention', 'times', 'phases', 'nearness', 'tips')


@dataclass(frozen=True)
class Sequence:
    """The tokens of one episode (T ticks) and its labels.

    ``maps`` (T, 12, 24, 32), ``attention`` (T, 2, 12, 16) uint8, ``dt``, ``camera``, ``times`` (T,),
    ``aspect`` (2,), ``phases`` (T,) int64 (-1: unlabelled), ``nearness`` (T,) float32, ``tips`` (T, 2)
    float32 where the tool is in shares of the image, ``events`` (time, name).
    """

    name: str
    task: str
    maps: np.ndarray
    dt: np.ndarray
    camera: np.ndarray
    aspect: np.ndarray
    attention: np.ndarray
    times: np.ndarray
    phases: np.ndarray
    nearness: np.ndarray
    tips: np.ndarray
    events: tuple[tuple[float, str], ...]

    def tokens(self) -> Iterator[Token]:
        """Yield the ticks as the live class sees them."""
        aspect = (float(self.aspect[0]), float(self.aspect[1]))
        for index, time in enumerate(self.times.tolist()):
            yield Token(time, float(self.dt[index]), self.maps[index], float(self.camera[index]), aspect,
                        self.attention[index])


def simulated_attention(rng: np.random.Generator, place: tuple[float, float], width: float) -> np.ndarray:
    """Return what grounding might say of a thing at ``place``: a blob, a bit off, with false ones besides."""
    rows, columns = ATTENTION_GRID
    ys, xs = (np.mgrid[:rows, :columns] + 0.5) / np.array([rows, columns]).reshape(2, 1, 1)
    blob = np.zeros(ATTENTION_GRID)
    for _ in range(1 + (rng.random() < 0.15)):
        x, y = np.array(place) + rng.normal(0, 0.02, 2)
        blob = np.maximum(blob, np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * width * width)))
        place = tuple(rng.random(2))
    blob = blob * rng.uniform(0.6, 1.0) + rng.normal(0, 0.03, ATTENTION_GRID)
    return np.clip(blob, 0, 1).astype(np.float32)


def tokenize(episode: Episode, rng: np.random.Generator, *, instruction_share: float = 0.4) -> Sequence:
    """Run the causal cues over the frames of an episode, at the ticks that the live class would take."""
    tracker = MotionTracker()
    known = rng.random() < instruction_share
    width = rng.uniform(0.04, 0.1)
    tokens, phases, tips, tick = [], [], [], -math.inf
    for frame in episode.frames:
        if frame.time - tick < TICK_SECONDS:
            continue
        tick = frame.time
        target = simulated_attention(rng, frame.target, width) if known else None
        destination = simulated_attention(rng, frame.destination, width) if known else None
        tokens.append(make_token(tracker.update(frame.time, frame.image), target, destination))
        tips.append(frame.tip)
        phases.append(-1 if frame.phase is None else PHASES.index(frame.phase))
    times = np.array([token.time for token in tokens])
    nearness = np.zeros(len(times), np.float32)
    for when, name in episode.events:
        if name in ('grasp', 'release'):
            nearness = np.maximum(nearness, np.exp(-np.abs(times - when) / NEAR_SECONDS)).astype(np.float32)
    return Sequence(
        episode.name,
        episode.task,
        np.stack([token.maps for token in tokens]),
        np.array([token.dt for token in tokens], np.float32),
        np.array([token.camera for token in tokens], np.float32),
        np.array(tokens[0].aspect),
        np.stack([token.attention for token in tokens]),
        times,
        np.array(phases, np.int64),
        nearness,
        np.array(tips, np.float32),
        episode.events,
    )


def save_shard(path: Path, sequences: Iterable[Sequence]) -> None:
    """Write sequences to one file, whole or not at all."""
    arrays = {}
    for number, sequence in enumerate(sequences):
        for field in FIELDS:
            arrays[f'{number}/{field}'] = getattr(sequence, field)
        arrays[f'{number}/name'] = np.array([sequence.name, sequence.task])
        arrays[f'{number}/event_times'] = np.array([time for time, _ in sequence.events], np.float64)
        arrays[f'{number}/event_names'] = np.array([name for _, name in sequence.events], 'U10')
    partial = path.with_suffix('.partial.npz')
    np.savez_compressed(partial, **arrays)
    partial.rename(path)


def load_shards(pattern: str, folder: Path = CACHE, known: set[Path] | None = None) -> list[Sequence]:
    """Read the sequences of all shards whose names match and that are not ``known``; they are then."""
    sequences = []
    known = set() if known is None else known
    for path in sorted(folder.glob(pattern)):
        if '.partial' in path.name or path in known:
            continue
        known.add(path)
        with np.load(path) as data:
            numbers = sorted({int(key.split('/')[0]) for key in data.files})
            for number in numbers:
                fields = [data[f'{number}/{field}'] for field in FIELDS]
                name, task = data[f'{number}/name']
                events = tuple(
                    zip(
                        data[f'{number}/event_times'].tolist(),
                        data[f'{number}/event_names'].tolist(),
                        strict=True,
                    )
                )
                sequences.append(Sequence(str(name), str(task), *fields, events))
    return sequences


def build(kind: str, first_seed: int, count: int, photos: Path | None, shard: int = 20) -> None:
    """Build the shards of one kind of episode that are not there yet."""
    CACHE.mkdir(exist_ok=True)
    held_out = first_seed >= HELD_OUT_SEED
    material = load_cutouts(photos, 'val' if held_out else 'train') if photos is not None else ([], [])
    for start in range(first_seed, first_seed + count, shard):
        path = CACHE / f'{"held" if held_out else "train"}_{kind}_{start:07d}.npz'
        if path.exists():
            continue
        sequences = []
        for seed in range(start, min(start + shard, first_seed + count)):
            if kind in ('drawn', 'slow'):
                episode = drawn_episode(seed, *material, slow=kind == 'slow')
            else:
                from training.episodes.bullet import bullet_episode

                episode = bullet_episode(seed, held_out=held_out, photos=material[0])
            sequences.append(tokenize(episode, np.random.default_rng(seed + 7)))
        save_shard(path, sequences)
        print(f'{path.name}: {sum(len(sequence.times) for sequence in sequences)} ticks', flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Build what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--photos', type=Path, help='folder with images/ and labels.jsonl; none: plain colours'
    )
    parser.add_argument('--kind', choices=('drawn', 'slow', 'bullet'), default='drawn')
    parser.add_argument('--train', type=int, default=0, metavar='N')
    parser.add_argument('--held-out', type=int, default=0, metavar='N')
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    build(options.kind, HELD_OUT_SEED, options.held_out, options.photos)
    build(options.kind, 0, options.train, options.photos)


if __name__ == '__main__':
    main(sys.argv[1:])
