"""Exported graphs on disk: a model is exported once on a machine, not at each start."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would send what it is used for over the network.

    :raises ImportError: it is not installed.
    """
    sys.modules.setdefault('openvino_telemetry', None)      # type: ignore[arg-type]  # importing it fails
    import openvino
    return openvino


def cache_folder() -> Path | None:
    """Return where exported graphs are kept, None for a user without a home.

    It is ``$XDG_CACHE_HOME/vla_attention``, where that is an absolute path, or ``~/.cache/vla_attention``.
    """
    root = Path(os.environ.get('XDG_CACHE_HOME', ''))
    try:
        return (root if root.is_absolute() else Path.home() / '.cache') / 'vla_attention'
    except RuntimeError:
        return None


def graph_at(path: Path | None, export: Callable[[], Any], *, most: int) -> Any:
    """Return the graph that is kept at a path, or else what ``export`` returns, which is kept there then.

    :param path: None keeps nothing.
    :param most: as in :func:`keep_graph`.
    """
    if path is None:
        return export()
    graph = load_graph(path)
    if graph is None:
        graph = export()
        keep_graph(graph, path, most=most)
    return graph


def load_graph(path: Path) -> Any | None:
    """Return the graph, None where there is none that can be read."""
    try:
        if not path.is_file():
            return None
        graph = import_openvino().Core().read_model(path)
    except (OSError, RuntimeError) as error:
        _log.warning('%s cannot be read (%s); the model is exported again', path, _first_line(error))
        return None
    with suppress(OSError):         # a folder that is read alone serves as well
        os.utime(path)
    return graph


def keep_graph(graph: Any, path: Path, *, most: int) -> None:
    """Write a graph, whole or not at all; where that fails, the next start exports again.

    :param path: of an ``.xml`` file; the weights go beside it.
    :param most: graphs that stay in the folder, the last used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix='part_') as folder:
            part = Path(folder) / path.name
            import_openvino().save_model(graph, part, compress_to_fp16=False)
            part.with_suffix('.bin').replace(path.with_suffix('.bin'))
            part.replace(path)      # last: a graph is looked for by this name
        there = sorted(path.parent.glob('*.xml'), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in there[most:]:
            old.unlink(missing_ok=True)
            old.with_suffix('.bin').unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        _log.info('the exported model is not kept in %s: %s', path.parent, _first_line(error))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition('\n')[0]
