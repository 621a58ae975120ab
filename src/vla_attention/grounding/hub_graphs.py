"""Exported image encoders of hub models on disk: a model is exported once on a machine, not at each start."""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from vla_attention.grounding.hub import first_line, import_transformers
from vla_attention.vision.engine import cache_folder, import_openvino

KEPT = 4        # graphs on disk, the last used: each has the encoder's weights, hundreds of megabytes
_log = logging.getLogger(__name__)


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


def load_graph(path: Path) -> Any | None:
    """Return the graph, None where there is none that can be read."""
    try:
        if not path.is_file():
            return None
        graph = import_openvino().Core().read_model(path)
    except (OSError, RuntimeError) as error:
        _log.warning('%s cannot be read (%s); the model is exported again', path, first_line(error))
        return None
    with suppress(OSError):         # a folder that is read alone serves as well
        os.utime(path)
    return graph


def keep_graph(graph: Any, path: Path) -> None:
    """Write the graph, whole or not at all; where that fails, the next start exports again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix='part_') as folder:
            part = Path(folder) / path.name
            import_openvino().save_model(graph, part, compress_to_fp16=False)
            part.with_suffix('.bin').replace(path.with_suffix('.bin'))
            part.replace(path)      # last: a graph is looked for by this name
        there = sorted(path.parent.glob('*.xml'), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in there[KEPT:]:
            old.unlink(missing_ok=True)
            old.with_suffix('.bin').unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        _log.info('the exported model is not kept in %s: %s', path.parent, first_line(error))
