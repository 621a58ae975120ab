from __future__ import annotations

import argparse
import json

import cv2
import numpy as np
import pytest

from benchmarks import grounding
from vla_attention.grounding import AttentionMaps


class Oracle:
    """A backend that looks at the brightest square, and sees nothing when asked for a ghost."""

    name, device = 'oracle', 'cpu'

    def encode(self, phrases):
        return tuple(phrases)

    def attend(self, image, encoded):
        bright = (image.mean(-1) > 200).astype(np.float32)
        there = np.array([0.1 if 'ghost' in text or '유령' in text else 0.9 for text in encoded], np.float32)
        rows, columns = image.shape[0] // 16, image.shape[1] // 16
        coarse = cv2.resize(bright, (columns, rows), interpolation=cv2.INTER_AREA)
        return AttentionMaps(encoded, np.stack([coarse] * len(encoded)), there,
                             (image.shape[1], image.shape[0]), masks=np.stack([bright] * len(encoded)))


@pytest.fixture
def folder(tmp_path):
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:80, 60:100] = 255
    (tmp_path / 'images').mkdir()
    cv2.imwrite(str(tmp_path / 'images' / 'one.png'), image)
    entries = [
        {'image': 'one.png', 'phrase_en': 'white box', 'phrase_ko': '하얀 상자', 'needs': ['kind'],
         'target_box': [60, 40, 100, 80]},
        {'image': 'one.png', 'phrase_en': 'left cup', 'phrase_ko': '왼쪽 컵', 'needs': ['kind', 'position'],
         'target_box': [0, 0, 20, 20]}]
    (tmp_path / 'annotations.json').write_text(json.dumps(entries), encoding='utf-8')
    return tmp_path


def options(**given):
    parser = argparse.ArgumentParser()
    grounding.add_arguments(parser)
    return argparse.Namespace(**{**vars(parser.parse_args([])), 'scenes': 0, **given})


def test_photographs_are_scored_by_need_and_language(folder, monkeypatch):
    monkeypatch.setattr(grounding, 'make_backend', lambda name: Oracle())
    rows = grounding.run(options(folder=[folder]))['rows']
    by_name = {(row['needs'], row['language']): row for row in rows}
    assert by_name['kind', 'both']['pointing'] == 1 and by_name['kind', 'both']['n'] == 2
    assert by_name['kind', 'both']['iou50'] == 1
    assert by_name['position', 'both']['pointing'] == 0
    assert by_name['all', 'en']['pointing'] == by_name['all', 'ko']['pointing'] == 0.5
    assert by_name['kind', 'both']['chance'] == pytest.approx(40 * 40 / (120 * 160))
    assert by_name['presence', 'both']['ms_p50'] > 0


def test_a_picture_that_is_missing_is_named(folder, monkeypatch):
    monkeypatch.setattr(grounding, 'make_backend', lambda name: Oracle())
    (folder / 'images' / 'one.png').unlink()
    with pytest.raises(OSError, match=r'one\.png'):
        grounding.run(options(folder=[folder]))


def test_masks_and_absent_phrases_of_a_scene():
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:80, 60:100] = 255
    mask = image[..., 0] > 0
    asked = [grounding.Question('white box', 'en', frozenset({'kind'}), (60, 40, 100, 80), mask),
             grounding.Question('ghost', 'en')]
    box, ghost = grounding._ask(grounding.Pipeline(Oracle()), image, asked)
    assert box.points and box.mask_iou > 0.9 and box.presence > 0.5
    assert not ghost.answered and ghost.presence < 0.5
    rows = grounding._rows('scene', [box, ghost], [1.0])
    assert rows[-1]['auroc'] == 1.0 and rows[-1]['absent_answered'] == 0.0


@pytest.mark.parametrize(('positive', 'negative', 'expected'), [
    ([0.9, 0.8], [0.1, 0.2], 1.0), ([0.1], [0.9], 0.0), ([0.5, 0.5], [0.5], 0.5), ([0.9, 0.2], [0.5], 0.5)])
def test_auroc(positive, negative, expected):
    assert grounding.auroc(positive, negative) == pytest.approx(expected)
