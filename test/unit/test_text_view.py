"""Text is drawn whatever it is and whatever fonts there are."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from PIL import ImageFont

from vla_attention.focus.region import FocusRegion
from vla_attention.language import Instruction, Token
from vla_attention.view import text
from vla_attention.view.overlay import draw_overlay
from vla_attention.view.sentence import draw_sentence
from vla_attention.view.text import drawable, line_height, load_font, shortened, text_size

AWKWARD = ('빨간 컵', '컵…', 'red\nmug', 'a\r\n\tb\u2028c', '\ud800', '\x00', '\U0001f600', '', 'Á' * 5000,
           '\x85', '\u202e빨')
bitmap_font = getattr(ImageFont, 'load_default_imagefont', ImageFont.load_default)


def forget():
    """Clear what was remembered of the fonts: the tests exchange them."""
    for function in vars(text).values():
        if hasattr(function, 'cache_clear'):
            function.cache_clear()


@pytest.fixture(params=['as it is', 'before 10.1', 'before 9.2'])
def no_korean_font(monkeypatch, request):
    """Without a Korean font, as it is with several versions of Pillow."""
    monkeypatch.setattr(text, 'korean_font_path', lambda: None)
    if request.param != 'as it is':
        monkeypatch.setattr(ImageFont, 'load_default', lambda: bitmap_font())   # takes no size
    if request.param == 'before 9.2':
        for each in ImageFont.ImageFont.__mro__:
            if 'getbbox' in vars(each):
                monkeypatch.delattr(each, 'getbbox')
    forget()
    yield request.param
    monkeypatch.undo()
    forget()


def drawn(line, size=24):
    canvas = np.zeros((60, 400, 3), np.uint8)
    text.draw_text(canvas, line, (5, 5), size, (255, 255, 255))
    return canvas


def test_without_a_korean_font_everything_is_drawn(no_korean_font):
    for line in AWKWARD:
        assert (drawn(line) == drawn(drawable(line))).all()
        assert min(text_size(line, 24)) >= 0
    assert drawn('mug').any()
    assert drawable('mug 컵 0.8') == 'mug ? 0.8'
    assert (drawn('컵') == drawn('?')).all()
    if 'before' in no_korean_font:
        assert drawable('mu…') == 'mu...', 'a mark of what is left out, not of a letter that is missing'
    image = np.full((120, 160, 3), 128, np.uint8)
    region = FocusRegion('target', '빨간 컵', 0.8, (20, 40, 60, 90), (40, 60), np.zeros((120, 160), np.uint8))
    assert (draw_overlay(image, [region], phase='approach', importance=0.5) != image).any()
    tokens = (Token('컵', 0, 1, 'target', 1.0), Token('을', 1, 2, '', 0.1))
    sentence = Instruction('컵을', 'ko', tokens, heads={'modifier': np.eye(2, dtype=np.float32)})
    assert (draw_sentence(sentence) < 200).any()


def test_letters_of_the_default_font_grow_where_pillow_can(no_korean_font):
    heights = [np.flatnonzero(drawn('M', size).any((1, 2))).size for size in (12, 36)]
    if 'before' in no_korean_font:
        assert heights[0] == heights[1] > 0
    elif isinstance(load_font(36), ImageFont.FreeTypeFont):
        assert heights[1] > 2 * heights[0]
        assert line_height(36) > 2 * line_height(12) > 12
    assert drawn('g', 36).any((1, 2))[5 + line_height(36):].sum() == 0, 'a line is as high as its letters'


@pytest.mark.parametrize('line', AWKWARD)
def test_no_text_raises_with_the_fonts_that_are_installed(line):
    drawn(line)
    assert text_size(line, 24)[1] == line_height(24)
    image = np.full((120, 160, 3), 128, np.uint8)
    region = FocusRegion('target', line, 0.8, (20, 40, 60, 90), (40, 60), np.zeros((120, 160), np.uint8))
    assert draw_overlay(image, [region], phase=line).shape == image.shape


def test_a_font_file_that_cannot_be_read_is_no_reason_to_fail(monkeypatch, tmp_path, caplog):
    broken = tmp_path / 'broken.ttc'
    broken.write_bytes(b'no font')
    monkeypatch.setattr(text, 'korean_font_path', lambda: broken)
    forget()
    assert drawn('mug').any()
    assert 'broken.ttc cannot be used' in caplog.text
    monkeypatch.undo()
    forget()


def test_a_font_package_without_its_file_is_passed_over(monkeypatch, tmp_path):
    font = tmp_path / 'there.ttf'
    font.touch()
    monkeypatch.setattr(text, 'FONT_PACKAGE', ('numpy', 'NoSuchFont.ttc'))
    monkeypatch.setattr(text, 'SYSTEM_FONTS', (str(tmp_path / 'missing.ttf'), str(font)))
    assert text.korean_font_path.__wrapped__() == font


def test_what_has_no_room_is_marked():
    assert shortened('red mug', 20, 500) == 'red mug'
    cut = shortened('the red mug beside the plate', 20, 120)
    assert cut.startswith('the r') and cut.endswith('…') and text_size(cut, 20)[0] <= 120
    assert shortened('red mug', 20, -5) == '…'


def test_decomposed_korean_is_drawn_composed():
    assert drawable(unicodedata.normalize('NFD', '빨간 컵')) == drawable('빨간 컵')
