"""Episodes as the attention over time sees them: what the spatial attention made of each, kept on disk."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.kept import digest, whole
from training.moments.dataset import CACHE, Sequence, load_shards
from vla_attention.moments import action, cues, trajectory
from vla_attention.moments.action import ActionFilter, ActionFinder, look
from vla_attention.moments.trajectory import Trajectory


@dataclass(frozen=True)
class Observed:
    """An episode: ``vectors`` (T, SIZE) float32, ``times`` (T,) in seconds, and its labels."""

    name: str
    vectors: np.ndarray
    times: np.ndarray
    phases: np.ndarray
    nearness: np.ndarray
    events: tuple[tuple[float, str], ...]


def observe(finder: ActionFinder, sequence: Sequence) -> Observed:
    """Run the spatial attention over an episode, as the live class does."""
    follow, read, vectors = ActionFilter(), Trajectory(), []
    logits, features = look(finder, torch.from_numpy(sequence.maps))
    for index, token in enumerate(sequence.tokens()):
        vectors.append(read.read(token, follow.step(logits[index], features[index])).vector)
    return Observed(sequence.name, np.stack(vectors), sequence.times, sequence.phases, sequence.nearness,
                    sequence.events)


def observe_shards(finder: ActionFinder, pattern: str, known: set[Path]) -> list[Observed]:
    """Observe the episodes of the shards that match and are not known yet, one shard in memory at a time.

    What was observed is kept beside the shards, by a digest of all that it depends on.
    """
    folder = CACHE / digest(finder, action, cues, trajectory)
    folder.mkdir(exist_ok=True)
    seen = []
    for path in sorted(CACHE.glob(pattern)):
        if path in known or '.partial' in path.name:
            continue
        known.add(path)
        kept = folder / f'{path.stem}-{digest(path)}.pickle'
        if not kept.exists():
            observed = [observe(finder, sequence) for sequence in load_shards(path.name)]
            with whole(kept) as file:
                file.write_bytes(pickle.dumps(observed))
        seen += pickle.loads(kept.read_bytes())
    return seen
