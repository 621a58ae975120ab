"""Hub backends against the call that users of transformers write: time a frame, same outputs, same run.

No model hub is needed: the models have the layers and sizes of the released base checkpoints and random
weights, which cost the same time. What pretrained weights find is not measured here.

OWLv2 is compared with ``pipeline('zero-shot-object-detection')``, CLIPSeg, which no pipeline takes texts
for, with the processor-and-model call of its documentation. Both ways share one model in memory and take
turns frame by frame. Times are processor time of the process, which other processes of a busy machine
change little; with one thread on an idle machine it is the time on the clock, whose best is given beside.
The backend runs with the engines asked for: OpenVINO with the image encoder in bfloat16, which is the
default where OpenVINO is installed and the CPU has bfloat16, OpenVINO in float32, which is the default where
it has not, or torch. The pipeline's threshold is 1: random scores would make it list thousands of boxes,
which is not what it is measured for. The backend's time is that of the whole ``attend``: maps, boxes, colours
and the choice among candidates. What is done once is in ``load cpu s``, that of making the backend: the first
engine exports the image encoder, the next finds it on disk.
"""

from __future__ import annotations

import argparse
import os
import platform
import string
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from vla_attention.grounding import make_backend

PHRASES = ('red mug', 'blue plate')      # the target and the destination of one instruction
WORDS = ('a', 'photo', 'of', 'red', 'mug', 'blue', 'plate')
SIZE = (640, 480)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--hub-frames', type=int, default=2, metavar='N',
                        help='frames for OWLv2; CLIPSeg gets four times as many (default: 2)')
    parser.add_argument('--hub-backends', nargs='+', choices=tuple(MODELS), default=list(MODELS),
                        metavar='NAME', help=f'of {", ".join(MODELS)} (default: all)')
    usual = list(ENGINES) if find_spec('openvino') else ['torch']
    parser.add_argument('--hub-engines', nargs='+', choices=tuple(ENGINES), default=usual, metavar='NAME',
                        help=f'of {", ".join(ENGINES)} (default: {", ".join(usual)})')
    parser.add_argument('--hub-threads', type=int, default=1, metavar='N',
                        help='threads of torch (default: 1, so that processor time is time)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and return rows of one backend and number of phrases each."""
    torch.set_num_threads(options.hub_threads)
    rows = []
    with tempfile.TemporaryDirectory() as root, mock.patch.dict(os.environ, XDG_CACHE_HOME=root):
        for name in options.hub_backends:
            save, plain, share = MODELS[name]
            folder = Path(root) / name
            save(folder)
            backends, loading = {}, {}
            for engine in options.hub_engines:
                began = time.process_time()
                backends[engine] = make_backend(name, model=str(folder), device='cpu', **ENGINES[engine])
                loading[engine] = {'precision': backends[engine].precision or 'f32',
                                   'load cpu s': round(time.process_time() - began, 1)}
            call = plain(next(iter(backends.values())))
            most = share * options.hub_frames
            for count, frames in ((1, most), (2, max(1, most // 2))):
                found = _compare(backends, call, PHRASES[:count], frames)
                rows += [{**row, **(loading[row['engine']] if count == 1 else {})} for row in found]
    return {'rows': rows, 'machine': machine(), 'image': f'{SIZE[0]}x{SIZE[1]}', 'weights': 'random',
            'versions': {name: version(name) for name in ('torch', 'transformers', 'openvino')
                         if find_spec(name)}}


def _compare(backends: dict[str, Any], plain: Callable[[Image.Image, list[str], bool], Any],
             phrases: tuple[str, ...], frames: int) -> list[dict[str, Any]]:
    """Take turns, frame by frame, and return a row an engine."""
    times: dict[str, list[tuple[float, float]]] = {'plain': [], **{engine: [] for engine in backends}}
    encoded = {engine: backend.encode(phrases) for engine, backend in backends.items()}
    backend = next(iter(backends.values()))
    texts = [backend.template.format(phrase) for phrase in phrases]
    apart = {}
    if len(phrases) == 1:       # the image encoder is the same for more, and this warms up
        given = plain(Image.fromarray(picture(0)), texts, True)
        apart = {engine: _difference(backends[engine], encoded[engine], phrases, given, picture(0))
                 for engine in backends}
    for index in tqdm(range(frames), desc=f'{backend.name} {len(phrases)}', disable=None, leave=False):
        image = picture(index + 1)
        times['plain'].append(_timed(plain, Image.fromarray(image), texts, False))
        for engine in backends:
            times[engine].append(_timed(backends[engine].attend, image, encoded[engine]))
    best = {name: np.min(measured, axis=0) for name, measured in times.items()}
    middle = {name: np.median(measured, axis=0) for name, measured in times.items()}
    return [{'backend': backend.name, 'engine': engine, 'phrases': len(phrases), 'frames': frames,
             'plain cpu p50 ms': round(float(middle['plain'][0]), 1),
             'ours cpu p50 ms': round(float(middle[engine][0]), 1),
             'faster': round(float(middle['plain'][0] / middle[engine][0]), 2),
             'plain clock best ms': round(float(best['plain'][1]), 1),
             'ours clock best ms': round(float(best[engine][1]), 1), **apart.get(engine, {})}
            for engine in backends]


def _timed(call: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    """Return (processor, clock) milliseconds of a call."""
    clock, cpu = time.perf_counter(), time.process_time()
    call(*arguments)
    return (time.process_time() - cpu) * 1000, (time.perf_counter() - clock) * 1000


def _difference(backend: Any, encoded: Any, phrases: tuple[str, ...], given: tuple[Any, Any, Any],
                image: np.ndarray) -> dict[str, float]:
    """Return how far both ways are apart, in shares of the spread: random logits have no unit.

    ``same pixels``: the largest difference of a logit when both get the pixels of the library's processor;
    ``rms``, its root mean square; ``own pixels``, the root mean square when each prepares the image itself,
    which leaves the rounding of two resizes to grey levels. ``score``: the largest difference of a score
    (0..1) with the same pixels, of logits that are scaled to a spread of 1; ``box rms`` the root mean square
    of what the box head adds to the place of a patch, and ``box px`` the largest difference of centre or side
    of a box in pixels of the image, of outputs of the box head that are scaled to a spread of 1.

    :param given: pixels, logits, and what the box head says of each patch (None: no boxes) of the plain call.
    """
    pixels, wanted, wanted_boxes = given
    asked = [encoded.tree.texts.index(phrase) for phrase in phrases]
    with torch.inference_mode():
        (same, boxes), (own, _) = (answer(backend, one, encoded.features, asked)
                                   for one in (pixels, backend.prepare(image)))
        unit = wanted.std()
        apart = {'same pixels': (same - wanted).abs().max() / unit, 'rms': rms(same - wanted) / unit,
                 'own pixels': rms(own - wanted) / unit,
                 'score': _moved(same, wanted, wanted.mean() / unit)}
        if boxes is not None:
            bias = backend.model.box_bias
            apart['box rms'] = rms(boxes - wanted_boxes) / wanted_boxes.std()
            apart['box px'] = _moved(boxes, wanted_boxes, -bias) * max(SIZE)
    return {name: float(f'{value:.1e}') for name, value in apart.items()}


def rms(values: torch.Tensor) -> torch.Tensor:
    """Return the root mean square."""
    return values.square().mean().sqrt()


def _moved(values: torch.Tensor, wanted: torch.Tensor, off: torch.Tensor) -> torch.Tensor:
    """Return how far apart the sigmoids are at most, of values in spreads of the wanted less ``off``."""
    first, second = (torch.sigmoid(one / wanted.std() - off) for one in (values, wanted))
    return (first - second).abs().max()


def answer(backend: Any, pixels: torch.Tensor, features: torch.Tensor,
           asked: list[int]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return logits for the texts asked for, and what the box head says where there is one: one pass."""
    if backend.name == 'clipseg':
        return backend.logits(pixels, features)[asked], None
    seen = backend._see(pixels)
    logits, _ = backend._detect(seen, features)
    return logits.flatten(0, 1)[:, asked], backend.model.box_head(seen[0].flatten(1, 2))[0]


def _plain_clipseg(backend: Any) -> Callable[[Image.Image, list[str], bool], Any]:
    import transformers
    processor = transformers.CLIPSegProcessor(_pil_processor(backend.folder), backend.tokenizer)

    def call(image: Image.Image, texts: list[str], raw: bool) -> Any:
        inputs = processor(text=texts, images=[image] * len(texts), padding=True, return_tensors='pt')
        with torch.inference_mode():
            logits = backend.model(**inputs).logits
        logits = logits.view(len(texts), *logits.shape[-2:])
        return (inputs['pixel_values'][:1], logits, None) if raw else torch.sigmoid(logits)
    return call


def _plain_owlv2(backend: Any) -> Callable[[Image.Image, list[str], bool], Any]:
    import transformers
    processor = _pil_processor(backend.folder)
    detector = transformers.pipeline('zero-shot-object-detection', model=backend.model,
                                     tokenizer=backend.tokenizer, image_processor=processor, device='cpu')

    def call(image: Image.Image, texts: list[str], raw: bool) -> Any:
        if not raw:
            return detector(image, candidate_labels=texts, threshold=1.0)
        inputs = {**backend.tokenizer(texts, padding=True, return_tensors='pt'),
                  **processor(images=image, return_tensors='pt')}
        with torch.inference_mode():
            output = backend.model(**inputs)
        shift = backend.model.box_head(output.image_embeds.flatten(1, 2))[0]
        return inputs['pixel_values'], output.logits[0], shift
    return call


def _pil_processor(folder: Path) -> Any:
    """Return the model's image processor; torchvision, which the other kind needs, is not required here."""
    import transformers
    return transformers.AutoImageProcessor.from_pretrained(folder, backend='pil')


def save_clipseg(folder: Path) -> None:
    """Write a model of the sizes of CIDAS/clipseg-rd64-refined: ViT-B/16, 352 pixels, 485 tokens."""
    import transformers
    torch.manual_seed(0)
    config = transformers.CLIPSegConfig(vision_config={'patch_size': 16},
                                        use_complex_transposed_convolution=True)
    transformers.CLIPSegForImageSegmentation(config).save_pretrained(folder)
    transformers.ViTImageProcessorPil(size={'height': 352, 'width': 352}).save_pretrained(folder)
    _tokenizer(77).save_pretrained(folder)


def save_owlv2(folder: Path) -> None:
    """Write a model of the sizes of google/owlv2-base-patch16-ensemble: ViT-B/16, 960 pixels."""
    import transformers
    torch.manual_seed(0)
    vision = {'image_size': 960, 'patch_size': 16, 'hidden_size': 768, 'intermediate_size': 3072}
    transformers.Owlv2ForObjectDetection(transformers.Owlv2Config(vision_config=vision)).save_pretrained(folder)
    transformers.Owlv2ImageProcessorPil().save_pretrained(folder)
    _tokenizer(16).save_pretrained(folder)


def _tokenizer(length: int) -> Any:
    """Return a CLIP tokenizer that has the words of the phrases whole, as the real one does."""
    import transformers
    alphabet = [*string.ascii_lowercase, *(letter + '</w>' for letter in string.ascii_lowercase)]
    vocab = {token: index for index, token in enumerate(alphabet)}
    merges = []
    for word in WORDS:
        whole = word[0]
        for letter in [*word[1:-1], word[-1] + '</w>'][:len(word) - 1]:
            if whole + letter not in vocab:
                merges.append((whole, letter))
                vocab[whole + letter] = len(vocab)
            whole += letter
    vocab |= {f'<unused{index}>': index for index in range(len(vocab), 49406)}
    vocab |= {'<|startoftext|>': 49406, '<|endoftext|>': 49407}
    return transformers.CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=length)


def picture(seed: int) -> np.ndarray:
    """Return a smooth random picture (H, W, 3) uint8: what it shows does not change the time."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.array(Image.fromarray(small).resize(SIZE, Image.BICUBIC))


def machine() -> str:
    """Return processor and threads."""
    cpu = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.exists():
        lines = info.read_text().splitlines()
        names = [line.split(':', 1)[1].strip() for line in lines if 'model name' in line]
        cpu = f'{len(names)} x {names[0]}' if names else cpu
    return f'{cpu}, {torch.get_num_threads()} threads'


# model -> (writes it, its plain call, frames beside those of the slowest)
MODELS: dict[str, tuple[Callable[[Path], None], Callable[[Any], Any], int]] = {
    'clipseg': (save_clipseg, _plain_clipseg, 4),
    'owlv2': (save_owlv2, _plain_owlv2, 1),
}
ENGINES: dict[str, dict[str, Any]] = {
    'openvino f32': {'engine': 'openvino', 'precision': 'f32'},
    'openvino bf16': {'engine': 'openvino', 'precision': 'bf16'},
    'torch': {'engine': 'torch'},
}
