"""Where the exported image encoder of a hub model belongs on disk: by all that it follows from."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vla_attention.grounding.hub import import_transformers
from vla_attention.vision.graphs import cache_folder, import_openvino

KEPT = 4        # graphs on disk, the last used: each has the encoder's weights, hundreds of megabytes


def graph_path(model: Any, encode: Callable[..., Any], shape: tuple[int, ...]) -> Path | None:
    """Return where the graph of an encoder belongs, None where there is no home to keep it in.

    ``$XDG_CACHE_HOME/vla_attention/hub`` (``~/.cache`` by default); the name is a digest of all that the
    graph follows from: weights, configuration, shape of the input, the code that runs, and the versions of
    what traced it. The numbers that OpenVINO computes in are chosen later, when a graph is compiled.

    :param model: a transformers model with its weights in float32 or integers, on the CPU.
    """
    folder = cache_folder()
    return folder and folder / 'hub' / f'{_digest(model, encode, shape)}.xml'


def _digest(model: Any, encode: Callable[..., Any], shape: tuple[int, ...]) -> str:
    config = {name: value for name, value in model.config.to_dict().items() if name != '_name_or_path'}
    versions = [package.__version__ for package in (import_openvino(), torch, import_transformers())]
    digest = hashlib.sha256(repr((versions, shape, sorted(config.items(), key=str))).encode())
    digest.update(Path(inspect.getfile(encode)).read_bytes())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
        digest.update(tensor.detach().contiguous().reshape(-1).numpy())
    return digest.hexdigest()[:24]
