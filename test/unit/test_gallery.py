"""The gallery page and its pictures belong together and stay small; its script makes README's picture too."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from quick_backends import Quick

from vla_attention.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
DOCS = ROOT / 'docs'
README = (ROOT / 'README.md').read_text(encoding='utf-8')
CUP = (172, 18, 408, 308)       # its box in the photograph


def pictures(page):
    """Return the paths of the pictures of this repository that a page shows."""
    named = re.findall(r'!\[[^\]]*\]\(([^)]+)\)', page) + re.findall(r'<img[^>]* src="([^"]+)"', page)
    return [path for path in named if '://' not in path]


def test_every_picture_of_the_gallery_is_there_and_shown():
    shown = pictures((DOCS / 'gallery.md').read_text(encoding='utf-8'))
    assert shown
    assert {DOCS / path for path in shown} == set((DOCS / 'images' / 'gallery').iterdir())
    assert sum((DOCS / path).stat().st_size for path in shown) < 1.5e6


class Cup(Quick):
    """Everything is where the cup is."""

    def maps(self, image, count):
        maps = np.zeros((count, 25, 38), np.float32)
        maps[:, 2:19, 11:25] = 1
        return maps


def test_the_script_makes_every_picture_that_the_readme_and_its_own_page_show(monkeypatch, tmp_path):
    pytest.importorskip('embreex', reason='the scene generator is not installed')
    monkeypatch.syspath_prepend(ROOT / 'scripts')
    import gallery
    photograph = skimage.data.coffee()

    def asked(pipeline, count):
        cases = [gallery.ask(pipeline, photograph, 'cup', (), box) for box in (CUP, (0, 0, 5, 5))]
        return cases, cases

    def filmstrip(images):
        gallery.save(images / 'filmstrip.jpg', photograph)
        return '1 of 1'

    monkeypatch.setenv(gallery.PHOTOS, '')      # the script sets it: it is taken back after the test
    monkeypatch.setattr(gallery, 'Pipeline', lambda: Pipeline(Cup()))
    monkeypatch.setattr(gallery, 'rendered', asked)
    monkeypatch.setattr(gallery, 'filmstrip', filmstrip)
    assert gallery.main(['--docs', str(tmp_path / 'docs')]) == 0
    shown = [ROOT / path for path in pictures(README)]
    assert shown
    for path in shown:      # where a benchmark makes one, leave it out here
        assert (tmp_path / path.relative_to(ROOT)).exists(), f'nothing makes {path.relative_to(ROOT)}'
    page = (tmp_path / 'docs' / 'gallery.md').read_text(encoding='utf-8')
    assert pictures(page) == pictures((DOCS / 'gallery.md').read_text(encoding='utf-8'))
    assert not [path for path in pictures(page) if not (tmp_path / 'docs' / path).exists()]
    drawn = cv2.imread(str(tmp_path / 'docs' / 'images' / 'overlay.png'))
    assert drawn.shape == photograph.shape
    changed = np.abs(drawn[..., ::-1].astype(int) - photograph).max(axis=2) > 60
    x0, y0, x1, y1 = CUP
    assert changed[y0:y1, x0:x1].mean() > 4 * changed[320:].mean(), 'it shows the attention to the cup'
