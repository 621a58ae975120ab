"""The options that choose what grounds phrases, and the pipeline that they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vla_attention.cli.common import UsageError


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Declare --backend, --model and --device."""
    parser.add_argument('--backend', default='embedded', metavar='NAME',
                        help='embedded (default), clipseg, owlv2, grounding_dino or siglip')
    parser.add_argument('--model', metavar='NAME_OR_FOLDER', help='hub name or local folder of the backend')
    parser.add_argument('--device', default=None, help='cpu or cuda')


def make_pipeline(options: argparse.Namespace) -> Any:
    """Return the pipeline of the backend that was chosen.

    :raises UsageError: there is no such backend, or it cannot be loaded.
    """
    from vla_attention.grounding import BackendError, make_backend
    from vla_attention.pipeline import Pipeline
    chosen = {name: value for name, value in (('model', options.model), ('device', options.device))
              if value is not None}
    if options.backend == 'embedded' and 'model' in chosen:
        chosen['weights'] = Path(chosen.pop('model'))
    try:
        return Pipeline(make_backend(options.backend, **chosen))
    except BackendError as error:
        raise UsageError(f'--backend {options.backend}: {error}') from error
