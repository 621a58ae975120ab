"""What runs the backbone: torch, or OpenVINO where it is installed, behind one call."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

ENGINES = ('auto', 'torch', 'openvino')


class Engine(Protocol):
    """Runs a model on one image after another."""

    name: str

    def __call__(self, image: np.ndarray) -> tuple[Tensor, ...]:
        """Return the model's outputs for one image (H, W, 3) uint8 RGB in the size that the model takes."""


class TorchEngine:
    """The model as it is, on any device."""

    name = 'torch'

    def __init__(self, model: nn.Module, device: str = 'cpu') -> None:
        self.device = torch.device(device)
        self.model = model.eval().to(self.device)

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> tuple[Tensor, ...]:
        """Run the model on one image (H, W, 3) uint8 RGB."""
        outputs: tuple[Tensor, ...] = self.model(as_tensor(image).to(self.device))
        return outputs


class OpenVinoEngine:
    """The model compiled by OpenVINO for the CPU, once for each image size."""

    name = 'openvino'

    def __init__(self, model: nn.Module, threads: int = 0, most_sizes: int = 4) -> None:
        """Take the model; compilation waits for the first image.

        :param threads: how many to use; 0 leaves it to OpenVINO.
        :param most_sizes: compiled models kept, the latest sizes.
        """
        self.model = model.eval().cpu()
        self.threads = threads
        self.most_sizes = most_sizes
        self._compiled: dict[tuple[int, int], Any] = {}

    def __call__(self, image: np.ndarray) -> tuple[Tensor, ...]:
        """Run the model on one image (H, W, 3) uint8 RGB; the first of a size compiles it."""
        size = (image.shape[0], image.shape[1])
        if size not in self._compiled:
            while len(self._compiled) >= self.most_sizes:
                self._compiled.pop(next(iter(self._compiled)))
            self._compiled[size] = self._compile(image)
        request = self._compiled[size]
        outputs = request.infer({0: np.ascontiguousarray(image[None])})
        return tuple(torch.from_numpy(np.array(value)) for value in outputs.values())

    def _compile(self, image: np.ndarray) -> Any:
        import openvino
        example = as_tensor(image)
        converted = openvino.convert_model(self.model, example_input=example, input=[tuple(example.shape)])
        # the picture goes in as it comes from a camera; the conversion becomes part of the graph
        steps = openvino.preprocess.PrePostProcessor(converted)
        steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout('NHWC'))
        steps.input().preprocess().convert_element_type(openvino.Type.f32)
        steps.input().model().set_layout(openvino.Layout('NCHW'))
        options: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY'}
        if self.threads:
            options['INFERENCE_NUM_THREADS'] = self.threads
        return openvino.Core().compile_model(steps.build(), 'CPU', options).create_infer_request()


def as_tensor(image: np.ndarray) -> Tensor:
    """Return an image (H, W, 3) uint8 as (1, 3, H, W) float32 in 0..255."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()


def make_engine(model: nn.Module, name: str = 'auto', device: str = 'cpu', threads: int = 0) -> Engine:
    """Choose what runs a model: 'auto' takes OpenVINO on a CPU where it is installed, torch elsewhere.

    :raises ValueError: no such engine, or OpenVINO with another device than the CPU.
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
        return OpenVinoEngine(model, threads)
    return TorchEngine(model, device)
