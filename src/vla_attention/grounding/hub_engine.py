"""What runs the image encoder of a hub model on a CPU: torch, or OpenVINO where it is installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vla_attention.grounding.backend import BackendError
from vla_attention.vision.engine import ENGINES, import_openvino

# dtype of a backend -> what OpenVINO computes in; float16 it has on GPUs alone
PRECISIONS = {'auto': 'f32', 'float32': 'f32', 'bfloat16': 'bf16'}


def pick_engine(name: str, backend: str, *, exports: bool, device: torch.device, dtype: str,
                compile_model: bool) -> str:
    """Return 'torch' or 'openvino'.

    'auto' takes OpenVINO where it changes nothing but the time: for a backend that exports its image
    encoder, on a CPU, in float32.

    :param exports: the backend's image encoder can be exported.
    :param dtype: as the user gave it.
    :raises BackendError: what was asked for cannot be had; the message says why.
    """
    if name not in ENGINES:
        raise BackendError(f'engine must be one of {", ".join(ENGINES)}, not {name!r}')
    installed = find_spec('openvino') is not None
    if name == 'auto':
        fits = exports and device.type == 'cpu' and dtype in ('auto', 'float32') and not compile_model
        return 'openvino' if installed and fits else 'torch'
    if name == 'openvino':
        for wrong, why in ((not exports, f'{backend} does not have: clipseg and owlv2 do'),
                           (device.type != 'cpu', f'runs on the CPU, but device is {device}'),
                           (dtype not in PRECISIONS, f'computes in float32 or bfloat16, not in {dtype}'),
                           (compile_model, 'is not compiled by torch: leave compile_model out'),
                           (not installed, 'needs the package openvino: pip install openvino')):
            if wrong:
                raise BackendError(f"engine 'openvino' {why}")
    return name


class OpenVinoEncoder:
    """An image encoder run by OpenVINO on the CPU, exported and compiled at the first image of a shape.

    It takes as many threads as torch has at that time.
    """

    def __init__(self, model: nn.Module, encode: Callable[[Tensor], tuple[Tensor, ...]], precision: str,
                 most_shapes: int = 2) -> None:
        """Take the encoder; nothing is done before the first image.

        :param model: the module that holds the weights.
        :param encode: (1, 3, h, w) float32 pixels -> tensors, by means of the model.
        :param precision: 'f32', or 'bf16': twice as fast where the CPU has it, with three digits.
        :param most_shapes: compiled graphs kept, the latest.
        """
        self.graph = _Encoder(model, encode)
        self.precision = precision
        self.most_shapes = most_shapes
        self._compiled: dict[tuple[int, ...], Any] = {}

    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Encode (1, 3, h, w) float32 pixels on the CPU; the results are float32."""
        shape = tuple(pixels.shape)
        if shape not in self._compiled:
            while len(self._compiled) >= self.most_shapes:
                self._compiled.pop(next(iter(self._compiled)))
            self._compiled[shape] = self._compile(shape)
        outputs = self._compiled[shape].infer({0: pixels.contiguous().numpy()})
        return tuple(torch.from_numpy(np.array(value)) for value in outputs.values())

    def _compile(self, shape: tuple[int, ...]) -> Any:
        openvino = import_openvino()
        options = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': self.precision,
                   'INFERENCE_NUM_THREADS': torch.get_num_threads()}
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore', torch.jit.TracerWarning)    # shape checks are for Python alone
            graph = openvino.convert_model(self.graph, example_input=torch.zeros(shape), input=[shape])
            return openvino.Core().compile_model(graph, 'CPU', options).create_infer_request()


class _Encoder(nn.Module):
    """What torch traces: a function of the pixels, with the weights that it uses."""

    def __init__(self, model: nn.Module, encode: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.model = model
        self.encode = encode

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self.encode(pixels)
