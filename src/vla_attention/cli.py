"""The command ``vla-attention``: every stage without a robot at hand, for scripts and measurements."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

LOG = logging.getLogger('vla_attention')
BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


class UsageError(ValueError):
    """What the user gave cannot be worked with; the message says what and why, in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    :returns: exit status: 0, or 2 for bad input (with one clear line on stderr).
    """
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command != 'bench':     # a benchmark has options of its own
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    options.rest = rest
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, stream=sys.stderr,
                        format='%(levelname)s: %(message)s')
    try:
        options.run(options)
    except (UsageError, OSError) as error:
        print(f'vla-attention {options.command}: {error}', file=sys.stderr)
        return 2
    except BrokenPipeError:     # `vla-attention ... | head` is no error
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='vla-attention', description='Tell the arm where to look.',
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--verbose', action='store_true', help='log what is loaded and done, to stderr')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for add in (_add_parse, _add_ground, _add_watch, _add_bench, _add_fetch_weights):
        add(commands)
    return parser


def _add(commands: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=text, description=text, epilog='examples:\n' + examples,
                               formatter_class=argparse.RawDescriptionHelpFormatter)


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, ensure_ascii=False), flush=True)


def _progress(items: Iterable[Any], what: str, total: int | None = None) -> Iterator[Any]:
    """Show a bar on stderr while items go by; none where stderr is not a terminal."""
    yield from tqdm(items, desc=what, total=total, file=sys.stderr, disable=None)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f'{path} is not UTF-8 text: {error.reason} at byte {error.start}') from error


# ---- parse ---------------------------------------------------------------------------------------


def _add_parse(commands: Any) -> None:
    parser = _add(commands, 'parse', 'Take an instruction apart: roles, steps, weights.', """\
  vla-attention parse "빨간 컵을 천천히 집어서 파란 접시 위에 놓아줘"
  vla-attention parse --lines commands.txt
  vla-attention parse "pick up the red mug" --head argument --out sentence.png
""")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('text', nargs='?', metavar='TEXT', help='an instruction in Korean or English')
    source.add_argument('--lines', type=Path, metavar='FILE',
                        help='a file with one instruction a line; prints one JSON object a line')
    parser.add_argument('--heads', action='store_true', help='print the attention heads (query, key) too')
    parser.add_argument('--out', type=Path, metavar='PNG', help='draw the sentence with its roles and links')
    parser.add_argument('--head', default=None, metavar='NAME',
                        help='the head whose links --out draws, e.g. modifier, argument, action_order')
    parser.set_defaults(run=_parse)


def _parse(options: argparse.Namespace) -> None:
    from vla_attention.language import parse_instruction
    if options.lines is not None and options.out is not None:
        raise UsageError('--out draws one instruction; give TEXT instead of --lines')
    lines = [options.text] if options.lines is None else _read_lines(options.lines)
    for line in _progress(lines, 'parse', len(lines)):
        instruction = parse_instruction(line)
        data = instruction.to_dict()
        if options.heads:
            data['heads'] = {name: head.round(4).tolist() for name, head in instruction.heads.items()}
        _print_json(data)
    if options.out is not None:
        from vla_attention.view.sentence import draw_sentence
        if options.head is not None and options.head not in instruction.heads:
            raise UsageError(f'--head {options.head}: there are {", ".join(instruction.heads) or "none"}')
        _write_image(options.out, draw_sentence(instruction, options.head))


# ---- ground --------------------------------------------------------------------------------------


def _add_ground(commands: Any) -> None:
    parser = _add(commands, 'ground', 'Find what an instruction names in a photograph.', """\
  vla-attention ground table.jpg "pick up the red mug left of the laptop" --out out/
  vla-attention ground table.png "컵을 집어줘" --depth depth.png --intrinsics 615 615 320 240
  vla-attention ground --jsonl questions.jsonl      # lines of {"image": ..., "instruction": ...}
""")
    parser.add_argument('image', nargs='?', type=Path, metavar='IMAGE')
    parser.add_argument('instruction', nargs='?', metavar='INSTRUCTION')
    parser.add_argument('--jsonl', type=Path, metavar='FILE', help='many questions, one JSON object a line')
    parser.add_argument('--out', type=Path, metavar='DIR', help='write the overlay and the maps as PNG')
    parser.add_argument('--depth', type=Path, metavar='FILE',
                        help='registered depth: 16-bit PNG in millimetres, or .npy/.tiff of floats in metres')
    parser.add_argument('--intrinsics', type=float, nargs=4, metavar=('FX', 'FY', 'CX', 'CY'),
                        help='of the image, in pixels')
    _add_backend(parser)
    parser.set_defaults(run=_ground)


def _add_backend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--backend', default='embedded', metavar='NAME',
                        help='embedded (default), clipseg, owlv2, grounding_dino or siglip')
    parser.add_argument('--model', metavar='NAME_OR_FOLDER', help='hub name or local folder of the backend')
    parser.add_argument('--device', default=None, help='cpu or cuda')


def _make_pipeline(options: argparse.Namespace) -> Any:
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


def _ground(options: argparse.Namespace) -> None:
    if (options.depth is None) != (options.intrinsics is None):
        raise UsageError('--depth and --intrinsics go together')
    if options.jsonl is not None:
        if options.image is not None:
            raise UsageError('give IMAGE and INSTRUCTION, or --jsonl, not both')
        questions = [_question(options.jsonl, number, line)
                     for number, line in enumerate(_read_lines(options.jsonl), 1) if line.strip()]
    elif options.image is None or options.instruction is None:
        raise UsageError('give IMAGE and INSTRUCTION, or --jsonl FILE')
    else:
        questions = [(options.image, options.instruction)]
    pipeline = _make_pipeline(options)
    for number, (path, text) in enumerate(_progress(questions, 'ground', len(questions))):
        look = _look(pipeline, path, text, options)
        _print_json(_answer(look))
        if options.out is not None:
            stem = path.stem if options.jsonl is None else f'{number:04d}_{path.stem}'
            _write_look(options.out, stem, _read_image(path), look)


def _question(source: Path, number: int, line: str) -> tuple[Path, str]:
    try:
        data = json.loads(line)
        return Path(data['image']), str(data['instruction'])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UsageError(f'{source}, line {number}: not {{"image": ..., "instruction": ...}}') from error


def _look(pipeline: Any, path: Path, text: str, options: argparse.Namespace) -> Any:
    image = _read_image(path)
    look = pipeline.look(image, pipeline.instruct(text))
    if options.depth is None:
        return look
    from vla_attention.focus import Intrinsics
    try:
        return pipeline.lift(look, image, _read_depth(options.depth), Intrinsics(*options.intrinsics))
    except ValueError as error:
        raise UsageError(f'{options.depth}: {error}') from error


def _answer(look: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {role: [] for role in ('target', 'destination', 'avoid')}
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


def _read_image(path: Path) -> Any:
    import cv2
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _decode(path: Path, flags: int) -> Any:
    import cv2
    import numpy as np
    data = np.fromfile(path, np.uint8)      # imread would not tell a missing file from a broken one
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise UsageError(f'{path} is not an image that OpenCV reads')
    return image


def _read_depth(path: Path) -> Any:
    import cv2
    import numpy as np

    from vla_attention.focus import decode_depth
    try:
        if path.suffix == '.npy':
            return decode_depth(np.load(path, allow_pickle=False))
        return decode_depth(_decode(path, cv2.IMREAD_UNCHANGED))
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f'{path}: {error}') from error


def _write_image(path: Path, image: Any) -> None:
    import cv2
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise UsageError(f'{path}: OpenCV could not encode the picture')
    path.write_bytes(data.tobytes())


def _write_look(folder: Path, stem: str, image: Any, look: Any) -> None:
    from vla_attention.view.overlay import draw_heat, draw_overlay
    targets = look.query.indices('target')
    attention = None if look.maps is None or not targets else look.maps.maps[targets[0]]
    _write_image(folder / f'{stem}_overlay.png', draw_overlay(image, look.regions, attention=attention))
    if look.maps is not None:
        for index, role in enumerate(look.query.roles):
            _write_image(folder / f'{stem}_{index}_{role}.png', draw_heat(image, look.maps.maps[index]))


# ---- watch ---------------------------------------------------------------------------------------


def _add_watch(commands: Any) -> None:
    parser = _add(commands, 'watch', 'Tell the phase of the motion, frame by frame and causally.', """\
  vla-attention watch episode.mp4 --out out/
  vla-attention watch frames/ --fps 10 --instruction "컵을 접시 위에 놓아줘"
""")
    parser.add_argument('source', type=Path, metavar='VIDEO_OR_FOLDER')
    parser.add_argument('--fps', type=float, default=None,
                        help='frames per second of real time (default: of the video, or 10 for a folder)')
    parser.add_argument('--instruction', metavar='TEXT', help='follow what it names, not just what moves')
    parser.add_argument('--out', type=Path, metavar='DIR', help='write the filmstrip as PNG')
    _add_backend(parser)
    parser.set_defaults(run=_watch)


def _watch(options: argparse.Namespace) -> None:
    from vla_attention.frames import FrameError, open_frames
    from vla_attention.moments import watch
    if options.fps is not None and not options.fps > 0:
        raise UsageError(f'--fps must be greater than 0, got {options.fps}')
    try:
        frames = open_frames(options.source, options.fps)
    except FrameError as error:
        raise UsageError(str(error)) from error
    pipeline = _make_pipeline(options) if options.instruction else None
    kept = []
    for number, (image, moment) in enumerate(_progress(
            watch(frames, instruction=options.instruction, pipeline=pipeline), 'watch', len(frames))):
        _print_json({
            'frame': number, 'time': round(moment.time, 4), 'phase': moment.phase,
            'probabilities': {phase: round(float(p), 4) for phase, p in moment.probabilities.items()},
            'importance': round(float(moment.importance), 4),
            'focus_area': moment.focus_area and [round(float(value), 1) for value in moment.focus_area],
            'events': list(moment.events)})
        if options.out is not None:
            kept.append((image, moment))
    if options.out is not None and kept:
        from vla_attention.view.filmstrip import draw_filmstrip
        _write_image(options.out / f'{options.source.stem}_filmstrip.png', draw_filmstrip(kept))


# ---- bench ---------------------------------------------------------------------------------------


def _add_bench(commands: Any) -> None:
    names = sorted(path.stem for path in BENCHMARKS.glob('[!_]*.py'))
    parser = _add(commands, 'bench', 'Measure what the package claims (from a source checkout).', """\
  vla-attention bench language grounding
  vla-attention bench speed --seconds 60
  vla-attention bench grounding --help-options      # what a benchmark takes besides
""")
    parser.add_argument('--out', type=Path, default=BENCHMARKS / 'results', metavar='DIR',
                        help='where NAME.json goes (default: benchmarks/results)')
    parser.add_argument('names', nargs='+', metavar='NAME',
                        help=f'of {", ".join(names) or "none (no source checkout)"}')
    parser.set_defaults(run=_bench)


def _load_benchmark(name: str) -> Any:
    if not (BENCHMARKS / f'{name}.py').exists():
        raise UsageError(f'no benchmark {name} in {BENCHMARKS}; they come with the source checkout')
    if str(BENCHMARKS.parent) not in sys.path:
        sys.path.insert(0, str(BENCHMARKS.parent))
    return importlib.import_module(f'benchmarks.{name}')


def _bench(options: argparse.Namespace) -> None:
    benchmarks = {name: _load_benchmark(name) for name in options.names}
    parser = argparse.ArgumentParser(prog=f'vla-attention bench {" ".join(options.names)}', add_help=False)
    parser.add_argument('--help-options', action='help', help='show the options of the benchmarks named')
    for name, benchmark in benchmarks.items():
        if hasattr(benchmark, 'add_arguments'):
            benchmark.add_arguments(parser.add_argument_group(name))
    chosen = parser.parse_args(options.rest)
    for name, benchmark in benchmarks.items():
        result = benchmark.run(chosen)
        print(f'{name}\n{_table(result["rows"])}\n')
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f'{name}.json').write_text(json.dumps(result, indent=1, ensure_ascii=False) + '\n',
                                                  encoding='utf-8')


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Set rows of equal or different keys as a plain table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns] + [[_cell(row.get(key)) for key in columns] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    return '\n'.join('  '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in cells)


def _cell(value: Any) -> str:
    if value is None:
        return ''
    return f'{value:.3f}' if isinstance(value, float) else str(value)


# ---- fetch-weights -------------------------------------------------------------------------------


def _add_fetch_weights(commands: Any) -> None:
    parser = _add(commands, 'fetch-weights', 'Download a hub model into a folder to carry to the robot.',
                  '  vla-attention fetch-weights owlv2 --out weights/owlv2\n')
    parser.add_argument('name', metavar='NAME', help='clipseg, owlv2, grounding_dino, siglip, or a hub name')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    parser.add_argument('--revision', default=None, help='commit of the hub repository to pin')
    parser.set_defaults(run=_fetch_weights)


def _fetch_weights(options: argparse.Namespace) -> None:
    from vla_attention.grounding import BackendError
    from vla_attention.grounding.fetch import fetch_weights
    try:
        print(fetch_weights(options.name, options.out, options.revision))
    except BackendError as error:
        raise UsageError(str(error)) from error


if __name__ == '__main__':
    sys.exit(main())
