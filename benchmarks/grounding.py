"""Grounding: does the answer point to the thing meant, on rendered scenes never seen and on photographs.

Each phrase is asked in English and in Korean, as the target of an instruction, so that parsing commands is
not measured here. Pointing: the best region's point lies in the box of the target's visible pixels. The
phrases of a picture share one pass; milliseconds are those of a pass with one phrase.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.grounding.measure import auroc
from vla_attention.grounding import make_backend
from vla_attention.language import Instruction, Step
from vla_attention.pipeline import Look, Pipeline

FIRST_SEED = 1_000_000      # no training set begins near here
LANGUAGES = ('en', 'ko')
# what a row of the table asks for: its name, and whether what a phrase needs belongs to it
GROUPS: tuple[tuple[str, Callable[[set[str]], bool]], ...] = (
    ('all', lambda needs: True),
    ('kind', lambda needs: needs == {'kind'}),
    ('colour', lambda needs: 'colour' in needs and needs <= {'kind', 'colour'}),
    ('size', lambda needs: 'size' in needs),
    ('position', lambda needs: bool(needs & {'position', 'ordinal'})),
    ('relation', lambda needs: 'relation' in needs),
)


@dataclass(frozen=True)
class Question:
    """A phrase in one language; ``box`` (x0, y0, x1, y1) and ``mask`` of its target, None where absent."""

    text: str
    language: str
    needs: frozenset[str] = frozenset()
    box: tuple[float, ...] | None = None
    mask: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Answer:
    """How one question was answered; what there is no truth for is NaN."""

    question: Question
    presence: float
    answered: bool = False
    points: bool = False
    iou: float = 0.0
    mask_iou: float = float('nan')
    chance: float = float('nan')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--backend', default='embedded', help='grounding backend (default: embedded)')
    parser.add_argument('--looks', type=int, help='of the embedded backend at candidates (default: its own)')
    parser.add_argument('--weights', type=Path, help='of the embedded backend (default: the package\'s)')
    parser.add_argument('--scenes', type=int, default=150, help='rendered scenes, made anew (default: 150)')
    parser.add_argument('--scene-size', default='320x240', help='their size in pixels (default: 320x240)')
    parser.add_argument('--rendered', type=Path, help='folder of scenes written before, instead')
    parser.add_argument('--folder', type=Path, action='append', default=[],
                        help='folder of photographs with annotations.json; may be repeated')
    parser.add_argument('--presence-threshold', type=float, default=None,
                        help='below it a phrase is not in view (default: as in the pipeline)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Ask every question, and return rows for the table."""
    given = {} if options.presence_threshold is None else {'presence_threshold': options.presence_threshold}
    backend = {name: value for name, value in (('looks', options.looks), ('weights', options.weights))
               if value is not None}
    pipeline = Pipeline(make_backend(options.backend, **backend), **given)
    sources: list[tuple[str, Iterable[tuple[np.ndarray, list[Question]]]]] = []
    if options.rendered is not None:
        sources.append((options.rendered.name, _written(options.rendered)))
    elif options.scenes:
        width, height = (int(side) for side in options.scene_size.split('x'))
        sources.append(('rendered', _rendered(options.scenes, (width, height))))
    sources += [(folder.name, _photographs(folder)) for folder in options.folder]
    rows: list[dict[str, Any]] = []
    for name, pictures in sources:
        answers: list[Answer] = []
        times: list[float] = []
        for image, asked in pictures:
            answers += _ask(pipeline, image, asked)
            times.append(_time(pipeline, image, asked[:1]))
        rows += _rows(name, answers, times)
    return {'backend': options.backend, 'presence_threshold': pipeline.presence_threshold, 'rows': rows}


def _rendered(count: int, size: tuple[int, int]) -> Iterator[tuple[np.ndarray, list[Question]]]:
    from training.scenes import make_scene
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        scene = make_scene(seed, size=size, split='test')
        yield scene.image, _questions(scene)


def _written(folder: Path) -> Iterator[tuple[np.ndarray, list[Question]]]:
    from training.scenes.dataset import load_scene, read_labels
    for record in read_labels(folder):
        scene = load_scene(folder, record)
        yield scene.image, _questions(scene)


def _questions(scene: Any) -> list[Question]:
    boxes = {entry.id: entry.box2d for entry in scene.objects}
    asked = []
    for phrase in scene.phrases:
        for language, text in zip(LANGUAGES, (phrase.text_en, phrase.text_ko), strict=True):
            target = phrase.target_id
            asked.append(Question(text, language, frozenset(phrase.needs), boxes.get(target),
                                  scene.instances == target if target else None))
    return asked


def _photographs(folder: Path) -> Iterator[tuple[np.ndarray, list[Question]]]:
    data = json.loads((folder / 'annotations.json').read_text(encoding='utf-8'))
    entries = data['entries'] if isinstance(data, dict) else data
    for name in dict.fromkeys(entry['image'] for entry in entries):
        path = folder / name if (folder / name).exists() else folder / 'images' / name
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise OSError(f'cannot read the picture {path}')
        asked = [Question(entry[f'phrase_{language}'], language, frozenset(entry['needs']),
                          tuple(entry['target_box']))
                 for entry in entries if entry['image'] == name for language in LANGUAGES]
        yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB), asked


def _ask(pipeline: Pipeline, image: np.ndarray, questions: list[Question]) -> Iterator[Answer]:
    look = pipeline.look(image, pipeline.instruct(_instruction(questions)))
    for question in questions:
        yield _mark(question, look, image.shape[0] * image.shape[1])


def _time(pipeline: Pipeline, image: np.ndarray, questions: list[Question]) -> float:
    """Return the milliseconds of a look for one phrase that is encoded already."""
    query = pipeline.instruct(_instruction(questions))
    begin = time.perf_counter()
    pipeline.look(image, query)
    return (time.perf_counter() - begin) * 1000


def _instruction(questions: list[Question]) -> Instruction:
    return Instruction(' / '.join(question.text for question in questions),
                       steps=tuple(Step(target=question.text) for question in questions))


def _mark(question: Question, look: Look, area: int) -> Answer:
    presence = 0.0
    if look.maps is not None:
        presence = float(look.maps.presence[look.query.phrases.index(question.text)])
    regions = [region for region in look.of('target') if region.phrase == question.text]
    if question.box is None:
        return Answer(question, presence, bool(regions))
    x0, y0, x1, y1 = question.box
    chance = (x1 - x0) * (y1 - y0) / area
    if not regions:
        return Answer(question, presence, mask_iou=_nan_unless(question.mask), chance=chance)
    best = regions[0]
    mask_iou = float('nan')
    if question.mask is not None:
        found = best.mask > 0
        mask_iou = float((found & question.mask).sum() / max((found | question.mask).sum(), 1))
    points = x0 <= best.point[0] <= x1 and y0 <= best.point[1] <= y1
    return Answer(question, presence, True, points, _iou(best.box, question.box), mask_iou, chance)


def _nan_unless(mask: np.ndarray | None) -> float:
    """Return the overlap that no answer has: none, where there is a truth to overlap with."""
    return float('nan') if mask is None else 0.0


def _iou(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


def _rows(name: str, answers: list[Answer], times: list[float]) -> list[dict[str, Any]]:
    """Make one row for each language and each need."""
    present = [answer for answer in answers if answer.question.box is not None]
    absent = [answer for answer in answers if answer.question.box is None]
    rows = []
    for language in LANGUAGES:
        spoken = [answer for answer in present if answer.question.language == language]
        rows.append(_row(name, 'all', language, spoken))
    for group, belongs in GROUPS:
        rows.append(_row(name, group, 'both', [a for a in present if belongs(set(a.question.needs))]))
    total: dict[str, Any] = {'set': name, 'needs': 'presence', 'language': 'both', 'n': len(answers),
             'ms_p50': float(np.median(times)), 'ms_p95': float(np.percentile(times, 95))} if times else {}
    if present and absent:
        total['auroc'] = auroc([a.presence for a in present], [a.presence for a in absent])
        total['absent_answered'] = float(np.mean([a.answered for a in absent]))
    return [row for row in (*rows, total) if row]


def _row(name: str, group: str, language: str, answers: list[Answer]) -> dict[str, Any]:
    if not answers:
        return {}
    pointing = float(np.mean([answer.points for answer in answers]))
    masks = [answer.mask_iou for answer in answers if not np.isnan(answer.mask_iou)]
    row = {'set': name, 'needs': group, 'language': language, 'n': len(answers),
           'pointing': pointing, 'se': (pointing * (1 - pointing) / len(answers)) ** 0.5,
           'iou50': float(np.mean([answer.iou >= 0.5 for answer in answers])),
           'iou': float(np.mean([answer.iou for answer in answers])),
           'not_in_view': float(np.mean([not answer.answered for answer in answers])),
           'chance': float(np.mean([answer.chance for answer in answers]))}
    if masks:
        row['mask_iou'] = float(np.mean(masks))
    return row
