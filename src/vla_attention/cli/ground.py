"""``vla-attention ground``: what an instruction names in a photograph, as JSON and pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

from vla_attention.cli.backend import add_backend, make_pipeline
from vla_attention.cli.common import (
    UsageError,
    add_command,
    as_on_disk,
    make_folder,
    path,
    print_json,
    progress,
    read_lines,
    told,
)
from vla_attention.cli.images import read_depth, read_image, write_image


class _Question(NamedTuple):
    image: Path
    instruction: str
    depth: Path | None


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = add_command(commands, 'ground', 'Find what an instruction names in a photograph.', """\
  vla-attention ground table.jpg "pick up the red mug left of the laptop" --out out/
  vla-attention ground table.png "컵을 집어줘" --depth depth.png --intrinsics 615 615 320 240
  vla-attention ground --jsonl questions.jsonl      # lines of {"image": ..., "instruction": ...}

"box" and "point" are pixels of the image. With depth, "center" and "size" (metres) and "orientation"
(quaternion x, y, z, w) are those of the thing's box in space, in the camera's optical frame: z forward,
x right, y down. Size is along the box's own axes, of which z points away from what the thing stands on.
""")
    parser.add_argument('image', nargs='?', type=path, metavar='IMAGE')
    parser.add_argument('instruction', nargs='?', metavar='INSTRUCTION')
    parser.add_argument('--jsonl', type=path, metavar='FILE',
                        help='many questions, one JSON object a line; one that cannot be answered gets an '
                             '"error" in its place, and the status is 2 in the end; a line may say "depth" '
                             'too, as --depth does of one image')
    parser.add_argument('--out', type=path, metavar='DIR',
                        help='write the overlay, the maps, and a sheet of all heads and words as PNG; what '
                             'is not in view has no bright spot in overlay and maps')
    parser.add_argument('--depth', type=path, metavar='FILE',
                        help='registered depth: 16-bit PNG in millimetres, or .npy/.tiff of floats in metres')
    parser.add_argument('--intrinsics', type=float, nargs=4, metavar=('FX', 'FY', 'CX', 'CY'),
                        help='of the image, in pixels')
    add_backend(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Answer each question with one JSON object, and with pictures where --out is given."""
    questions = _questions(options)
    if any(question.depth is not None for question in questions) != (options.intrinsics is not None):
        raise UsageError('--intrinsics and depth (--depth, or "depth" in lines of --jsonl) go together')
    intrinsics = _intrinsics(options)
    if options.out is not None:
        make_folder(options.out, '--out')
    if options.jsonl is None:
        _read(questions[0])     # what is wrong with it is told before a model loads
    pipeline = make_pipeline(options)
    failed = 0
    for number, question in enumerate(progress(questions, 'ground', len(questions))):
        answer = _nothing()
        try:
            look = _look(pipeline, question, intrinsics)
            answer = _answer(look)
            if options.out is not None:
                stem = question.image.stem if options.jsonl is None else f'{number:04d}_{question.image.stem}'
                _write_look(options.out, stem, read_image(question.image), look)
        except (UsageError, OSError) as error:
            if options.jsonl is None:
                raise
            answer['error'] = told(error)
            failed += 1
        print_json(answer)
    if failed:
        raise UsageError(f'{failed} of {len(questions)} questions could not be answered')


def _intrinsics(options: argparse.Namespace) -> Any:
    """Return the camera; what is wrong with it is told before a model loads, and is no fault of the depth."""
    if options.intrinsics is None:
        return None
    from vla_attention.focus import Intrinsics
    try:
        return Intrinsics(*options.intrinsics)
    except ValueError as error:
        raise UsageError(f'--intrinsics: {str(error).removeprefix("intrinsics: ")}') from error


def _questions(options: argparse.Namespace) -> list[_Question]:
    if options.jsonl is None:
        if options.image is None or options.instruction is None:
            raise UsageError('give IMAGE and INSTRUCTION, or --jsonl FILE')
        return [_Question(options.image, options.instruction, options.depth)]
    if options.image is not None:
        raise UsageError('give IMAGE and INSTRUCTION, or --jsonl, not both')
    if options.depth is not None:
        raise UsageError('--depth is of one IMAGE; lines of --jsonl say "depth" each')
    return [_question(options.jsonl, number, line)
            for number, line in enumerate(read_lines(options.jsonl), 1) if line.strip()]


def _question(source: Path, number: int, line: str) -> _Question:
    try:
        data = json.loads(line)
        if not isinstance(data['instruction'], str):
            raise TypeError
        depth = data.get('depth')
        if '' in (data['image'], depth):        # it would be the current folder
            raise UsageError(f'{source}, line {number}: "image" or "depth" is empty')
        return _Question(as_on_disk(Path(data['image'])), data['instruction'],
                         None if depth is None else as_on_disk(Path(depth)))
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UsageError(f'{source}, line {number}: not {{"image": ..., "instruction": ...}} or '
                         '{"image": ..., "instruction": ..., "depth": ...}') from error


def _read(question: _Question) -> tuple[Any, Any]:
    """Return the picture, (H, W, 3) uint8 RGB, and its depth, (H, W) float32 metres, or None.

    :raises UsageError: one of them cannot be worked with; the message names the file.
    :raises OSError: one of them cannot be read.
    """
    from vla_attention.vision.image import check_image
    image = read_image(question.image)
    try:
        check_image(image)      # it may be too small to look at
    except ValueError as error:
        raise UsageError(f'{question.image}: {error}') from error
    if question.depth is None:
        return image, None
    depth = read_depth(question.depth)
    if depth.shape != image.shape[:2]:      # also where nothing is in view
        raise UsageError(f'{question.depth}: depth is {depth.shape[1]}x{depth.shape[0]} and the image '
                         f'{image.shape[1]}x{image.shape[0]}; they must be registered')
    return image, depth


def _look(pipeline: Any, question: _Question, intrinsics: Any) -> Any:
    from vla_attention.grounding import BackendError
    image, depth = _read(question)
    try:
        look = pipeline.look(image, pipeline.instruct(question.instruction))
    except BackendError as error:   # a pool that does not answer
        raise UsageError(str(error)) from error
    except ValueError as error:     # what its backend does not take
        raise UsageError(f'{question.image}: {error}') from error
    if depth is None:
        return look
    try:
        return pipeline.lift(look, image, depth, intrinsics)
    except ValueError as error:
        raise UsageError(f'{question.depth}: {error}') from error


def _nothing() -> dict[str, Any]:
    from vla_attention.pipeline import REGION_ROLES
    return {role: [] for role in REGION_ROLES}


def _answer(look: Any) -> dict[str, Any]:
    answer = _nothing()
    for region in look.regions:
        found = {'phrase': region.phrase, 'score': round(float(region.score), 4),
                 'box': [round(float(value), 1) for value in region.box],
                 'point': [round(float(value), 1) for value in region.point]}
        if region.center is not None:
            found |= {name: [round(float(value), 4) for value in getattr(region, name)]
                      for name in ('center', 'size', 'orientation')}
        elif region.no_3d:
            found['no_3d'] = region.no_3d
        answer[region.role].append(found)
    if look.query.instruction.reason:
        answer['reason'] = look.query.instruction.reason
    return answer


def _write_look(folder: Path, stem: str, image: Any, look: Any) -> None:
    from vla_attention.view.heads import draw_heads
    from vla_attention.view.overlay import draw_heat, draw_overlay
    seen = {(region.role, region.phrase) for region in look.regions}
    unseen = [phrase for role, phrase in zip(look.query.roles, look.query.phrases, strict=True)
              if (role, phrase) not in seen]
    write_image(folder / f'{stem}_overlay.png', draw_overlay(
        image, look.regions, attention=look.attention('target', step=-1),
        phase=f'not in view: {", ".join(unseen)}' if unseen else ''))   # the line at the bottom
    if look.maps is not None:
        write_image(folder / f'{stem}_heads.png', draw_heads(image, look.maps, look.query.roles))
        for index, role in enumerate(look.query.roles):
            write_image(folder / f'{stem}_{index}_{role}.png', draw_heat(
                image, look.maps.maps[index] * look.maps.presence[index]))
