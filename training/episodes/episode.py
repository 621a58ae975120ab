"""An episode as data: frames with their times, phases, events and where the objects are."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.episodes.camera import Camera
from training.episodes.drawn import DrawnScene
from training.episodes.script import Script, State, write_script


@dataclass(frozen=True)
class Frame:
    """One frame of an episode and what is true of it.

    ``phase`` one of the six, None where deliberately unlabelled; ``contact`` the tool holds or pushes;
    ``tip`` of the tool, ``target`` and ``destination`` (x, y) in shares of the image's width and height.
    """

    time: float
    image: np.ndarray
    phase: str | None
    contact: bool
    tip: tuple[float, float]
    target: tuple[float, float]
    destination: tuple[float, float]


@dataclass(frozen=True)
class Episode:
    """What is known of an episode as a whole; ``events`` are (time, name) in the time of the frames."""

    name: str
    task: str
    events: tuple[tuple[float, str], ...]
    frames: Iterator[Frame]


def frame_times(rng: np.random.Generator, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """Return when frames are seen and which moment of the scene each shows.

    What is left of cameras of 3.75 to 30 Hz when a frame that comes within a tick is not looked at: 3.3 to
    6.5 Hz, jitter, lost frames, and the repeats that come of resampling.
    """
    rate = float(rng.choice([3.3, 3.75, 5.0, 5.0, 5.0, 5.0, 6.0, 6.5]))
    times = np.arange(0.0, duration, 1 / rate)
    if rng.random() < 0.3:
        times = np.sort(times + rng.normal(0, 0.1 / rate, len(times)))
        times -= times[0]
    if rng.random() < 0.3:
        times = times[(rng.random(len(times)) > 0.05) | (times == 0)]
    shown = times
    if rng.random() < 0.35:
        step = rng.uniform(0.06, 0.35)
        shown = np.floor(times / step) * step
    return times, np.clip(shown, 0, duration - 1e-3)


def crop_start(rng: np.random.Generator, script: Script) -> float:
    """Return where the camera starts to run: mostly at the start or in the approach, else in the middle."""
    kind = rng.random()
    if kind < 0.6:
        return 0.0
    if kind > 0.9:
        return float(rng.uniform(0, 0.6) * script.duration)
    early = 0.0
    for segment in script.segments:
        if segment.phase not in ('idle', 'approach'):
            break
        early += segment.duration
    return float(rng.uniform(0, early))


def drawn_episode(
    seed: int, photos: Sequence[Path] = (), cutouts: Sequence[np.ndarray] = (), *, slow: bool = False
) -> Episode:
    """Make the drawn episode of a seed, half a minute to a minute and a half long where ``slow``."""
    rng = np.random.default_rng(seed)
    human = bool(rng.random() < 0.4) and not slow
    # seconds; long ones are few: they cost the most
    shortest, longest = 0, 22 if rng.random() < 0.7 else 40
    if slow:
        shortest, longest = 30, 90
    while True:
        script = write_script(rng, fast=human, slow=slow)
        if shortest < script.duration < longest:
            break
    scene = DrawnScene(rng, script, human=human, photos=photos, cutouts=cutouts)
    begin = crop_start(rng, script)
    times, shown = frame_times(rng, script.duration - begin)
    states = script.play(np.maximum.accumulate(shown + begin))
    events = tuple((time - begin, name) for time, name in script.events if time > begin)
    return Episode(f'drawn_{seed}', script.task, events, _frames(scene, times, shown + begin, states))


def _share(camera: Camera, point: np.ndarray, inner: tuple[int, int]) -> tuple[float, float]:
    pixel = camera.project(point)[0][0] - (np.array(camera.size) - inner) / 2
    return float(pixel[0] / inner[0]), float(pixel[1] / inner[1])


def _frames(
    scene: DrawnScene, times: np.ndarray, shown: np.ndarray, states: Sequence[State]
) -> Iterator[Frame]:
    before = 0.0
    picture, last = None, math.nan
    for time, at, state in zip(times, shown, states, strict=True):
        if picture is None or at != last:
            picture = scene.draw(float(at), float(time - before), state)
        before, last = float(time), at
        index = max(state.held, 0)
        yield Frame(
            float(time),
            picture,
            state.phase,
            state.contact,
            _share(scene.camera, state.tool, scene.inner),
            _share(scene.camera, state.objects[index], scene.inner),
            _share(scene.camera, scene.script.destination, scene.inner),
        )


def load_cutouts(folder: Path, split: str = 'train', limit: int = 600) -> tuple[list[Path], list[np.ndarray]]:
    """Return photographs for backgrounds, and things cut out of them along their boxes.

    :param split: 'train', or 'val' for held-out episodes.
    :param folder: with ``images/`` and ``labels.jsonl`` (lines of {"image", "split", "objects": [{"box"}]}).
    """
    photos, cutouts = [], []
    lines = [json.loads(line) for line in (folder / 'labels.jsonl').read_text(encoding='utf-8').splitlines()]
    np.random.default_rng(0).shuffle(lines)
    for line in lines:
        if line.get('split') != split:
            continue
        path = folder / line['image']
        photos.append(path)
        boxes = [thing['box'] for thing in line['objects'] if thing.get('box')]
        if not boxes or len(cutouts) >= limit:
            continue
        image = cv2.imread(str(path))
        x0, y0, x1, y1 = (round(value) for value in boxes[0])
        patch = image[max(y0, 0) : y1, max(x0, 0) : x1]
        if min(patch.shape[:2]) >= 24:
            scale = 64 / max(patch.shape[:2])
            patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            cutouts.append(cv2.cvtColor(patch, cv2.COLOR_BGR2RGB))
    return photos, cutouts
