"""``vla-attention fetch-weights``: a hub model into a folder."""

from __future__ import annotations

import argparse
from typing import Any

from vla_attention.cli.common import UsageError, add_command, make_folder, path


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = add_command(
        commands, 'fetch-weights', 'Download a hub model into a folder to carry to the robot.', '''\
  vla-attention fetch-weights owlv2 --out weights/owlv2
''')
    parser.add_argument('name', metavar='NAME', help='clipseg, owlv2, grounding_dino, siglip, or a hub name')
    parser.add_argument('--out', type=path, required=True, metavar='DIR')
    parser.add_argument('--revision', default=None, help='commit of the hub repository to pin')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Download, and print where to."""
    from vla_attention.grounding import BackendError
    from vla_attention.grounding.fetch import fetch_weights
    make_folder(options.out, '--out')
    try:
        print(fetch_weights(options.name, options.out, options.revision))
    except BackendError as error:
        raise UsageError(str(error)) from error
