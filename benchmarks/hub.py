"""Hub backends against the call that users of transformers write: time a frame, same outputs, same run.

No model hub is needed: the models have the layers and sizes of the released base checkpoints and random
weights, which cost the same time. What pretrained weights find is not measured here.

OWLv2 is compared with ``pipeline('zero-shot-object-detection')``, CLIPSeg, which no pipeline takes texts
for, with the processor-and-model call of its documentation. Both ways share one model in memory and take
turns frame by frame. Times are processor time of the process, which other processes of a busy machine
change little; with one thread on an idle machine it is the time on the clock, whose best is given beside.
The pipeline's threshold is 1: random scores would make it list thousands of boxes, which is not what it is
measured for. The backend's time is that of the whole ``attend``: maps, boxes, colours and the choice among
candidates.
"""

from __future__ import annotations

import argparse
import platform
import string
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    parser.add_argument('--hub-frames', type=int, default=5, metavar='N',
                        help='frames for OWLv2; CLIPSeg gets four times as many (default: 5)')
    parser.add_argument('--hub-threads', type=int, default=1, metavar='N',
                        help='threads of torch (default: 1, so that processor time is time)')


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and return rows of one backend and number of phrases each."""
    import transformers
    torch.set_num_threads(options.hub_threads)
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for name, save, plain, frames in (('clipseg', save_clipseg, _plain_clipseg, 4 * options.hub_frames),
                                          ('owlv2', save_owlv2, _plain_owlv2, options.hub_frames)):
            folder = Path(root) / name
            save(folder)
            backend = make_backend(name, model=str(folder), device='cpu')
            for count in (1, 2):
                rows.append(_compare(backend, plain(backend), PHRASES[:count], frames))
    return {'rows': rows, 'machine': machine(), 'image': f'{SIZE[0]}x{SIZE[1]}', 'weights': 'random',
            'versions': {'torch': torch.__version__, 'transformers': transformers.__version__}}


def _compare(backend: Any, plain: Callable[[Image.Image, list[str], bool], Any], phrases: tuple[str, ...],
             frames: int) -> dict[str, Any]:
    texts = [backend.template.format(phrase) for phrase in phrases]
    encoded = backend.encode(phrases)
    ours, theirs = [], []
    for index in tqdm(range(frames + 1), desc=f'{backend.name} {len(phrases)}', disable=None, leave=False):
        image = picture(index)
        times = (_timed(backend.attend, image, encoded), _timed(plain, Image.fromarray(image), texts, False))
        if index:       # the first frame warms up
            ours.append(times[0])
            theirs.append(times[1])
    (our_cpu, our_clock), (cpu, clock) = np.array(ours).T, np.array(theirs).T
    difference = _difference(backend, encoded, phrases, plain, texts, picture(0))
    return {'backend': backend.name, 'phrases': len(phrases), 'frames': frames,
            'plain cpu p50 ms': round(float(np.median(cpu)), 1),
            'ours cpu p50 ms': round(float(np.median(our_cpu)), 1),
            'faster': round(float(np.median(cpu) / np.median(our_cpu)), 2),
            'plain clock best ms': round(float(clock.min()), 1),
            'ours clock best ms': round(float(our_clock.min()), 1), **difference}


def _timed(call: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    """Return (processor, clock) milliseconds of a call."""
    clock, cpu = time.perf_counter(), time.process_time()
    call(*arguments)
    return (time.process_time() - cpu) * 1000, (time.perf_counter() - clock) * 1000


def _difference(backend: Any, encoded: Any, phrases: tuple[str, ...], plain: Any, texts: list[str],
                image: np.ndarray) -> dict[str, float]:
    """Return how far both ways are apart, in shares of the spread of the logits: random ones have no unit.

    ``same pixels``: the largest difference when both get the pixels of the library's processor. ``own
    pixels``: the root mean square difference when each prepares the image itself, which leaves the rounding
    of two resizes to grey levels.
    """
    pixels, wanted = plain(Image.fromarray(image), texts, True)
    asked = [encoded.tree.texts.index(phrase) for phrase in phrases]
    spread = wanted.std()
    with torch.inference_mode():
        same, own = (logits(backend, one, encoded.features, asked) - wanted
                     for one in (pixels, backend.prepare(image)))
    return {'same pixels': float(f'{same.abs().max() / spread:.1e}'),
            'own pixels': float(f'{own.square().mean().sqrt() / spread:.1e}')}


def logits(backend: Any, pixels: torch.Tensor, features: torch.Tensor, asked: list[int]) -> torch.Tensor:
    """Return what a backend's model says of pixels, for the texts asked for: one forward pass."""
    if backend.name == 'clipseg':
        return backend.logits(pixels, features)[asked]
    return backend.detect(pixels, features)[0].flatten(0, 1)[:, asked]


def _plain_clipseg(backend: Any) -> Callable[[Image.Image, list[str], bool], Any]:
    import transformers
    processor = transformers.CLIPSegProcessor(_pil_processor(backend.folder), backend.tokenizer)

    def call(image: Image.Image, texts: list[str], raw: bool) -> Any:
        inputs = processor(text=texts, images=[image] * len(texts), padding=True, return_tensors='pt')
        with torch.inference_mode():
            logits = backend.model(**inputs).logits
        logits = logits.view(len(texts), *logits.shape[-2:])
        return (inputs['pixel_values'][:1], logits) if raw else torch.sigmoid(logits)
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
            return inputs['pixel_values'], backend.model(**inputs).logits[0]
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
