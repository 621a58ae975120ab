"""``vla-attention watch``: the phase of the motion, frame by frame."""

from __future__ import annotations

import argparse
from typing import Any

from vla_attention.cli.backend import add_backend, make_pipeline
from vla_attention.cli.common import UsageError, add_command, make_folder, path, print_json, progress
from vla_attention.cli.images import write_image


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = add_command(commands, 'watch', 'Tell the phase of the motion, frame by frame and causally.', """\
  vla-attention watch episode.mp4 --out out/
  vla-attention watch frames/ --fps 10 --instruction "컵을 접시 위에 놓아줘"

The images of a folder come in the order of their names, numbers in them as numbers: frame2 before frame10.
""")
    parser.add_argument('source', type=path, metavar='VIDEO_OR_FOLDER')
    parser.add_argument('--fps', type=float, default=None,
                        help='frames per second of real time (default: of the video, or 10 for a folder)')
    parser.add_argument('--instruction', metavar='TEXT', help='follow what it names, not just what moves')
    parser.add_argument('--failure-rate', type=float, default=None, metavar='SHARE',
                        help='of the grasps that miss or drop the thing, 0 to 1 (default: 0.03)')
    parser.add_argument('--out', type=path, metavar='DIR', help='write the filmstrip as PNG')
    add_backend(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print one JSON object a frame; draw the filmstrip where --out is given."""
    from vla_attention.frames import FrameError
    if options.fps is not None and not options.fps > 0:
        raise UsageError(f'--fps must be greater than 0, got {options.fps}')
    try:
        _watch(options)
    except FrameError as error:
        raise UsageError(str(error)) from error


def _open(options: argparse.Namespace) -> Any:
    """Open the frames; what is wrong with them, or with the first, is told before a model loads."""
    from vla_attention.frames import open_frames
    from vla_attention.vision.image import check_image
    frames = open_frames(options.source, options.fps)
    _, first = next(iter(frames))
    if options.instruction:
        try:
            check_image(first)      # it may be too small to look at
        except ValueError as error:
            raise UsageError(f'{options.source}: {error}') from error
    return frames


def _watch(options: argparse.Namespace) -> None:
    frames = _open(options)
    if options.out is not None:
        make_folder(options.out, '--out')
    import cv2

    from vla_attention.frames import FrameError
    from vla_attention.grounding import BackendError
    from vla_attention.moments import MomentAttention, watch
    try:
        attention = (MomentAttention() if options.failure_rate is None
                     else MomentAttention(failure_rate=options.failure_rate))
    except ValueError as error:
        raise UsageError(str(error)) from error
    instruction = options.instruction or None
    pipeline = None if instruction is None else make_pipeline(options)
    moments = []
    try:
        for number, (_, moment) in enumerate(progress(
                watch(frames, instruction=instruction, pipeline=pipeline, attention=attention),
                'watch', len(frames))):
            print_json(_answer(number, moment))
            if options.out is not None:
                moments.append(moment)
        if moments:
            _draw(options, frames, moments)
    except (FrameError, UsageError):
        raise
    except (ValueError, BackendError) as error:     # an image too small to look at, a pool that is away
        raise UsageError(f'{options.source}: {error}') from error
    except cv2.error as error:      # of images that are nothing but wide, for one
        raise UsageError(f'{options.source}: OpenCV: {error.err}') from error


def _draw(options: argparse.Namespace, frames: Any, moments: list[Any]) -> None:
    from vla_attention.view.filmstrip import KEY_FRAMES, draw_episode, key_frames
    # read once more: all frames of a long video have no room in memory
    images = frames.images(key_frames(moments, KEY_FRAMES))
    write_image(options.out / f'{options.source.stem}_filmstrip.png', draw_episode(moments, images))


def _answer(number: int, moment: Any) -> dict[str, Any]:
    return {'frame': number, 'time': round(moment.time, 4), 'phase': moment.phase,
            'probabilities': {phase: round(float(p), 4) for phase, p in moment.probabilities.items()},
            'importance': round(float(moment.importance), 4),
            'focus_area': moment.focus_area and [round(float(value), 1) for value in moment.focus_area],
            'events': list(moment.events)}
