"""``vla-attention bag``: attend to recorded bags."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Generator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vla_attention.cli.backend import add_backend, backend_options
from vla_attention.cli.common import UsageError, add_command, path, print_json, progress, told

LOG = logging.getLogger('vla_attention')
ROLES = ('image', 'depth', 'camera_info', 'instruction')


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = add_command(commands, 'bag', 'Attend to the images of recorded bags, without ROS.', """\
  vla-attention bag table.mcap table_attended.mcap --instruction "빨간 컵을 집어줘"
  vla-attention bag table.mcap table_attended.mcap --merge      # the bag's own instructions, inputs copied
  vla-attention bag monday/*.mcap attended/ --instruction "pick up the red mug" --jobs 4

Written are instruction/parsed, attention/target, .../destination and .../avoid (of all steps of the
instruction), focus/regions, overlay/compressed and, where depth and camera_info are recorded,
focus/regions_3d.
Called again, it goes on with the bags that are not finished. The result opens in Foxglove and with ros2 bag.
A bag that cannot be worked on leaves the others alone; the exit status is 2 then.
""")
    parser.add_argument('sources', nargs='+', type=path, metavar='IN',
                        help='MCAP files, rosbag2 folders or ROS 1 bags')
    parser.add_argument('target', type=path, metavar='OUT',
                        help='an .mcap file for one bag; a folder for more, where each keeps its name')
    parser.add_argument('--instruction', default='', metavar='TEXT',
                        help='what to look for (default: what the instruction topic of the bag says)')
    for role in ROLES:
        parser.add_argument(f'--{role.replace("_", "-")}-topic', default='', metavar='TOPIC',
                            help='(default: the one of its type)' if role != 'depth' else
                            'registered to the image (default: the one with depth in its name)')
    parser.add_argument('--prefix', default='', metavar='/NAME', help='before the names of output topics')
    parser.add_argument('--merge', action='store_true', help='copy the messages of the bag too')
    parser.add_argument('--no-overlay', action='store_true', help='leave out overlay/compressed')
    parser.add_argument('--overwrite', action='store_true', help='make again what is there')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='bags at the same time (default: %(default)s)')
    parser.add_argument('--engine', choices=('auto', 'processes', 'ray'), default='auto',
                        help='where jobs run; auto: on the Ray cluster that RAY_ADDRESS names, if it is set '
                             'and Ray installed, else in processes of this machine')
    parser.add_argument('--gpus', type=float, default=0, metavar='N', help='of each job on Ray')
    add_backend(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Attend to the bags; print one JSON object a bag.

    :raises UsageError: the arguments cannot be worked with, or a bag has failed.
    :raises SystemExit: SIGTERM came; what was half-written is removed.
    """
    missing = [name for name in ('rosbags', 'mcap') if find_spec(name) is None]
    if missing:
        raise UsageError(f'{", ".join(missing)} not installed: pip install "rosbags>=0.10.10" "mcap>=1.2"')
    if options.jobs < 1:
        raise UsageError(f'--jobs must be at least 1, got {options.jobs}')
    if options.prefix and not options.prefix.startswith('/'):
        raise UsageError(f'--prefix must begin with /, got {options.prefix!r}')
    try:
        options.instruction.encode()
    except UnicodeEncodeError as error:     # bytes of the command line that are not UTF-8
        raise UsageError(f'--instruction is no text: {options.instruction!r}') from error
    pairs = _targets(options.sources, options.target)
    from vla_attention.bag.many import orderly_end
    with orderly_end():
        failed = _attend(options, pairs)
    if failed:
        raise UsageError(f'{len(failed)} of {len(options.sources)} bags failed: '
                         + ', '.join(str(source) for source in failed))


def _attend(options: argparse.Namespace, pairs: list[tuple[Path, Path]]) -> list[Path]:
    """Attend to what is not done of (source, target); return the bags that failed."""
    from vla_attention.bag.attend import Task
    from vla_attention.bag.reader import BagError
    from vla_attention.bag.writer import remove_abandoned
    given = {role: getattr(options, f'{role}_topic') for role in ROLES if getattr(options, f'{role}_topic')}
    tasks, failed = [], []
    for source, target in pairs:
        remove_abandoned(target)
        task = Task(source, target, options.instruction, given, options.prefix.rstrip('/'), options.merge,
                    not options.no_overlay, options.backend, backend_options(options))
        try:
            if not options.overwrite and task.done():
                print_json({'bag': str(source), 'out': str(target), 'status': 'done before'})
                continue
        except (BagError, OSError) as error:
            LOG.error('%s', told(error))
            failed.append(source)
            continue
        tasks.append(task)
    return failed + _work(tasks, options)


def _targets(sources: list[Path], target: Path) -> list[tuple[Path, Path]]:
    for source in sources:
        if not source.exists():
            raise UsageError(f'there is no bag {source}')
    if len(sources) == 1 and target.suffix == '.mcap' and not target.is_dir():
        pairs = [(sources[0], target)]
    elif target.exists() and not target.is_dir():
        raise UsageError(f'{target} is a file; several bags go into a folder')
    else:
        pairs = [(source, target / f'{source.name.removesuffix(".mcap")}.mcap') for source in sources]
    names = [name for _, name in pairs]
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f'several bags would become {", ".join(twice)}')
    for source, name in pairs:
        if name.resolve() == source.resolve():
            raise UsageError(f'{source} would be overwritten by its result')
    return pairs


def _outcomes(tasks: list[Any], options: argparse.Namespace) -> Generator[Any, None, None]:
    from vla_attention.bag import many
    if not tasks:
        return
    if len(tasks) == 1 and options.engine != 'ray':
        with tqdm(desc=tasks[0].source.name, unit=' frames', file=sys.stderr, disable=None) as bar:
            outcome = many.attend_one(tasks[0], bar.update)
        yield outcome
        return
    on_ray = options.engine == 'ray' or (options.engine == 'auto' and 'RAY_ADDRESS' in os.environ
                                         and find_spec('ray') is not None)
    if on_ray and find_spec('ray') is None:
        raise UsageError('--engine ray: Ray is not installed: pip install "ray[serve]>=2.40"')
    found = (many.attend_on_ray(tasks, options.jobs, {'num_cpus': 1, 'num_gpus': options.gpus})
             if on_ray else many.attend_in_processes(tasks, options.jobs))
    with closing(found):
        yield from progress(found, 'bags', len(tasks))


def _work(tasks: list[Any], options: argparse.Namespace) -> list[Path]:
    with closing(_outcomes(tasks, options)) as outcomes:    # whatever ends this early ends the processes too
        return [outcome.task.source for outcome in outcomes if not _tell(outcome)]


def _tell(outcome: Any) -> bool:
    """Print what came of a bag; say whether it is done."""
    said = {'bag': str(outcome.task.source), 'out': str(outcome.task.target)}
    if outcome.summary is None:
        LOG.error('%s', outcome.error)
        print_json({**said, 'status': 'failed', 'reason': outcome.error})
        return False
    for warning in outcome.summary.warnings:
        LOG.warning('%s', warning)
    print_json({**said, 'status': 'done', 'frames': outcome.summary.frames,
                'skipped': outcome.summary.skipped, 'in space': outcome.summary.lifted})
    return True
