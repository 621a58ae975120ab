"""Moments: phases, importance and events on held-out episodes and on annotated clips of real arms and hands.

Frames go one by one through the class that the nodes and ``watch`` use. Held out are the seeds, the
photographs and cut-outs of the drawn episodes, and the KUKA of the simulated ones. Clips are a folder with
``annotations.json`` ({"clips": [{"clip", "fps", "phases": [{"phase", "from", "to"}], "moments": [{"event",
"frame"}]}]}) and a folder of frames a clip. The baseline is a state machine over the speed of the tip.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from training.episodes.episode import Episode, drawn_episode, load_cutouts
from training.moments.measure import MATCHED_SECONDS, Tally
from vla_attention.frames import open_frames
from vla_attention.moments import PHASES, MomentAttention
from vla_attention.moments.estimate import RuleEstimator

SHARED = Path(__file__).parents[2] / 'shared'
TEST_SEED = 2_000_000    # neither trained on nor used to choose among weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--episodes', type=int, default=40, help='held-out drawn episodes (default: 40)')
    parser.add_argument('--simulated', type=int, default=12, help='held-out PyBullet episodes (default: 12)')
    parser.add_argument(
        '--photos',
        type=Path,
        default=SHARED / 'training_photos',
        help='photographs for the drawn episodes; without them they have plain backgrounds',
    )
    parser.add_argument('--clips', type=Path, default=SHARED / 'real_clips', help='folder of annotated clips')


@dataclass
class Clip:
    """Frames with their true phases (-1: not labelled) and events, in seconds."""

    name: str
    frames: list[tuple[float, np.ndarray]]
    phases: list[int]
    events: list[tuple[float, str]]


def from_episode(episode: Episode) -> Clip:
    """Take an episode as a clip."""
    frames, phases = [], []
    for frame in episode.frames:
        frames.append((frame.time, frame.image))
        phases.append(-1 if frame.phase is None else PHASES.index(frame.phase))
    return Clip(episode.name, frames, phases, list(episode.events))


def drawn(count: int, photos: Path) -> Iterator[Clip]:
    """Make the held-out drawn episodes."""
    material = load_cutouts(photos, 'val') if photos.exists() else ([], [])
    for seed in range(TEST_SEED, TEST_SEED + count):
        yield from_episode(drawn_episode(seed, *material))


def simulated(count: int, photos: Path, arm: str) -> Iterator[Clip]:
    """Make the held-out simulated episodes of one arm."""
    from training.episodes.bullet import bullet_episode

    material = load_cutouts(photos, 'val', limit=0)[0] if photos.exists() else []
    for seed in range(TEST_SEED, TEST_SEED + count):
        if (seed % 2 == 1) == (arm == 'kuka'):
            yield from_episode(bullet_episode(seed, held_out=True, photos=material))


def annotated(folder: Path) -> Iterator[Clip]:
    """Read annotated clips."""
    data = json.loads((folder / 'annotations.json').read_text(encoding='utf-8'))
    for clip in data['clips']:
        frames = list(open_frames(folder / clip['clip'], clip['fps']))
        phases = [-1] * len(frames)
        for interval in clip['phases']:
            for index in range(interval['from'], interval['to'] + 1):
                phases[index] = PHASES.index(interval['phase'])
        events = [(moment['frame'] / clip['fps'], moment['event']) for moment in clip['moments']]
        yield Clip(clip['clip'], frames, phases, events)


def peaks(importance: list[float]) -> list[int]:
    """Return the local maxima above 0.5, two frames to either side; of a level stretch its first frame."""
    return [
        index
        for index, value in enumerate(importance)
        if value > 0.5
        and value == max(importance[max(0, index - 2) : index + 3])
        and (index == 0 or importance[index - 1] < value)
    ]


class Measured:
    """What one estimator does on one kind of clips."""

    def __init__(self, attention: MomentAttention) -> None:
        self.attention = attention
        self.tally = Tally(len(PHASES))
        self.moments = self.found = self.peaks = 0
        self.clips: dict[str, float] = {}

    def add(self, clip: Clip) -> None:
        """Watch one clip."""
        self.attention.reset()
        moments = [self.attention.update(time, image) for time, image in clip.frames]
        said = [PHASES.index(moment.phase) for moment in moments]
        events = [(moment.time, event) for moment in moments for event in moment.events]
        self.tally.add(said, clip.phases, events, clip.events, clip.frames[-1][0])
        high = [moments[index].time for index in peaks([moment.importance for moment in moments])]
        self.peaks += len(high)
        for when, name in clip.events:
            if name in ('grasp', 'release'):
                self.moments += 1
                self.found += any(abs(time - when) <= MATCHED_SECONDS for time in high)
        labelled = [one == other for one, other in zip(said, clip.phases, strict=True) if other >= 0]
        self.clips[clip.name] = float(np.mean(labelled)) if labelled else float('nan')

    def row(self, data: str, estimator: str) -> dict[str, Any]:
        """Return the row of the table."""
        return {
            'data': data,
            'estimator': estimator,
            'clips': len(self.clips),
            'frames': int(self.tally.confusion.sum()),
            **self.tally.results(),
            'moments_found': self.found / max(self.moments, 1),
            'peaks_per_moment': self.peaks / max(self.moments, 1),
        }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure; the rows are for the table, confusion matrices and the worst clips come besides."""
    sources: dict[str, Iterator[Clip]] = {}
    if options.episodes:
        sources['drawn, held out'] = drawn(options.episodes, options.photos)
    if options.simulated and find_spec('pybullet') is not None:
        sources['Panda, held-out scenes'] = simulated(options.simulated, options.photos, 'panda')
        sources['KUKA, never trained on'] = simulated(options.simulated, options.photos, 'kuka')
    if options.clips.exists():
        sources['real clips'] = annotated(options.clips)
    result: dict[str, Any] = {'rows': [], 'phases': list(PHASES), 'confusion': {}, 'accuracy_of_clips': {}}
    for data, clips in sources.items():
        estimators = {
            'attention': Measured(MomentAttention()),
            'rule': Measured(MomentAttention(estimator=RuleEstimator())),
        }
        for clip in clips:
            for measured in estimators.values():
                measured.add(clip)
        for name, measured in estimators.items():
            result['rows'].append(measured.row(data, name))
        best = estimators['attention']
        result['confusion'][data] = best.tally.confusion.tolist()  # rows: true, columns: said
        result['accuracy_of_clips'][data] = {
            clip: round(value, 3) for clip, value in sorted(best.clips.items(), key=lambda item: item[1])
        }
    return result
