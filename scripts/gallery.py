#!/usr/bin/env python3
"""Make docs/gallery.md, its pictures, and README's: what the weights in the package see, by rule.

Scenes are rendered from seeds that no training is near, with held-out shapes, textures and colours, and
without photographs; one question a scene, chosen by its seed. The first right and the first wrong answers are
shown, whatever they look like. The photograph is one that scikit-image carries. Run it after new weights:

    python scripts/gallery.py
    python scripts/gallery.py --docs out/docs       # a trial, which leaves the documentation as it is
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'src')]

from training.scenes import make_scene  # noqa: E402
from training.scenes.textures import PHOTOS  # noqa: E402
from vla_attention.language import Instruction, Step, parse_instruction  # noqa: E402
from vla_attention.moments import watch  # noqa: E402
from vla_attention.pipeline import Look, Pipeline  # noqa: E402
from vla_attention.view.filmstrip import draw_filmstrip  # noqa: E402
from vla_attention.view.heads import draw_heads  # noqa: E402
from vla_attention.view.overlay import draw_overlay  # noqa: E402
from vla_attention.view.sentence import draw_sentence  # noqa: E402
from vla_attention.view.text import draw_text, line_height, text_size  # noqa: E402

DOCS = ROOT / 'docs'
IMAGES = Path('images', 'gallery')      # in the documentation
OVERLAY = Path('images', 'overlay.png')  # the picture that README begins with
FIRST_SEED = 3_000_000      # training begins at 0, the grounding benchmark at 1,000,000
SIZE = (640, 480)
TILE = 448       # pixels: width of a picture
COLUMNS = 3
TEXT = 17
QUALITY = 82    # of the JPEG files
SENTENCES = {'sentence_ko': '빨간 컵을 천천히 집어서 파란 접시 위에 놓아줘',
             'sentence_en': 'before you move the knife, gently put the red mug left of the laptop'}
# of the photograph of a cup in scikit-image: what is asked, and the box of what is meant (None: not there)
COFFEE = (('the cup', (172, 18, 408, 308)), ('숟가락', (326, 67, 424, 326)),
          ('the saucer', (77, 70, 480, 388)), ('빨간 컵', (172, 18, 408, 308)),
          ('the spoon right of the cup', (326, 67, 424, 326)), ('가위', None))
OVERLAY_INSTRUCTION = '컵을 집어줘'       # the first that scripts/demo.sh asks of the photograph
HEAD_INSTRUCTION = '숟가락 왼쪽에 있는 빨간 컵을 접시 위에 놓아줘'


@dataclass(frozen=True)
class Case:
    """A question about a picture, and how it was answered."""

    image: np.ndarray
    text: str
    needs: tuple[str, ...]
    box: tuple[float, ...] | None       # of what is meant, None where it is not in the picture
    look: Look

    @property
    def right(self) -> bool:
        """Whether the best region's point lies in the box, or nothing was found where nothing is."""
        found = self.look.of('target')
        if self.box is None:
            return not found
        if not found:
            return False
        (x, y), (x0, y0, x1, y1) = found[0].point, self.box
        return x0 <= x <= x1 and y0 <= y <= y1


def ask(pipeline: Pipeline, image: np.ndarray, text: str, needs: Sequence[str],
        box: Sequence[float] | None) -> Case:
    """Ask for one thing, as the target of an instruction that is parsed already."""
    query = pipeline.instruct(Instruction(text, steps=(Step(target=text),)))
    return Case(image, text, tuple(needs), None if box is None else tuple(map(float, box)),
                pipeline.look(image, query))


def rendered(pipeline: Pipeline, count: int) -> tuple[list[Case], list[Case]]:
    """Ask one question about a thing that is there and one about a thing that is not, a scene each.

    Languages take turns; which phrase is asked follows from the seed.
    """
    present, absent = [], []
    for number in tqdm(range(count), desc='scenes', disable=None):
        scene = make_scene(FIRST_SEED + number, size=SIZE, split='test')
        boxes = {entry.id: entry.box2d for entry in scene.objects}
        there = [phrase for phrase in scene.phrases if phrase.target_id]
        missing = [phrase for phrase in scene.phrases if not phrase.target_id]
        for phrases, cases in ((there, present), (missing, absent)):
            if phrases:
                phrase = phrases[number % len(phrases)]
                text = phrase.text_ko if number % 2 else phrase.text_en
                cases.append(ask(pipeline, scene.image, text, phrase.needs, boxes.get(phrase.target_id)))
    return present, absent


def tile(case: Case) -> np.ndarray:
    """Draw the map, the best region, and the true box dashed in white; the question stands below."""
    maps = case.look.maps
    assert maps is not None
    best = [replace(region, phrase='') for region in case.look.of('target')[:1]]
    drawn = draw_overlay(case.image, best, attention=maps.maps[0])
    if case.box is not None:
        dashed(drawn, case.box)
    height = round(TILE * case.image.shape[0] / case.image.shape[1])
    canvas = np.full((height + 2 * line_height(TEXT) + 14, TILE, 3), 255, np.uint8)
    canvas[:height] = cv2.resize(drawn, (TILE, height), interpolation=cv2.INTER_AREA)
    draw_text(canvas, case.text, (0, height + 2), TEXT, (30, 30, 30))
    note = ', '.join(case.needs) or ('not in the picture' if case.box is None else '')
    if not best:
        note += ('; ' if note else '') + f'answer: not in view ({maps.presence[0]:.2f})'
    draw_text(canvas, note, (0, height + 2 + line_height(TEXT)), TEXT - 3, (120, 120, 120))
    mark = 'right' if case.right else 'wrong'
    draw_text(canvas, mark, (TILE - text_size(mark, TEXT)[0] - 2, height + 2), TEXT,
              (0, 130, 90) if case.right else (200, 70, 0))
    return canvas


def dashed(canvas: np.ndarray, box: Sequence[float], dash: int = 10) -> None:
    """Draw a box in black and white dashes, which are seen on any ground."""
    x0, y0, x1, y1 = (round(value) for value in box)
    corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
    for begin, end in itertools.pairwise(corners):
        steps = max(1, round(np.hypot(end[0] - begin[0], end[1] - begin[1]) / dash))
        points = np.linspace(begin, end, steps + 1).round().astype(int)
        for index, (first, second) in enumerate(itertools.pairwise(points.tolist())):
            cv2.line(canvas, first, second, (255, 255, 255) if index % 2 else (0, 0, 0), 2)


def sheet(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Set tiles of one width in rows."""
    gap = 12
    height = max(one.shape[0] for one in tiles)
    rows = -(-len(tiles) // COLUMNS)
    canvas = np.full((rows * (height + gap) - gap, COLUMNS * (TILE + gap) - gap, 3), 255, np.uint8)
    for index, one in enumerate(tiles):
        top, left = index // COLUMNS * (height + gap), index % COLUMNS * (TILE + gap)
        canvas[top:top + one.shape[0], left:left + TILE] = one
    return canvas


def save(path: Path, picture: np.ndarray, *, width: int = 0) -> None:
    """Write a picture as its name ends, shrunk to ``width`` where it is wider."""
    if width and picture.shape[1] > width:
        height = round(picture.shape[0] * width / picture.shape[1])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if path.suffix == '.jpg' else []
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    if not done:
        raise OSError(f'OpenCV could not encode {path}')
    path.write_bytes(data.tobytes())


def overlay(pipeline: Pipeline, photograph: np.ndarray) -> np.ndarray:
    """Draw the overlay of the photograph as `vla-attention ground` does."""
    look = pipeline.look(photograph, pipeline.instruct(OVERLAY_INSTRUCTION))
    return draw_overlay(photograph, look.regions, attention=look.attention('target', step=-1))


def filmstrip(images: Path) -> str:
    """Watch the first drawn episode of held-out seeds; return how much of its phases is told rightly."""
    from training.episodes.episode import drawn_episode
    frames = list(drawn_episode(FIRST_SEED).frames)
    seen = list(watch([(frame.time, frame.image) for frame in frames]))
    save(images / 'filmstrip.jpg', draw_filmstrip(seen), width=1400)
    told = [moment.phase == frame.phase for frame, (_, moment) in zip(frames, seen, strict=True)
            if frame.phase is not None]
    return f'{sum(told)} of {len(told)}'


def page(present: Sequence[Case], absent: Sequence[Case], shown: int, coffee: Sequence[Case],
         phases: str) -> str:
    """Write the page."""
    right, refused = sum(case.right for case in present), sum(case.right for case in absent)
    wrong = min(shown, len(present) - right)
    answered = min(COLUMNS, len(absent) - refused)
    photographs = sum(case.right for case in coffee)
    parts = [f"""# Gallery

What the weights in this package see, right and wrong. `python scripts/gallery.py` makes this page and its
pictures; no answer is picked by hand. In every picture the dashed box is the true one, the solid green one
the answer with its score, and colour the attention of the phrase. An answer is right when its point (the
green dot) lies in the true box, even where its own box is too large or too small.

## A sentence

Words in the colour of their role, the stronger the more weight they have; arcs lead from a word to what it
attends to, the mean of the heads `modifier`, `argument`, `action_order`, `time` and `cause`. The matrix below
says the same.

![Language attention of a Korean instruction]({_path('sentence_ko')})

![Language attention of an English instruction]({_path('sentence_en')})

## Heads and words

The whole map, the four heads that it is made of, and the map of each word. A head that the phrase asks
nothing is dimmed. `vla-attention ground IMAGE INSTRUCTION --out DIR` writes this sheet for any picture.

![Heads and words on a photograph]({_path('heads_photograph')})

![Heads and words on a rendered scene]({_path('heads_rendered')})

## A photograph

scikit-image carries this photograph; nothing was trained on it. {photographs} of {len(coffee)} questions are
answered rightly.

![Questions about a photograph]({_path('photograph')})

## Rendered scenes: right

{len(present)} scenes with shapes, textures and colours that no training saw, one question each: {right} of
{len(present)} answers point into the true box. The first {min(shown, right)} of them:

![Right answers]({_path('right')})
"""]
    if wrong:
        parts.append(f"""## Rendered scenes: wrong

The first {wrong} of the {len(present) - right} that do not:

![Wrong answers]({_path('wrong')})
""")
    if absent:
        parts.append(f"""## Things that are not there

{len(absent)} questions for things that the scene does not have: {refused} were answered with "not in view".
""")
        if answered:
            parts.append(f"""The first {answered} of the others:

![Answers about things that are not there]({_path('absent')})
""")
    parts.append(f"""## An episode

A drawn episode of held-out seeds, watched frame by frame: key frames with the focus area, phases, importance
and events. The phase is right in {phases} frames that have one.

![Filmstrip of an episode]({_path('filmstrip')})
""")
    return '\n'.join(parts)


def _path(name: str) -> str:
    return (IMAGES / f'{name}.jpg').as_posix()


def main(argv: Sequence[str] | None = None) -> int:
    """Make everything anew."""
    parser = argparse.ArgumentParser(
        description="Make docs/gallery.md, its pictures, and the one that README begins with.")
    parser.add_argument('--scenes', type=int, default=36, help='rendered scenes (default: 36)')
    parser.add_argument('--shown', type=int, default=6, help='right and wrong answers shown (default: 6)')
    parser.add_argument('--docs', type=Path, default=DOCS, metavar='FOLDER',
                        help='where gallery.md and images/ go (default: docs)')
    options = parser.parse_args(argv)
    images = options.docs / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob('*.jpg'):
        old.unlink()
    os.environ[PHOTOS] = str(images)    # a folder without them: scenes with procedural textures alone
    for name, text in SENTENCES.items():
        save(images / f'{name}.jpg', draw_sentence(parse_instruction(text)), width=1100)
    pipeline = Pipeline()
    photograph = skimage.data.coffee()
    save(options.docs / OVERLAY, overlay(pipeline, photograph))
    look = pipeline.look(photograph, pipeline.instruct(HEAD_INSTRUCTION))
    if look.maps is not None:
        save(images / 'heads_photograph.jpg', draw_heads(photograph, look.maps, look.query.roles), width=1100)
    coffee = [ask(pipeline, photograph, text, (), box) for text, box in COFFEE]
    save(images / 'photograph.jpg', sheet([tile(case) for case in coffee]))
    present, absent = rendered(pipeline, options.scenes)
    asked = max(present, key=lambda case: len(case.needs))      # the first of those that ask most
    assert asked.look.maps is not None
    save(images / 'heads_rendered.jpg', draw_heads(asked.image, asked.look.maps), width=1100)
    for name, cases, count in (('right', [case for case in present if case.right], options.shown),
                               ('wrong', [case for case in present if not case.right], options.shown),
                               ('absent', [case for case in absent if not case.right], COLUMNS)):
        if cases:
            save(images / f'{name}.jpg', sheet([tile(case) for case in cases[:count]]))
    text = page(present, absent, options.shown, coffee, filmstrip(images))
    (options.docs / 'gallery.md').write_text(text, encoding='utf-8')
    size = sum(path.stat().st_size for path in images.iterdir())
    print(f'gallery.md, {OVERLAY} and {size / 1e6:.2f} MB of pictures in {IMAGES}, in {options.docs}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
