"""The options that choose what grounds phrases, and the pipeline that they make."""

from __future__ import annotations

import argparse
from typing import Any

from vla_attention.cli.common import UsageError


def add_backend(parser: argparse.ArgumentParser, *, remote: bool = True) -> None:
    """Declare --backend, --model, --device, --looks, --precision, and --remote-... where ``remote``."""
    parser.add_argument('--backend', default='embedded', metavar='NAME',
                        help='embedded (default), clipseg, owlv2, grounding_dino, siglip'
                        + (', or remote' if remote else ''))
    parser.add_argument('--model', metavar='NAME_OR_FOLDER', help='hub name or local folder of the backend')
    parser.add_argument('--device', default=None, help='cpu or cuda')
    parser.add_argument('--looks', type=int, default=None, metavar='N',
                        help='candidates of a phrase that the embedded model looks at again from near '
                        '(default: 8; 0: none, which is faster)')
    parser.add_argument('--precision', default=None, metavar='NAME',
                        help='numbers of the embedded model in OpenVINO: auto (default), int8, bf16 or f32; '
                        'of the image part of clipseg and owlv2: auto, bf16 or f32')
    if remote:
        parser.add_argument('--remote-url', metavar='URL',
                            help='of vla-attention serve, for --backend remote')
        parser.add_argument('--remote-timeout', type=float, default=60.0, metavar='SECONDS',
                            help='for an answer of the pool, without which the command fails: nothing else '
                            'answers in its place, as it does on a robot (default: 60)')


def backend_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say, as :func:`vla_attention.grounding.make_backend` takes it.

    :raises UsageError: --looks is negative, or an option is for another backend.
    """
    chosen = {name: value for name, value in (('model', options.model), ('device', options.device))
              if value is not None}
    if options.precision is not None:
        chosen['precision'] = options.precision
    if options.looks is not None:
        if options.backend != 'embedded':
            raise UsageError(f'--looks is for the backend embedded, not {options.backend}')
        if options.looks < 0:
            raise UsageError(f'--looks must be 0 or more, got {options.looks}')
        chosen['looks'] = options.looks
    if options.backend == 'remote':
        return _remote_options(options, chosen)
    if options.backend == 'embedded' and 'model' in chosen:
        chosen['weights'] = chosen.pop('model')
    return chosen


def _remote_options(options: argparse.Namespace, chosen: dict[str, Any]) -> dict[str, Any]:
    from vla_attention.grounding.remote import NoFallback
    if chosen:
        raise UsageError(f'--{", --".join(chosen)}: that is for vla-attention serve to say, not for '
                         '--backend remote')
    return {'url': options.remote_url or '', 'timeout': options.remote_timeout, 'fallback': NoFallback()}


def make_chosen(options: argparse.Namespace, **further: Any) -> Any:
    """Return the backend that was chosen.

    :raises UsageError: there is no such backend, or it cannot be loaded.
    """
    from vla_attention.grounding import BackendError, make_backend
    try:
        return make_backend(options.backend, **backend_options(options), **further)
    except BackendError as error:
        raise UsageError(f'--backend {options.backend}: {error}') from error


def make_pipeline(options: argparse.Namespace) -> Any:
    """Return the pipeline of the backend that was chosen.

    :raises UsageError: there is no such backend, or it cannot be loaded.
    """
    from vla_attention.pipeline import Pipeline
    return Pipeline(make_chosen(options))
