"""Engines for the embedded model on a CPU: time, memory, how far answers move, and what that costs.

Each engine runs in a process of its own, so that memory and start-up are its own. ``network`` is the
backbone with the patch encoder alone; ``look`` is vision, grounding and focus with one instruction, as the
nodes run it. ``ready`` is the time from the weights to the first answer, the graph's export and compilation
included; the caches of OpenVINO and of torch.compile start empty. Deviations are from torch in float32,
over the maps (0..1) of all phrases of rendered scenes; pointing is on the same scenes, which no training
saw. int8 quantises the backbone alone, calibrated on rendered scenes of other seeds. Frames are timed in
blocks, and the p50 of the best block is given: other work on the machine only adds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import psutil
import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.hub import machine
from vla_attention.focus import FocusRegion
from vla_attention.grounding.embedded import EmbeddedBackend
from vla_attention.grounding.embedded_model import load_model
from vla_attention.language import Instruction, Step
from vla_attention.pipeline import Pipeline
from vla_attention.vision.engine import Engine, OpenVinoEngine, TorchEngine, as_tensor
from vla_attention.vision.image import fit

ROOT = Path(__file__).resolve().parents[1]
SIZES = ('640x480', '320x240')
TEST_SEED, CALIBRATION_SEED = 1_500_000, 1_600_000      # no training set begins near here
BLOCKS = 3


class CompiledEngine(TorchEngine):
    """torch.compile (inductor), which needs a C++ compiler."""

    name = 'torch.compile'

    def __init__(self, model: nn.Module) -> None:
        """Take the model; it is compiled at the first image."""
        super().__init__(model)
        self.model = torch.compile(self.model, dynamic=False)


class Int8Engine(OpenVinoEngine):
    """OpenVINO with the backbone in int8, quantised after training by NNCF."""

    def __init__(self, model: nn.Module, images: list[np.ndarray]) -> None:
        """Take the model and the pictures to calibrate on."""
        super().__init__(model)
        self.images = images

    def _exported(self, example: Tensor) -> Any:
        import nncf
        nncf.set_log_level(40)
        samples = nncf.Dataset(list(batches(self.images, example)), lambda batch: batch)
        return nncf.quantize(super()._exported(example), samples, subset_size=len(self.images),
                             ignored_scope=nncf.IgnoredScope(patterns=['.*encoder.*'], validate=False))


class OnnxEngine:
    """ONNX Runtime, exported anew for each shape; with pictures to calibrate on: the backbone in int8."""

    name = 'onnxruntime'

    def __init__(self, model: nn.Module, images: list[np.ndarray] | None = None) -> None:
        """Take the model; export waits for the first image."""
        self.model = model.eval()
        self.images = images
        self.sessions: dict[tuple[int, ...], Any] = {}

    def __call__(self, image: np.ndarray) -> tuple[Tensor, ...]:
        """Run the model on an image (H, W, 3) or several (B, H, W, 3), uint8 RGB."""
        pixels = as_tensor(image)
        shape = tuple(pixels.shape)
        if shape not in self.sessions:
            self.sessions[shape] = self._session(pixels)
        return tuple(map(torch.from_numpy, self.sessions[shape].run(None, {'image': pixels.numpy()})))

    def _session(self, example: Tensor) -> Any:
        import onnxruntime
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter('ignore')     # of tracing, and of the exporter, which is an old one
            path = Path(folder) / 'model.onnx'
            torch.onnx.export(self.model, (example,), path, input_names=['image'], dynamo=False)
            if self.images is not None:
                path = self._quantised(path, example)
            return onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])

    def _quantised(self, path: Path, example: Tensor) -> Path:
        import onnx
        from onnxruntime import quantization
        assert self.images is not None
        names = [node.name for node in onnx.load(path).graph.node if 'encoder' in node.name]
        waiting = iter(batches(self.images, example))

        class Reader(quantization.CalibrationDataReader):
            def get_next(self) -> dict[str, np.ndarray] | None:
                batch = next(waiting, None)
                return None if batch is None else {'image': batch}
        out = path.with_name('int8.onnx')
        quantization.quantize_static(path, out, Reader(), per_channel=True, nodes_to_exclude=names)
        return out


# engine -> (packages beside torch, how it is made)
ENGINES: dict[str, tuple[tuple[str, ...], Callable[[nn.Module, list[np.ndarray]], Engine]]] = {
    'torch': ((), lambda model, images: TorchEngine(model)),
    'torch.compile': ((), lambda model, images: CompiledEngine(model)),
    'openvino f32': (('openvino',), lambda model, images: OpenVinoEngine(model)),
    'openvino bf16': (('openvino',), lambda model, images: OpenVinoEngine(model, precision='bf16')),
    'openvino int8': (('openvino', 'nncf'), Int8Engine),
    'onnxruntime f32': (('onnxruntime', 'onnx'), lambda model, images: OnnxEngine(model)),
    'onnxruntime int8': (('onnxruntime', 'onnx'), OnnxEngine),
}


def batches(images: list[np.ndarray], example: Tensor) -> list[np.ndarray]:
    """Return each picture in the shape that a graph takes, (B, 3, H, W) float32."""
    count, _, height, width = example.shape
    return [as_tensor(cv2.resize(image, (width, height))).repeat(count, 1, 1, 1).numpy() for image in images]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--engines', nargs='+', choices=tuple(ENGINES), default=list(ENGINES), metavar='NAME',
                        help=f'of {", ".join(ENGINES)} (default: all)')
    parser.add_argument('--engine-frames', type=int, default=30, help='frames timed (default: 30)')
    parser.add_argument('--engine-scenes', type=int, default=16,
                        help='rendered scenes to compare on, and as many to calibrate on (default: 16)')
    parser.add_argument('--engine-looks', type=int, default=None,
                        help='looks of the embedded model (default: its own)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure each engine at each size, and return rows."""
    rows = []
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        for size in SIZES:
            _render(folder / f'{size}.npz', size, options.engine_scenes)
        jobs = [(size, name) for size in SIZES for name in dict.fromkeys(('torch', *options.engines))]
        for size, name in tqdm(jobs, desc='engine', disable=None):
            rows.append({'engine': name, 'size': size, **_apart(name, size, folder, options)})
    return {'rows': rows, 'machine': machine(), 'scenes': options.engine_scenes,
            'versions': {'torch': torch.__version__, **_versions()}}


def _render(path: Path, size: str, count: int) -> None:
    """Render the scenes to compare and to calibrate on, with their questions, into a file."""
    from training.scenes import make_scene
    width, height = (int(side) for side in size.split('x'))
    seen, asked = [], []
    for seed in range(TEST_SEED, TEST_SEED + count):
        scene = make_scene(seed, size=(width, height), split='test')
        boxes = {entry.id: entry.box2d for entry in scene.objects}
        asked.append([(text, [float(value) for value in boxes[phrase.target_id]]) for phrase in scene.phrases
                      if phrase.target_id for text in (phrase.text_en, phrase.text_ko)])
        seen.append(scene.image)
    other = [make_scene(seed, size=(width, height)).image
             for seed in range(CALIBRATION_SEED, CALIBRATION_SEED + count)]
    np.savez(path, seen=np.stack(seen), other=np.stack(other), asked=json.dumps(asked))


def _apart(name: str, size: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one engine in a process of its own."""
    lacking = [package for package in ENGINES[name][0] if find_spec(package) is None]
    if lacking:
        return {'note': f'not measured: {", ".join(lacking)} not installed'}
    request = {'name': name, 'size': size, 'folder': str(folder), 'frames': options.engine_frames,
               'looks': options.engine_looks}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, 'XDG_CACHE_HOME': cache, 'TORCHINDUCTOR_CACHE_DIR': cache}
        done = subprocess.run([sys.executable, '-m', 'benchmarks.engine', json.dumps(request)], cwd=ROOT,
                              env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip().splitlines()
        return {'note': f'failed: {why[-1] if why else f"exit status {done.returncode}"}'}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(name: str, size: str, folder: Path, frames: int, looks: int | None) -> dict[str, Any]:
    """Measure one engine in this process; 'torch' leaves its maps for the others to compare with."""
    data = np.load(folder / f'{size}.npz')
    seen, asked = data['seen'], json.loads(str(data['asked']))
    calibration = list(data['other'])
    process = psutil.Process()

    def make(model: nn.Module, *_: Any) -> Engine:
        return ENGINES[name][1](model, calibration)

    begin = time.perf_counter()
    with mock.patch('vla_attention.grounding.embedded.make_engine', make):
        longest = max(seen.shape[1:3])
        given = {} if looks is None else {'looks': looks}
        backend = EmbeddedBackend(longest=longest, **given)
    pipeline = Pipeline(backend)
    query = pipeline.instruct('pick up the red cup')
    pipeline.look(seen[0], query)
    ready = time.perf_counter() - begin
    looking = _p50(lambda index: pipeline.look(seen[index % len(seen)], query), frames)
    resident = process.memory_info().rss / 1e6
    network = make(load_model(backend.weights).sight)
    fitted = [fit(image, longest) for image in seen]
    network(fitted[0])
    result = {'network p50 ms': _p50(lambda index: network(fitted[index % len(seen)]), frames),
              'look p50 ms': looking, 'ready s': round(ready, 2), 'resident MB': round(resident)}
    maps, points = zip(*(_answers(pipeline, image, questions)
                         for image, questions in zip(seen, asked, strict=True)), strict=True)
    stacked = np.concatenate(maps)
    reference = folder / f'{size}_torch.npy'
    if name == 'torch':
        np.save(reference, stacked)
    moved = np.abs(stacked - np.load(reference))
    return {**result, 'map max': float(f'{moved.max():.1e}'), 'map mean': float(f'{moved.mean():.1e}'),
            'pointing': round(float(np.mean(np.concatenate(points))), 4), 'n': int(sum(map(len, points)))}


def _p50(call: Callable[[int], Any], frames: int) -> float:
    """Return milliseconds: the median of the best of some blocks of frames."""
    medians = []
    for block in range(BLOCKS):
        times = []
        for index in range(max(1, frames // BLOCKS)):
            begin = time.perf_counter()
            call(block + index)
            times.append((time.perf_counter() - begin) * 1000)
        medians.append(float(np.median(times)))
    return round(min(medians), 1)


def _answers(pipeline: Pipeline, image: np.ndarray, questions: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps of all phrases of a scene, and whether the best region of each points to its thing."""
    texts = list(dict.fromkeys(text for text, _ in questions))
    look = pipeline.look(image, pipeline.instruct(Instruction(
        ' / '.join(texts), steps=tuple(Step(target=text) for text in texts))))
    assert look.maps is not None
    best: dict[str, FocusRegion] = {}
    for region in look.of('target'):
        best.setdefault(region.phrase, region)
    return look.maps.maps, np.array([text in best and _inside(best[text].point, box)
                                     for text, box in questions])


def _inside(point: tuple[float, float], box: list[float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _versions() -> dict[str, str]:
    from importlib.metadata import version
    names = ('openvino', 'nncf', 'onnxruntime')
    return {name: version(name) for name in names if find_spec(name) is not None}


if __name__ == '__main__':
    arguments = json.loads(sys.argv[1])
    print(json.dumps(measure(arguments['name'], arguments['size'], Path(arguments['folder']),
                             arguments['frames'], arguments['looks'])))
