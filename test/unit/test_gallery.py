"""The gallery page and its pictures belong together and stay small."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / 'docs'


def test_every_picture_of_the_gallery_is_there_and_shown():
    shown = re.findall(r'!\[[^\]]+\]\(([^)]+)\)', (DOCS / 'gallery.md').read_text(encoding='utf-8'))
    assert shown
    assert {DOCS / path for path in shown} == set((DOCS / 'images' / 'gallery').iterdir())
    assert sum((DOCS / path).stat().st_size for path in shown) < 1.5e6
