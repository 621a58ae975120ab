"""Focus: masks, centres, sizes and yaw against rendered truth, purity of clouds, stable ids, milliseconds.

Depth has the noise of a RealSense D435 (0.08 pixel of disparity). Two kinds of scenes: boxes, cylinders
and balls by ray casting, and the scenes of training/scenes with shapes, textures and colours that no training
saw. Two kinds of maps: the truth brought to the patch grid with noise, which measures the focus stage alone,
and with ``--backend`` the maps of a grounding backend for the phrases of the generated scenes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from benchmarks._tabletop import Tabletop, Thing, d435, render
from vla_attention.focus import FocusRegion, Intrinsics, Tracker, find_regions, lift
from vla_attention.focus.confidence import calibration_error, load_confidence
from vla_attention.focus.pose import rotation
from vla_attention.grounding import AttentionMaps

SIZE = (640, 480)
FEWEST = 300        # visible pixels of a thing that is measured
VISIBLE = 0.7       # share of a thing that is seen, of those measured: what is hidden cannot be measured
MATCHED = 0.3       # a region that overlaps a thing by less is not of it
PRESENT = 0.5       # presence below which the pipeline gives no region
ASLANT, FROM_ABOVE = (30, 70), (72, 89)     # degrees between table and line of sight
SQUARE = 1.15       # a footprint whose sides differ by less has no longer side


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--scenes', type=int, default=100, help='ray-cast scenes (default: 100)')
    parser.add_argument('--generated', type=int, default=40, help='generated scenes (default: 40)')
    parser.add_argument('--frames', type=int, default=1500, help='frames of moving cameras (default: 1500)')
    parser.add_argument('--seed', type=int, default=7000, help='first seed of the scenes (default: 7000)')
    parser.add_argument('--backend', default='', help='measure with the maps of this backend too')


@dataclass(frozen=True)
class Sight:
    """One thing in one picture, and what is known of it: ``axes`` are the columns of its box's frame."""

    kind: str
    visible: np.ndarray
    depth: np.ndarray
    intrinsics: Intrinsics
    center: np.ndarray
    size: np.ndarray
    axes: np.ndarray


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and return rows for the table."""
    rng = np.random.default_rng(options.seed)
    rows = _rows('ray-cast', tabletop_sights(options.scenes, options.seed), rng)
    rows += _rows('from above', tabletop_sights(options.scenes, options.seed, FROM_ABOVE), rng)
    if options.generated:
        rows += _rows('generated', generated_sights(options.generated, options.seed), rng)
    rows.append(two_regions(options.seed))
    if options.frames:
        rows.append(moving_camera(options.frames, options.seed))
    if options.backend:
        rows.append(with_backend(options.backend, options.generated, options.seed))
    return {'rows': rows, 'seed': options.seed,
            'map': 'share of each 16-pixel patch that the thing covers, plus normal noise of 0.05',
            'depth': 'D435 model: 0.08 px disparity noise, holes, flying pixels'}


# ---- scenes


def tabletop(seed: int, count: int = 4, view: tuple[float, float] = ASLANT) -> Tabletop:
    """Make a table with boxes, cylinders and balls, seen from 0.55 to 0.95 m.

    :param view: least and most angle between the table and the line of sight, in degrees.
    """
    rng = np.random.default_rng(seed)
    things: list[Thing] = []
    while len(things) < count:
        shape = ('box', 'cylinder', 'ball')[rng.integers(3)]
        if shape == 'box':
            size = np.array([rng.uniform(0.04, 0.16), rng.uniform(0.03, 0.09), rng.uniform(0.025, 0.14)])
        elif shape == 'cylinder':
            size = np.array([rng.uniform(0.04, 0.1)] * 2 + [rng.uniform(0.05, 0.18)])
        else:
            size = np.full(3, rng.uniform(0.05, 0.1))
        center = np.array([*rng.uniform(-0.2, 0.2, 2), size[2] / 2])
        if all(np.linalg.norm(center[:2] - other.center[:2]) >
               (np.linalg.norm(size[:2]) + np.linalg.norm(other.size[:2])) / 2 + 0.005 for other in things):
            things.append(Thing(shape, center, size, rng.uniform(-np.pi, np.pi)))
    distance, azimuth = rng.uniform(0.55, 0.95), rng.uniform(-np.pi, np.pi)
    elevation = np.radians(rng.uniform(*view))
    eye = distance * np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth),
                               np.sin(elevation)])
    return render(tuple(things), eye)


def tabletop_sights(count: int, seed: int, view: tuple[float, float] = ASLANT) -> Iterator[Sight]:
    """Yield every thing of ray-cast scenes that is seen whole enough."""
    for number in range(seed, seed + count):
        scene = tabletop(number, view=view)
        height, width = scene.depth.shape
        depth = d435(scene.depth, np.random.default_rng(number), scene.focal)
        intrinsics = Intrinsics(scene.focal, scene.focal, (width - 1) / 2, (height - 1) / 2)
        for index, thing in enumerate(scene.things):
            visible = scene.instances == 2 + index
            alone = np.count_nonzero(render((thing,), -scene.rotation.T @ scene.translation).instances == 2)
            if _measurable(visible) and visible.sum() > VISIBLE * alone:
                yield Sight(thing.shape, visible, depth, intrinsics, scene.center(index), thing.size,
                            scene.axes(index))


def generated(number: int) -> tuple[Any, np.ndarray, Intrinsics]:
    """Make a scene of the test split: the scene, its depth as a D435 sees it, and the camera."""
    from training.scenes import make_scene
    scene = make_scene(number, size=SIZE, split='test', depth_noise=False)
    intrinsics = Intrinsics(*(float(value) for value in scene.intrinsics))
    exact = np.where(scene.depth > 0, scene.depth, np.float32(np.nan))
    return scene, d435(exact, np.random.default_rng(number), intrinsics.fx), intrinsics


def generated_sights(count: int, seed: int) -> Iterator[Sight]:
    """Yield every object of generated test scenes that is seen whole enough."""
    for number in range(seed, seed + count):
        scene, depth, intrinsics = generated(number)
        for thing in scene.objects:
            sight = _sight(scene, thing, depth, intrinsics)
            if _measurable(sight.visible) and thing.visible > VISIBLE:
                yield sight


def _sight(scene: Any, thing: Any, depth: np.ndarray, intrinsics: Intrinsics) -> Sight:
    return Sight(thing.kind, scene.instances == thing.id, depth, intrinsics, thing.center, thing.size,
                 rotation(thing.orientation))


def _measurable(visible: np.ndarray) -> bool:
    rim = visible[0].any() or visible[-1].any() or visible[:, 0].any() or visible[:, -1].any()
    return not rim and np.count_nonzero(visible) >= FEWEST


def patch_maps(visible: np.ndarray, rng: np.random.Generator, noise: float = 0.05) -> AttentionMaps:
    """Bring a true mask to the patch grid: the share of each patch that it covers, and noise."""
    height, width = visible.shape
    rows, columns = height // 16, width // 16
    cover = visible[:rows * 16, :columns * 16].reshape(rows, 16, columns, 16).mean((1, 3))
    heat = np.clip(cover + rng.normal(0, noise, cover.shape), 0, 1).astype(np.float32)
    return AttentionMaps(('thing',), heat[None], np.ones(1, np.float32), (width, height))


# ---- measures


def _rows(name: str, sights: Iterator[Sight], rng: np.random.Generator) -> list[dict[str, Any]]:
    found = []
    for sight in sights:
        flat = find_regions(patch_maps(sight.visible, rng), 0, 'target', plural=False)[0]
        found.append((sight, flat, lift(flat, sight.depth, sight.intrinsics)))
    rows = [_row(f'{name}, all', found)]
    if name == 'ray-cast':
        rows += [_row(f'{name}, {kind}', [each for each in found if each[0].kind == kind])
                 for kind in ('box', 'cylinder', 'ball')]
    return rows


def _row(name: str, found: list[tuple[Sight, FocusRegion, FocusRegion]]) -> dict[str, Any]:
    measured = [compare(region, sight) for sight, _, region in found if region.center is not None]

    def median(key: str) -> float | None:
        values = [each[key] for each in measured if key in each]
        return float(np.median(values)) if values else None

    centers = [each['centre'] for each in measured]
    return {'scenes': name, 'things': len(found), 'without 3-D': len(found) - len(measured),
            'distance m': float(np.median([sight.center[2] for sight, _, _ in found])),
            'centre mm': median('centre'), 'centre p90 mm': float(np.quantile(centers, 0.9)),
            'size %': median('size'), 'yaw deg': median('yaw'), 'purity': median('purity'),
            'IoU map': float(np.median([iou(flat.mask, sight.visible) for sight, flat, _ in found])),
            'IoU depth': float(np.median([iou(region.mask, sight.visible) for sight, _, region in found]))}


def iou(mask: np.ndarray, visible: np.ndarray) -> float:
    """Return intersection over union of a mask with the truth."""
    have = mask > 0
    return float((have & visible).sum() / max(1, (have | visible).sum()))


def compare(region: FocusRegion, sight: Sight) -> dict[str, float]:
    """Compare a region with the truth: centre in mm, size in %, yaw in degrees where there is one, purity."""
    assert region.orientation is not None and region.size is not None and region.points is not None
    found = rotation(region.orientation)
    size = sight.size
    square = max(size[:2]) < SQUARE * min(size[:2])
    long = sight.axes[:, int(size[1] > size[0])]
    angle = float(np.degrees(np.arccos(np.clip(abs(found[:, 0] @ long), 0, 1))))
    longer_first = size if size[0] >= size[1] else size[[1, 0, 2]]
    result = {'centre': 1e3 * float(np.linalg.norm(region.center - sight.center)),
              'size': 100 * float(np.mean(np.abs(region.size - longer_first) / longer_first)),
              'purity': purity(region.points, sight)}
    if not square and sight.kind not in ('cylinder', 'ball'):
        result['yaw'] = angle
    elif sight.kind == 'box':
        result['yaw'] = min(angle, 90 - angle)
    return result


def purity(points: np.ndarray, sight: Sight) -> float:
    """Return the share of points that are on the thing."""
    camera = sight.intrinsics
    columns = np.round(points[:, 0] / points[:, 2] * camera.fx + camera.cx).astype(int)
    rows = np.round(points[:, 1] / points[:, 2] * camera.fy + camera.cy).astype(int)
    return float(sight.visible[rows, columns].mean())


def two_regions(seed: int) -> dict[str, Any]:
    """Time find, track and lift of two regions at 640x480 with colour, all that is done beyond grounding."""
    wall, cpu = [], []
    for number in range(seed, seed + 20):
        rng = np.random.default_rng(number)
        sights = list(tabletop_sights(1, number))[:2]
        if len(sights) < 2:
            continue
        maps = [patch_maps(sight.visible, rng) for sight in sights]
        tracker = Tracker()
        image = rng.normal(128, 8, (*sights[0].depth.shape, 3))
        for sight in sights:
            image[sight.visible] += rng.uniform(-90, 90, 3)
        image = np.clip(image, 0, 255).astype(np.uint8)
        for frame in range(15):
            start, cpu_start = time.perf_counter(), time.process_time()
            regions = [find_regions(each, 0, 'target', image=image, plural=False)[0] for each in maps]
            for region in tracker.update(regions, frame / 30):
                lift(region, sights[0].depth, sights[0].intrinsics, image)
            wall.append(1e3 * (time.perf_counter() - start))
            cpu.append(1e3 * (time.process_time() - cpu_start))
    return {'scenes': 'two regions, 640x480', 'things': len(wall), 'ms p50': float(np.median(wall)),
            'ms p95': float(np.quantile(wall, 0.95)), 'CPU ms p50': float(np.median(cpu))}


def moving_camera(frames: int, seed: int) -> dict[str, Any]:
    """Count how often a thing's number changes while the camera moves, and how boxes follow.

    As CLEAR MOT counts switches (Bernardin and Stiefelhagen, 2008): where the region found is the thing.
    """
    switches, matched, seen, errors, raw = 0, 0, 0, [], []
    tracker, rng = Tracker(), np.random.default_rng(seed)
    number = seed
    while seen < frames:
        tracker.reset()
        before: dict[int, int] = {}
        for time_, instances in swinging(number):
            outlines = {label: instances == label for label in np.unique(instances[instances > 0])}
            outlines = {label: mask for label, mask in outlines.items() if mask.sum() >= FEWEST / 4}
            # as if all were meant by one plural phrase: the hardest case for numbers
            regions = [find_regions(patch_maps(mask, rng), 0, 'target', plural=False)[0]
                       for mask in outlines.values()]
            # the tracker puts the best first: so they stay in this order
            regions = [replace(region, score=1 - 1e-3 * label)
                       for label, region in zip(outlines, regions, strict=True)]
            followed = tracker.update(regions, time_)
            for (label, mask), region, flat in zip(outlines.items(), followed, regions, strict=True):
                if iou(flat.mask, mask) < MATCHED:
                    continue
                matched += 1
                switches += before.get(label, region.track) != region.track
                before[label] = region.track
                left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
                truth = (left, top, left + width, top + height)
                errors.append(np.abs(np.subtract(region.box, truth)).mean())
                raw.append(np.abs(np.subtract(flat.box, truth)).mean())
            seen += 1
        number += 1
    return {'scenes': 'moving camera, 10 Hz, 320x240', 'things': matched, 'frames': seen,
            'sequences': number - seed, 'id switches': switches,
            'id switches in 300 frames': 300 * switches / seen,
            'box error px': float(np.mean(errors)), 'box error untracked px': float(np.mean(raw))}


def swinging(seed: int) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (seconds, (240, 320) which thing each pixel is of) of a camera that swings around a scene."""
    from training.scenes.player import journey
    way = journey(seed, size=(320, 240), rate_hz=10, seconds=5.0, split='test', moving=True)
    for moment, items, camera in way.moments:
        hits = way.setting.world(items).hit(*camera.rays(camera.grid()))
        yield moment, hits.instance.reshape(camera.size[::-1]).astype(np.int32)


def with_backend(name: str, count: int, seed: int) -> dict[str, Any]:
    """Measure with the maps of a backend: how much depth corrects them, and what the scores are worth.

    Masks, centres and sizes are of things that the point of the region lies on; scores are held against
    whether it does, for phrases whose thing is in view and those whose thing is not.
    """
    from vla_attention.grounding import make_backend
    backend, confidence = make_backend(name), load_confidence(name)
    found, scores, hits = [], [], []
    for number in range(seed, seed + count):
        scene, depth, intrinsics = generated(number)
        things = {thing.id: thing for thing in scene.objects}
        maps = backend.attend(scene.image, backend.encode([phrase.text_en for phrase in scene.phrases]))
        measured: set[tuple[int, tuple[float, ...]]] = set()
        for index, phrase in enumerate(scene.phrases):
            if maps.presence[index] < PRESENT:
                continue
            for region in find_regions(maps, index, 'target', image=scene.image, confidence=confidence,
                                       plural=False):
                x, y = (int(value) for value in region.point)
                hit = phrase.target_id > 0 and scene.instances[y, x] == phrase.target_id
                scores.append(region.score)
                hits.append(hit)
                if not hit or (phrase.target_id, region.box) in measured:
                    continue
                measured.add((phrase.target_id, region.box))    # other words, same answer
                thing = things[phrase.target_id]
                sight = _sight(scene, thing, depth, intrinsics)
                if _measurable(sight.visible) and thing.visible > VISIBLE:
                    found.append((sight, region, lift(region, depth, intrinsics, scene.image)))
    row = _row(f'generated, maps of {name}, pointed at rightly', found)
    return {**row, 'phrases': len(scores), 'right': float(np.mean(hits)),
            'calibration error': calibration_error(np.array(scores), np.array(hits, float))}
