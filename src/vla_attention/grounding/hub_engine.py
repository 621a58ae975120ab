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
from vla_attention.grounding.hub_graphs import KEPT, graph_path
from vla_attention.vision.engine import ENGINES, cpu_capabilities
from vla_attention.vision.graphs import graph_at, import_openvino

PRECISIONS = ('auto', 'bf16', 'f32')
_OPENVINO_DTYPES = ('auto', 'float32', 'bfloat16')     # float16 it has on GPUs alone


def pick_engine(name: str, backend: str, *, exports: bool, device: torch.device, dtype: str,
                compile_model: bool) -> str:
    """Return 'torch' or 'openvino'.

    'auto' takes OpenVINO where it is installed, for a backend that exports its image encoder, on a CPU.

    :param exports: the backend's image encoder can be exported.
    :param dtype: as the user gave it.
    :raises BackendError: what was asked for cannot be had; the message says why.
    """
    if name not in ENGINES:
        raise BackendError(f'engine must be one of {", ".join(ENGINES)}, not {name!r}')
    installed = find_spec('openvino') is not None
    if name == 'auto':
        fits = exports and device.type == 'cpu' and dtype in _OPENVINO_DTYPES and not compile_model
        return 'openvino' if installed and fits else 'torch'
    if name == 'openvino':
        for wrong, why in ((not exports, f'{backend} does not have: clipseg and owlv2 do'),
                           (device.type != 'cpu', f'runs on the CPU, but device is {device}'),
                           (dtype not in _OPENVINO_DTYPES, f'computes in float32 or bfloat16, not {dtype}'),
                           (compile_model, 'is not compiled by torch: leave compile_model out'),
                           (not installed, 'needs the package openvino: pip install openvino')):
            if wrong:
                raise BackendError(f"engine 'openvino' {why}")
    return name


def pick_precision(name: str, engine: str, dtype: str) -> str:
    """Return what OpenVINO computes the image encoder in: 'f32' or 'bf16'; '' where torch runs it.

    'auto' follows ``dtype`` where that is given, and is else bf16 where the CPU computes in it by itself.

    :param engine: of :func:`pick_engine`.
    :param dtype: as the user gave it.
    :raises BackendError: no such precision, one that ``dtype`` speaks against, or one for torch.
    """
    if name not in PRECISIONS:
        raise BackendError(f'precision of a hub model must be one of {", ".join(PRECISIONS)}, not {name!r}')
    if engine != 'openvino':
        if name != 'auto':
            raise BackendError(f'precision {name} is for the engine openvino; torch computes in dtype')
        return ''
    said = {'float32': 'f32', 'bfloat16': 'bf16'}.get(dtype, name)
    if name not in ('auto', said):
        raise BackendError(f'precision is {name}, but dtype is {dtype}: leave one of them out')
    if said == 'auto':
        said = 'bf16'
    return said if 'BF16' in cpu_capabilities() else 'f32'


class OpenVinoEncoder:
    """An image encoder run by OpenVINO on the CPU, compiled once for each shape of its input.

    It takes as many threads as torch has at that time. The exported graph is kept on disk
    (:mod:`hub_graphs`).
    """

    def __init__(self, model: nn.Module, encode: Callable[[Tensor], tuple[Tensor, ...]], precision: str,
                 most_shapes: int = 2) -> None:
        """Take the encoder; nothing is done before :meth:`compile` or the first image.

        :param model: the transformers model that holds the weights.
        :param encode: (1, 3, h, w) float32 pixels -> tensors, by means of the model.
        :param precision: 'f32', or 'bf16': twice as fast where the CPU has it, with three digits.
        :param most_shapes: compiled graphs kept, the latest.
        """
        self.model = model
        self.encode = encode
        self.precision = precision
        self.most_shapes = most_shapes
        self._compiled: dict[tuple[int, ...], Any] = {}

    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Encode (1, 3, h, w) float32 pixels on the CPU; the results are float32."""
        shape = tuple(pixels.shape)
        self.compile(shape)
        outputs = self._compiled[shape].infer({0: pixels.contiguous().numpy()})
        return tuple(torch.from_numpy(np.array(value)) for value in outputs.values())

    def compile(self, shape: tuple[int, ...]) -> None:
        """Make ready for pixels of a shape (1, 3, h, w), where that is not done yet."""
        if shape in self._compiled:
            return
        while len(self._compiled) >= self.most_shapes:
            self._compiled.pop(next(iter(self._compiled)))
        options = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': self.precision,
                   'INFERENCE_NUM_THREADS': torch.get_num_threads()}
        compiled = import_openvino().Core().compile_model(self._graph(shape), 'CPU', options)
        self._compiled[shape] = compiled.create_infer_request()

    def _graph(self, shape: tuple[int, ...]) -> Any:
        return graph_at(graph_path(self.model, self.encode, shape),
                        lambda: export(self.model, self.encode, shape), most=KEPT)


def export(model: nn.Module, encode: Callable[[Tensor], tuple[Tensor, ...]], shape: tuple[int, ...]) -> Any:
    """Return OpenVINO's graph of an encoder for pixels of one shape."""
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')     # of what other inputs could do, which this graph does not take
        # torch.export runs nothing: an eighth of the time that a trace takes
        program = torch.export.export(_Encoder(model, encode).eval(), (torch.zeros(shape),))
        graph = import_openvino().convert_model(program)
    graph.reshape(list(shape))
    return graph


class _Encoder(nn.Module):
    """What torch exports: a function of the pixels, with the weights that it uses."""

    def __init__(self, model: nn.Module, encode: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.model = model
        self.encode = encode

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self.encode(pixels)
