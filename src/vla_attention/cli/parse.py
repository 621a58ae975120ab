"""``vla-attention parse``: an instruction as JSON."""

from __future__ import annotations

import argparse
from typing import Any

from vla_attention.cli.common import UsageError, add_command, path, print_json, progress, read_lines
from vla_attention.cli.images import check_picture, write_image


def add(commands: Any) -> None:
    """Declare the command and its options."""
    parser = add_command(commands, 'parse', 'Take an instruction apart: roles, steps, weights.', """\
  vla-attention parse "빨간 컵을 천천히 집어서 파란 접시 위에 놓아줘"
  vla-attention parse --lines commands.txt
  vla-attention parse "pick up the red mug" --head argument --out sentence.png
""")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('text', nargs='?', metavar='TEXT', help='an instruction in Korean or English')
    source.add_argument('--lines', type=path, metavar='FILE',
                        help='a file with one instruction a line; prints one JSON object a line')
    parser.add_argument('--heads', action='store_true', help='print the attention heads (query, key) too')
    parser.add_argument('--out', type=path, metavar='PICTURE',
                        help='draw the sentence with its roles and links, as PNG or as the name ends')
    parser.add_argument('--head', default=None, metavar='NAME',
                        help='the head whose links --out draws, e.g. modifier, argument, action_order')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the instruction, or each line of a file, taken apart."""
    from vla_attention.language import parse_instruction
    from vla_attention.language.instruction import HEADS
    if options.head is not None and options.head not in HEADS:
        raise UsageError(f'--head {options.head}: there are {", ".join(HEADS)}')
    if options.out is not None:
        if options.lines is not None:
            raise UsageError('--out draws one instruction; give TEXT instead of --lines')
        check_picture(options.out, '--out')
    lines = [options.text] if options.lines is None else read_lines(options.lines)
    for line in progress(lines, 'parse', len(lines)):
        instruction = parse_instruction(line)
        data = instruction.to_dict()
        if options.heads:
            data['heads'] = {name: head.round(4).tolist() for name, head in instruction.heads.items()}
        print_json(data)
    if options.out is not None:
        from vla_attention.view.sentence import draw_sentence
        # what has no word has no head: the picture says why
        write_image(options.out, draw_sentence(instruction, options.head if instruction.heads else None))
