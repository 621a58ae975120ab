#!/usr/bin/env python3
"""Write the nodes' parameter tables into README.md, from the tables that the nodes themselves declare."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / 'README.md'
NODES = ('instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node', 'scene_camera')
BEGIN, END = '<!-- parameters: python scripts/parameter_tables.py -->', '<!-- end of parameters -->'
TYPES = {str: 'string', bool: 'bool', int: 'int', float: 'double', list: 'string[]'}


def tables() -> str:
    """Return one Markdown table a node."""
    parts = []
    for node in NODES:
        rows = ['| name | type | default | range | changes | meaning, unit |', '|---|---|---|---|---|---|']
        for setting in importlib.import_module(f'vla_attention.ros.{node}').SETTINGS:
            allowed = ', '.join(f'`{choice}`' if choice else "`''`" for choice in setting.choices)
            if setting.low is not None:
                allowed = f'{setting.low:g} to {setting.high:g}'
            kind = TYPES[type(setting.default)]
            rows.append(f'| `{setting.name}` | {kind} | `{setting.default!r}` | {allowed} | {setting.when} '
                        f'| {setting.description} |')
        parts.append(f'**{node}**\n\n' + '\n'.join(rows))
    return '\n\n'.join(parts)


def updated(text: str) -> str:
    """Return the README with the tables as they are now."""
    block = f'{BEGIN}\n\n{tables()}\n\n{END}'
    return re.sub(f'{re.escape(BEGIN)}.*{re.escape(END)}', lambda _: block, text, flags=re.DOTALL)


def main() -> int:
    """Update the file."""
    README.write_text(updated(README.read_text(encoding='utf-8')), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
