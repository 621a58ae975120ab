"""The command ``vla-attention``: every stage without a robot at hand, for scripts and measurements.

One module a command: ``add(commands)`` declares its options, ``run(options)`` does the work.
"""

from __future__ import annotations

import argparse
import codecs
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vla_attention.cli import bag, bench, fetch_weights, ground, parse, serve, watch
from vla_attention.cli.common import Parser, UsageError, told

COMMANDS = (parse, ground, watch, bag, bench, serve, fetch_weights)
EXAMPLES = """examples:
  vla-attention parse "빨간 컵을 집어서 파란 접시 위에 놓아줘"
  vla-attention ground table.jpg "pick up the red mug" --out out/
  vla-attention watch episode.mp4 --out out/
  vla-attention ground --help       # each command has more
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    :returns: exit status: 0, or 2 for bad input (with one clear line on stderr).
    """
    _prepare_streams()
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command != 'bench':     # a benchmark has options of its own
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    options.rest = rest
    if sys.stdout is None:      # closed by the caller: the next file that is opened would take its place
        print(f'vla-attention {options.command}: standard output is closed', file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, stream=sys.stderr,
                        format='%(levelname)s: %(message)s')
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:     # `vla-attention ... | head` is no error
        # what is still in the buffer goes nowhere: Python would complain of the pipe once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, OSError) as error:
        print(f'vla-attention {options.command}: {told(error)}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _prepare_streams() -> None:
    """Let no output end the command: neither a closed stderr nor letters that stdout cannot hold."""
    if sys.stderr is None:      # closed by the caller; progress bars and the log write to it all the same
        nowhere = Path(os.devnull).open('w', encoding='utf-8', errors='backslashreplace')     # noqa: SIM115
        sys.stderr = nowhere
    for stream in (sys.stdout, sys.stderr):
        # --help has Korean examples. UTF-8 stays as it is: names that are no text pass through it unchanged
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != 'utf-8':
            stream.reconfigure(errors='backslashreplace')


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog='vla-attention', description='Tell the arm where to look.', epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--verbose', action='store_true', help='log what is loaded and done, to stderr')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for command in COMMANDS:
        command.add(commands)
    return parser
