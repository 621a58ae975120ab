"""``vla-attention ground``: what an instruction names in a photograph, as JSON and pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from vla_attention.cli.backend import add_backend, make_pipeline
from vla_attention.cli.common import UsageError, add_command, print_json, progress, read_lines
from vla_attention.cli.images import read_depth, read_image, write_image


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = add_command(commands, 'ground', 'Find what an instruction names in a photograph.', """\
  vla-attention ground table.jpg "pick up the red mug left of the laptop" --out out/
  vla-attention ground table.png "컵을 집어줘" --depth depth.png --intrinsics 615 615 320 240
  vla-attention ground --jsonl questions.jsonl      # lines of {"image": ..., "instruction": ...}
""")
    parser.add_argument('image', nargs='?', type=Path, metavar='IMAGE')
    parser.add_argument('instruction', nargs='?', metavar='INSTRUCTION')
    parser.add_argument('--jsonl', type=Path, metavar='FILE',
                        help='many questions, one JSON object a line; one that cannot be answered gets an '
                             '"error" in its place, and the status is 2 in the end')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='write the overlay, the maps, and a sheet of all heads and words as PNG')
    parser.add_argument('--depth', type=Path, metavar='FILE',
                        help='registered depth: 16-bit PNG in millimetres, or .npy/.tiff of floats in metres')
    parser.add_argument('--intrinsics', type=float, nargs=4, metavar=('FX', 'FY', 'CX', 'CY'),
                        help='of the image, in pixels')
    add_backend(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Answer each question with one JSON object, and with pictures where --out is given."""
    if (options.depth is None) != (options.intrinsics is None):
        raise UsageError('--depth and --intrinsics go together')
    if options.jsonl is not None:
        if options.image is not None:
            raise UsageError('give IMAGE and INSTRUCTION, or --jsonl, not both')
        questions = [_question(options.jsonl, number, line)
                     for number, line in enumerate(read_lines(options.jsonl), 1) if line.strip()]
    elif options.image is None or options.instruction is None:
        raise UsageError('give IMAGE and INSTRUCTION, or --jsonl FILE')
    else:
        questions = [(options.image, options.instruction)]
    pipeline = make_pipeline(options)
    failed = 0
    for number, (path, text) in enumerate(progress(questions, 'ground', len(questions))):
        try:
            look = _look(pipeline, path, text, options)
        except (UsageError, OSError) as error:
            if options.jsonl is None:
                raise
            print_json({**_nothing(), 'error': str(error)})
            failed += 1
            continue
        print_json(_answer(look))
        if options.out is not None:
            stem = path.stem if options.jsonl is None else f'{number:04d}_{path.stem}'
            _write_look(options.out, stem, read_image(path), look)
    if failed:
        raise UsageError(f'{failed} of {len(questions)} questions could not be answered')


def _question(source: Path, number: int, line: str) -> tuple[Path, str]:
    try:
        data = json.loads(line)
        if not isinstance(data['instruction'], str):
            raise TypeError
        return Path(data['image']), data['instruction']
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UsageError(f'{source}, line {number}: not {{"image": ..., "instruction": ...}}') from error


def _look(pipeline: Any, path: Path, text: str, options: argparse.Namespace) -> Any:
    image = read_image(path)
    try:
        look = pipeline.look(image, pipeline.instruct(text))
    except ValueError as error:     # too small to look at
        raise UsageError(f'{path}: {error}') from error
    if options.depth is None:
        return look
    from vla_attention.focus import Intrinsics
    try:
        return pipeline.lift(look, image, read_depth(options.depth), Intrinsics(*options.intrinsics))
    except ValueError as error:
        raise UsageError(f'{options.depth}: {error}') from error


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
            found['center'] = [round(float(value), 4) for value in region.center]
            found['size'] = [round(float(value), 4) for value in region.size]
        elif region.no_3d:
            found['no_3d'] = region.no_3d
        answer[region.role].append(found)
    if look.query.instruction.reason:
        answer['reason'] = look.query.instruction.reason
    return answer


def _write_look(folder: Path, stem: str, image: Any, look: Any) -> None:
    from vla_attention.view.heads import draw_heads
    from vla_attention.view.overlay import draw_heat, draw_overlay
    targets = look.query.indices('target')
    attention = None if look.maps is None or not targets else look.maps.maps[targets[0]]
    write_image(folder / f'{stem}_overlay.png', draw_overlay(image, look.regions, attention=attention))
    if look.maps is not None:
        write_image(folder / f'{stem}_heads.png', draw_heads(image, look.maps, look.query.roles))
        for index, role in enumerate(look.query.roles):
            write_image(folder / f'{stem}_{index}_{role}.png', draw_heat(image, look.maps.maps[index]))
