"""What runs the backbone: torch, or OpenVINO where it is installed, behind one call."""

from __future__ import annotations

import hashlib
import inspect
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vla_attention.vision.graphs import cache_folder, graph_at, import_openvino
from vla_attention.vision.int8 import in_int8

ENGINES = ('auto', 'torch', 'openvino')
PRECISIONS = ('auto', 'int8', 'bf16', 'f32')
KEPT = 64       # graphs on disk, the last used: one for each size of images, of a dozen megabytes


class Engine(Protocol):
    """Runs a model on one image after another."""

    name: str

    def __call__(self, image: np.ndarray) -> tuple[Tensor, ...]:
        """Return the model's outputs for an image (H, W, 3) or several (B, H, W, 3), uint8 RGB."""


class TorchEngine:
    """The model as it is, on any device."""

    name = 'torch'

    def __init__(self, model: nn.Module, device: str = 'cpu') -> None:
        self.device = torch.device(device)
        self.model = model.eval().to(self.device)

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> tuple[Tensor, ...]:
        """Run the model on an image (H, W, 3) or several (B, H, W, 3), uint8 RGB."""
        outputs: tuple[Tensor, ...] = self.model(as_tensor(image).to(self.device))
        return outputs


class OpenVinoEngine:
    """The model compiled by OpenVINO for the CPU, once for each shape of its input."""

    name = 'openvino'

    def __init__(self, model: nn.Module, threads: int = 0, most_sizes: int = 4, precision: str = 'f32',
                 ranges: Tensor | None = None) -> None:
        """Take the model; export and compilation wait for the first image.

        The exported graph is kept under ``$XDG_CACHE_HOME/vla_attention`` (``~/.cache`` by default), named
        after the weights, so that the next start finds it.

        :param threads: how many to use; 0 leaves it to OpenVINO.
        :param most_sizes: compiled models kept, the latest shapes.
        :param precision: 'f32'; 'bf16', which takes half the time where the CPU has it (f32 elsewhere),
            moves boxes by pixels and flips ties; 'int8', convolutions in eight bits, which takes a third of
            the time of f32 where the CPU has VNNI and points a little less well; 'auto', bf16 where the CPU
            has it, else int8 where there are ranges.
        :param ranges: (N, 2) of :func:`vla_attention.vision.int8.in_int8`, for 'int8'.
        :raises ValueError: 'int8' without ranges, or another precision than :data:`PRECISIONS`.
        """
        if precision not in PRECISIONS:
            raise ValueError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision!r}')
        if precision == 'auto':
            precision = 'bf16' if ranges is None or 'BF16' in cpu_capabilities() else 'int8'
        if precision == 'int8':
            if ranges is None:
                raise ValueError("precision 'int8' needs the ranges of the model's convolutions")
            model = in_int8(model, ranges)
        self.model = model.eval().cpu()
        self.threads = threads
        self.most_sizes = most_sizes
        self.precision = precision
        self._compiled: dict[tuple[int, ...], Any] = {}
        self._digest: str | None = None

    def __call__(self, image: np.ndarray) -> tuple[Tensor, ...]:
        """Run the model on an image (H, W, 3) or several (B, H, W, 3), uint8 RGB.

        The first of a shape compiles.
        """
        size = image.shape[:-1]
        if size not in self._compiled:
            while len(self._compiled) >= self.most_sizes:
                self._compiled.pop(next(iter(self._compiled)))
            self._compiled[size] = self._compile(image)
        request = self._compiled[size]
        outputs = request.infer({0: np.ascontiguousarray(image if image.ndim == 4 else image[None])})
        return tuple(torch.from_numpy(np.array(value)) for value in outputs.values())

    def _compile(self, image: np.ndarray) -> Any:
        openvino = import_openvino()
        converted = self._exported(as_tensor(image))
        # the picture goes in as it comes from a camera; the conversion becomes part of the graph
        steps = openvino.preprocess.PrePostProcessor(converted)
        steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout('NHWC'))
        steps.input().preprocess().convert_element_type(openvino.Type.f32)
        steps.input().model().set_layout(openvino.Layout('NCHW'))
        options: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT':
                                   'f32' if self.precision == 'f32' else 'bf16'}
        if self.threads:
            options['INFERENCE_NUM_THREADS'] = self.threads
        return openvino.Core().compile_model(steps.build(), 'CPU', options).create_infer_request()

    def _exported(self, example: Tensor) -> Any:
        """Return the model as OpenVINO's graph: out of the cache, or exported now and put there."""
        openvino = import_openvino()
        if self._digest is None:
            digest = hashlib.sha256(f'{openvino.__version__} {torch.__version__}'.encode())
            # the graph follows from the code too: an update of the package must not run the graph of before
            code = {inspect.getfile(type(module)) for module in self.model.modules()
                    if type(module).__module__.startswith('vla_attention.')}
            for file in sorted(code):
                digest.update(Path(file).read_bytes())
            for name, tensor in sorted(self.model.state_dict().items()):
                digest.update(name.encode() + tensor.numpy().tobytes())
            self._digest = digest.hexdigest()[:24]
        batch, _, height, width = example.shape
        folder = cache_folder()
        path = folder and folder / 'embedded' / f'{self._digest}_{batch}x{width}x{height}.xml'
        return graph_at(path, lambda: self._export(example), most=KEPT)

    def _export(self, example: Tensor) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', torch.jit.TracerWarning)    # shape checks are for Python alone
            # OpenVINO would let torch check what it recorded by running it twice more, a second or more of
            # the first image; test_embedded.py holds its answers against torch's
            with torch.no_grad():
                recorded = torch.jit.trace(self.model, example, strict=False, check_trace=False)
            return import_openvino().convert_model(recorded, example_input=example,
                                                   input=[tuple(example.shape)])


def cpu_capabilities() -> list[str]:
    """Return what numbers the CPU computes in by itself, by OpenVINO's names, like 'FP32' and 'BF16'."""
    return list(import_openvino().Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'))


def as_tensor(image: np.ndarray) -> Tensor:
    """Return an image (H, W, 3) or several (B, H, W, 3) uint8 as (B, 3, H, W) float32 in 0..255."""
    images = torch.from_numpy(np.ascontiguousarray(image if image.ndim == 4 else image[None]))
    return images.permute(0, 3, 1, 2).float()


def make_engine(model: nn.Module, name: str = 'auto', device: str = 'cpu', threads: int = 0,
                precision: str = 'f32', ranges: Tensor | None = None) -> Engine:
    """Choose what runs a model: 'auto' takes OpenVINO on a CPU where it is installed, torch elsewhere.

    :param precision: of OpenVINO, with its ``ranges``; torch takes the model as it is.
    :raises ValueError: no such engine or precision, or OpenVINO with another device than the CPU.
    :raises ImportError: 'openvino' is asked for but not installed.
    """
    if name not in ENGINES:
        raise ValueError(f'engine must be one of {", ".join(ENGINES)}, got {name!r}')
    installed = find_spec('openvino') is not None
    if name == 'openvino' and device != 'cpu':
        raise ValueError(f"engine 'openvino' runs on the CPU, but device is {device!r}")
    if name == 'openvino' and not installed:
        raise ImportError("engine 'openvino' needs the package openvino: pip install openvino")
    if name == 'openvino' or (name == 'auto' and installed and device == 'cpu'):
        return OpenVinoEngine(model, threads, precision=precision, ranges=ranges)
    return TorchEngine(model, device)
