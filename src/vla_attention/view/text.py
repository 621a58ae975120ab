"""Text on images, Korean included: OpenCV draws ASCII alone, Pillow any font that is installed."""

from __future__ import annotations

import logging
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


@lru_cache(maxsize=1)
def korean_font_path() -> Path | None:
    """Return a font file with Korean letters, or None where none is installed."""
    package = find_spec(FONT_PACKAGE[0])
    if package is not None and package.origin is not None:
        return Path(package.origin).with_name(FONT_PACKAGE[1])
    for path in map(Path, SYSTEM_FONTS):
        if path.exists():
            return path
    LOG.warning('no font with Korean letters: install fonts-noto-cjk or fonts-nanum '
                '(or, with pip, noto-cjk-sans-otc); Korean text is drawn as boxes')
    return None


@lru_cache(maxsize=32)
def load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font of ``size`` pixels, with Korean letters where one is installed."""
    path = korean_font_path()
    if path is None:
        return ImageFont.load_default()
    return ImageFont.truetype(str(path), size, index=KOREAN_FACE if path.suffix == '.ttc' else 0)


@lru_cache(maxsize=256)
def text_size(text: str, size: int) -> tuple[int, int]:
    """Return (width, height) in pixels of a line of text."""
    left, _, right, _ = load_font(size).getbbox(text or ' ')
    return int(right - left), line_height(size)


@lru_cache(maxsize=32)
def line_height(size: int) -> int:
    """Return the height in pixels of a line, the same for every text."""
    _, _, _, bottom = load_font(size).getbbox('글Ág')
    return int(bottom)


def draw_text(canvas: np.ndarray, text: str, position: tuple[int, int], size: int,
              colour: tuple[int, int, int]) -> None:
    """Draw a line of text into an image, in place; what lies outside is cut off.

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
    ImageDraw.Draw(patch).text((x - x0, y - y0), text, fill=colour, font=load_font(size))
    canvas[y0:y1, x0:x1] = np.asarray(patch)
