"""``vla-attention serve``: a pool of workers for the backend ``remote`` of many robots."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from typing import Any

from vla_attention.cli.backend import add_backend, backend_options, make_chosen
from vla_attention.cli.common import UsageError, add_command


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = add_command(commands, 'serve', 'Answer for many robots over HTTP (their backend: remote).', """\
  vla-attention serve                                          # this machine alone may ask
  vla-attention serve --host 0.0.0.0 --backend owlv2 --model owlv2_weights --gpus 0.5 --replicas 2
  vla-attention ground table.jpg "컵을 집어줘" --backend remote --remote-url http://pool:8000
  ros2 run vla_attention attention_node --ros-args -p backend:=remote -p remote_url:=http://pool:8000

Set VLA_ATTENTION_TOKEN on both sides to a secret that robots have to know. docs/fleet.md says more.
""")
    add_backend(parser, remote=False)
    parser.add_argument('--threads', type=int, default=0, metavar='N',
                        help='CPU threads of the embedded backend, in each replica (default: as it likes)')
    parser.add_argument('--host', default='127.0.0.1',
                        help='address to listen on; 0.0.0.0: all (default: %(default)s)')
    parser.add_argument('--port', type=int, default=8000, help='(default: %(default)s)')
    parser.add_argument('--engine', choices=('auto', 'ray', 'single'), default='auto',
                        help='ray: replicas by Ray Serve; single: one process; auto: ray where installed')
    pool = parser.add_argument_group('replicas (ray)')
    pool.add_argument('--replicas', type=int, default=1, metavar='N', help='at least (default: %(default)s)')
    pool.add_argument('--most-replicas', type=int, metavar='N',
                      help='at most; Ray scales in between (default: as many as --replicas)')
    pool.add_argument('--cpus', type=float, default=1, metavar='N',
                      help='of each replica (default: %(default)s)')
    pool.add_argument('--gpus', type=float, default=0, metavar='N',
                      help='of each replica; 0.5 puts two on one GPU (default: %(default)s)')
    load = parser.add_argument_group('load')
    load.add_argument('--batch', type=int, default=8, metavar='N',
                      help='frames that go through the model at once at most (default: %(default)s)')
    load.add_argument('--batch-wait', type=float, default=5, metavar='MS',
                      help='milliseconds that the first frame of a batch waits (default: %(default)s)')
    load.add_argument('--waiting', type=int, default=64, metavar='N',
                      help='frames in a replica at most; more are refused, and their robots help themselves '
                           '(default: %(default)s)')
    load.add_argument('--megabytes', type=float, default=16, metavar='MB',
                      help='that a frame may have (default: %(default)s)')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    most = options.most_replicas or options.replicas
    if not 1 <= options.replicas <= most:
        raise UsageError(f'--replicas {options.replicas} --most-replicas {most}: 1 <= replicas <= most')
    if not 0 < options.port < 65536:
        raise UsageError(f'--port must lie in 1 to 65535, got {options.port}')
    if options.cpus < 0 or options.gpus < 0:
        raise UsageError(f'--cpus {options.cpus} --gpus {options.gpus}: they must not be below 0')
    missing = [name for name in ('starlette', 'uvicorn') if find_spec(name) is None]
    engine = options.engine
    if engine == 'auto':
        engine = 'ray' if find_spec('ray') is not None else 'single'
    if engine == 'ray' and find_spec('ray') is None:
        missing.append('ray[serve]')
    if missing:
        raise UsageError(f'{", ".join(missing)} not installed: pip install {" ".join(map(repr, missing))}')
    if engine == 'single' and (most > 1 or options.gpus):
        without = '' if options.engine == 'single' else ', which is not installed: pip install "ray[serve]"'
        raise UsageError(f'--replicas, --most-replicas and --gpus are for Ray{without}')
    further = {'threads': options.threads} if options.threads and options.backend == 'embedded' else {}
    given = {'backend': options.backend, 'options': {**backend_options(options), **further},
             'batch': options.batch, 'batch_wait': options.batch_wait / 1e3, 'waiting': options.waiting,
             'megabytes': options.megabytes}
    from vla_attention.grounding.remote_link import TOKEN, clean_token
    from vla_attention.serve.settings import Settings
    try:
        settings = Settings.of(given)
        token = clean_token(os.environ.get(TOKEN, ''))
    except ValueError as error:
        raise UsageError(str(error)) from error
    where = f'http://{options.host}:{options.port}'
    if engine == 'single':
        backend = make_chosen(options, **further)
        print(f'{backend.name} on {backend.device} at {where}', file=sys.stderr)
        from vla_attention.serve import single
        single.run(backend, settings, options.host, options.port, token=token)
        return
    if not os.environ.get('RAY_ADDRESS'):
        make_chosen(options, **further)     # as replicas will: what is wrong is told in one line, at once
        print(f'{options.backend} on Ray at {where}', file=sys.stderr)
    else:
        print(f'{options.backend} on the Ray cluster of RAY_ADDRESS; where Serve does not run there yet, at '
              f'{where}', file=sys.stderr)
    from vla_attention.serve import pool
    try:
        pool.run(given, options.host, options.port, replicas=(options.replicas, most), cpus=options.cpus,
                 gpus=options.gpus, token=token)
    except RuntimeError as error:
        raise UsageError(f'the pool did not start: {error}') from error
