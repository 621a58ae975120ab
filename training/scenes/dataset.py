"""Write scenes to a folder, in parallel and resumably, and read them back.

A folder holds ``images/`` (JPEG or PNG), ``instances/`` (PNG, 8 bit: ids), with depth ``depth/`` (PNG,
16 bit: millimetres, 0 for no reading), and ``labels.jsonl``: one object a scene with ``seed``, ``split``,
``size`` [width, height], ``jpeg``, ``image``, ``instances``, ``depth`` (paths from the folder; ``depth`` null
where it was left out), ``intrinsics`` [fx, fy, cx, cy] (pixel centres at whole numbers, as in OpenCV),
``camera_pose`` (4 rows), ``objects`` and ``phrases`` (the fields of SceneObject and ScenePhrase). All scenes
of a folder have the same split, size, kind of pictures, and depth or none.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .make import make_scene
from .scene import Scene, SceneObject, ScenePhrase

JPEG_QUALITY = 92


@dataclass(frozen=True)
class Job:
    """Where and how scenes are written."""

    folder: str
    size: tuple[int, int] = (320, 240)
    split: str = 'train'
    depth: bool = True
    jpeg: bool = False


def write_dataset(job: Job, seeds: Sequence[int], *, processes: int = 1, progress: bool = False) -> float:
    """Write the scenes of some seeds; those that the folder has already are left as they are.

    :return: images a second, 0.0 when there was nothing to do.
    :raises ValueError: the folder holds scenes of another split, size or form.
    """
    folder = Path(job.folder)
    labels = folder / 'labels.jsonl'
    done = _resume(labels, job)
    for name in ('images', 'instances', *(['depth'] if job.depth else [])):
        (folder / name).mkdir(parents=True, exist_ok=True)
    missing = [(job, seed) for seed in seeds if seed not in done]
    if not missing:
        return 0.0
    begin = time.perf_counter()
    with labels.open('a', encoding='utf-8') as lines, _pool(processes) as pool:
        results = map(_write, missing) if pool is None else pool.imap_unordered(_write, missing, chunksize=4)
        for record in _shown(results, len(missing), progress):
            lines.write(json.dumps(record, ensure_ascii=False) + '\n')
            lines.flush()
    return len(missing) / (time.perf_counter() - begin)


def _resume(labels: Path, job: Job) -> set[int]:
    """Return the seeds that are done, and cut off a last line that an interrupted run left half-written."""
    if not labels.exists():
        return set()
    whole = labels.read_bytes().rpartition(b'\n')
    if whole[2]:
        labels.write_bytes(whole[0] + whole[1])
    done = set()
    for record in read_labels(labels.parent):
        _check(record, job)
        done.add(record['seed'])
    return done


def _check(record: dict[str, Any], job: Job) -> None:
    """Refuse to add to scenes of another kind: seeds alone do not tell them apart.

    :raises ValueError: names what differs.
    """
    wanted = {'split': job.split, 'size': list(job.size), 'jpeg': job.jpeg, 'depth': job.depth}
    there = {**record, 'depth': bool(record.get('depth'))}
    for name, value in wanted.items():
        if name not in there:
            raise ValueError(
                f'{job.folder}: scene {record["seed"]} does not say its {name}: an earlier version wrote it, '
                'whose scenes differ; take another folder'
            )
        if there[name] != value:
            raise ValueError(
                f'{job.folder}: {name} is {value!r}, but scene {record["seed"]} there has {there[name]!r}; '
                'take another folder'
            )


def read_labels(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the label of every whole line of a folder's ``labels.jsonl``."""
    with (Path(folder) / 'labels.jsonl').open(encoding='utf-8') as lines:
        for line in lines:
            if line.endswith('\n'):
                yield json.loads(line)


def load_scene(folder: str | Path, record: dict[str, Any]) -> Scene:
    """Read one scene of a folder back; without depth in the folder, depth is zero.

    :raises OSError: a picture of the scene cannot be read.
    """
    folder = Path(folder)
    image = cv2.cvtColor(_read(folder / record['image'], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    instances = _read(folder / record['instances'], cv2.IMREAD_UNCHANGED).astype(np.int32)
    depth = np.zeros(instances.shape, np.float32)
    if record.get('depth'):
        depth = (_read(folder / record['depth'], cv2.IMREAD_UNCHANGED) / 1000).astype(np.float32)
    fx, fy, cx, cy = record['intrinsics']
    return Scene(
        seed=record['seed'],
        image=image,
        depth=depth,
        instances=instances,
        intrinsics=(fx, fy, cx, cy),
        camera_pose=np.array(record['camera_pose']),
        objects=tuple(_object(entry) for entry in record['objects']),
        phrases=tuple(
            ScenePhrase(**{**entry, 'needs': tuple(entry['needs'])}) for entry in record['phrases']
        ),
    )


def _object(entry: dict[str, Any]) -> SceneObject:
    arrays = {name: np.array(entry[name]) for name in ('center', 'size', 'orientation')}
    return SceneObject(**{**entry, **arrays, 'box2d': tuple(entry['box2d'])})


def _read(path: Path, flags: int) -> np.ndarray:
    picture = cv2.imread(str(path), flags)
    if picture is None:
        raise OSError(f'cannot read the picture {path}')
    return np.asarray(picture)


def label(scene: Scene, job: Job) -> dict[str, Any]:
    """Return a scene's line of ``labels.jsonl``."""
    name = f'{scene.seed:07d}'
    return {
        'seed': scene.seed,
        'split': job.split,
        'size': list(job.size),
        'jpeg': job.jpeg,
        'image': f'images/{name}.{"jpg" if job.jpeg else "png"}',
        'instances': f'instances/{name}.png',
        'depth': f'depth/{name}.png' if job.depth else None,
        'intrinsics': [round(value, 4) for value in scene.intrinsics],
        'camera_pose': np.round(scene.camera_pose, 6).tolist(),
        'objects': [
            {
                name: np.round(value, 5).tolist() if isinstance(value, np.ndarray) else value
                for name, value in dataclasses.asdict(thing).items()
            }
            for thing in scene.objects
        ],
        'phrases': [dataclasses.asdict(phrase) for phrase in scene.phrases],
    }


def _write(task: tuple[Job, int]) -> dict[str, Any]:
    job, seed = task
    scene = make_scene(seed, size=job.size, split=job.split)
    record, folder = label(scene, job), Path(job.folder)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if job.jpeg else []
    cv2.imwrite(str(folder / record['image']), cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR), options)
    cv2.imwrite(str(folder / record['instances']), scene.instances.astype(np.uint8))
    if job.depth:
        cv2.imwrite(str(folder / record['depth']), np.round(scene.depth * 1000).astype(np.uint16))
    return record


class _Alone:
    """A context without a pool."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None


def _pool(processes: int) -> Any:
    # one thread a process: the pool is the parallelism
    cv2.setNumThreads(1)
    if processes == 1:
        return _Alone()
    return multiprocessing.get_context('spawn').Pool(processes, cv2.setNumThreads, (1,))


def _shown(results: Any, total: int, progress: bool) -> Any:
    if not progress:
        return results
    from tqdm import tqdm

    return tqdm(results, total=total, unit='image', disable=None)
