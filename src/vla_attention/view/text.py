"""Text on images, Korean included: OpenCV draws ASCII alone, Pillow any font that is installed.

Korean needs a font that has it. ``scripts/requirements.txt`` brings one with pip. A ROS installation gets one
by ``apt install fonts-noto-cjk`` or ``apt install fonts-nanum``: rosdep has no key for either, so package.xml
cannot ask for it. Without one, what the font lacks is drawn as '?', and nothing fails.
"""

from __future__ import annotations

import bisect
import logging
import unicodedata
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LOG = logging.getLogger(__name__)
# first the package of pip that brings one, then what Debian's and Ubuntu's font packages install
FONT_PACKAGE = ('noto_cjk_sans_otc', 'NotoSansCJK-Regular.ttc')
SYSTEM_FONTS = (
    '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc',   # fonts-noto-cjk
    '/usr/share/fonts/truetype/nanum/NanumGothic.ttf',          # fonts-nanum
    '/usr/share/fonts/truetype/unfonts-core/UnDotum.ttf',       # fonts-unfonts-core
)
KOREAN_FACE = 1     # faces of NotoSansCJK-Regular.ttc: JP, KR, SC, TC, HK
NO_LETTER = '\U0010ffff'    # no font has it: what is drawn then is what stands for any letter that is missing
STAND_INS = {'…': '...'}    # of letters that a font may lack; else '?'
LONGEST_TEXT = 2000     # letters; more has no room on any image, and Pillow refuses a million


@lru_cache(maxsize=1)
def korean_font_path() -> Path | None:
    """Return a font file with Korean letters, or None where none is installed."""
    package = find_spec(FONT_PACKAGE[0])
    brought = () if package is None or package.origin is None else (
        Path(package.origin).with_name(FONT_PACKAGE[1]),)
    for path in (*brought, *map(Path, SYSTEM_FONTS)):
        if path.exists():
            return path
    LOG.warning('no font with Korean letters: install fonts-noto-cjk or fonts-nanum '
                "(or, with pip, noto-cjk-sans-otc); Korean text is drawn as '?'")
    return None


@lru_cache(maxsize=32)
def load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font of ``size`` pixels, with Korean letters where one is installed."""
    path = korean_font_path()
    if path is None:
        return default_font(size)
    try:
        return ImageFont.truetype(str(path), size, index=KOREAN_FACE if path.suffix == '.ttc' else 0)
    except (OSError, ImportError) as error:     # a broken file, a Pillow without FreeType
        LOG.warning('%s cannot be used: %s', path, error)
        return default_font(size)


def default_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that Pillow brings: Latin letters, before Pillow 10.1 always of 10 pixels."""
    try:
        return ImageFont.load_default(size)
    except TypeError:
        return ImageFont.load_default()


@lru_cache(maxsize=256)
def drawable(text: str) -> str:
    """Return a line of text in letters that the font has: '?' in place of others, spaces for line ends.

    Hangul that comes decomposed (macOS) is composed, or its letters would be drawn one beside the other.
    """
    text = unicodedata.normalize('NFC', text[:LONGEST_TEXT])
    return ''.join(' ' if letter.isspace() else letter if letter.isprintable() and _has(letter)
                   else STAND_INS.get(letter, '?') for letter in text)


@lru_cache(maxsize=4096)
def _has(letter: str) -> bool:
    """Return whether the font has a letter, of whatever size."""
    font = load_font(16)
    if isinstance(font, ImageFont.ImageFont):   # Latin-1 alone, and an error at anything else
        return letter <= '\xff'
    mask, missing = font.getmask(letter), font.getmask(NO_LETTER)
    return mask.size != missing.size or bytes(mask) != bytes(missing)


@lru_cache(maxsize=256)
def text_size(text: str, size: int) -> tuple[int, int]:
    """Return (width, height) in pixels of a line of text."""
    left, _, right, _ = _bounds(drawable(text) or ' ', size)
    return int(right - left), line_height(size)


@lru_cache(maxsize=32)
def line_height(size: int) -> int:
    """Return the height in pixels of a line, the same for every text."""
    return int(_bounds(drawable('글Ág'), size)[3])


def _bounds(text: str, size: int) -> tuple[float, float, float, float]:
    font = load_font(size)
    if hasattr(font, 'getbbox'):
        return font.getbbox(text)
    return (0, 0, *font.getmask(text).size)     # a bitmap font before Pillow 9.2


@lru_cache(maxsize=256)
def shortened(text: str, size: int, width: int) -> str:
    """Return a text that is at most ``width`` pixels wide, with '…' in place of what has no room.

    Where not even that has room, '…' is all that is left.
    """
    if text_size(text, size)[0] <= width:
        return text
    lengths = range(min(len(text), LONGEST_TEXT))
    fitting = bisect.bisect_right(lengths, width, key=lambda length: text_size(f'{text[:length]}…', size)[0])
    return f'{text[:max(0, fitting - 1)]}…'


def draw_text(canvas: np.ndarray, text: str, position: tuple[int, int], size: int,
              colour: tuple[int, int, int]) -> None:
    """Draw a line of text into an image, in place; what lies outside is cut off.

    Whatever the text: letters that the font lacks come as '?' (see :func:`drawable`), and no error is raised.

    :param canvas: (H, W, 3) uint8 RGB.
    :param position: (x, y) of the upper left corner in pixels.
    :param size: of the letters, in pixels.
    """
    width, height = text_size(text, size)
    x, y = position
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width + 2, canvas.shape[1]), min(y + height + 2, canvas.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    patch = Image.fromarray(canvas[y0:y1, x0:x1])   # only what changes is copied
    ImageDraw.Draw(patch).text((x - x0, y - y0), drawable(text), fill=colour, font=load_font(size))
    canvas[y0:y1, x0:x1] = np.asarray(patch)
