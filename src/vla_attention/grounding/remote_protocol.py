"""What goes between a robot and a pool of workers: a question and its answer, as safetensors.

safetensors, which the weights are kept in too, holds named arrays of known types and a few texts, and reading
it runs no code. A question is self-contained (phrases and picture), so that any worker can answer any frame.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import safetensors
from PIL import Image, UnidentifiedImageError
from safetensors.numpy import save

from vla_attention.grounding.attention_maps import HEADS, AttentionMaps
from vla_attention.vision.image import LONGEST, check_image

PROTOCOL = '1'      # changes when old and new no longer understand each other
GROUND_PATH = '/v1/ground'
HEALTH_PATH = '/v1/health'
TYPE = 'application/x-safetensors'
LANGUAGES = ('en', 'ko')

_DTYPES: dict[str, type[np.generic]] = {'U8': np.uint8, 'F32': np.float32}
_HANGUL = re.compile('[가-힣]')


class ProtocolError(ValueError):
    """Bytes that are no question or no answer; the message says what is wrong with them."""


@dataclass(frozen=True)
class Limits:
    """What a worker takes at most."""

    bytes: int = 16 * 2**20         # of a question
    pixels: int = 4096 * 2304       # of a picture
    phrases: int = 32               # of a question
    characters: int = 2000          # of a phrase: as many as an instruction has


@dataclass(frozen=True)
class Question:
    """One frame: what is looked for in which picture, and for how long somebody waits for the answer.

    ``phrases`` are the texts as written, ``languages`` 'ko' or 'en' for each; ``image`` (H, W, 3) uint8 RGB;
    ``patience`` seconds.
    """

    phrases: tuple[str, ...]
    languages: tuple[str, ...]
    image: np.ndarray
    patience: float


@dataclass(frozen=True)
class Answer:
    """The attention over one frame, and who worked it out: backend, device, frames of its batch."""

    maps: AttentionMaps
    about: dict[str, str] = field(default_factory=dict)


def write_question(phrases: Sequence[str], image: np.ndarray, patience: float, *,
                   jpeg_quality: int = 0) -> bytes:
    """Return a question as bytes.

    :param image: (H, W, 3) uint8 RGB.
    :param patience: seconds for which the answer is of use.
    :param jpeg_quality: 1 to 100; 0 sends the pixels as they are.
    :raises ValueError: the image is of another shape or dtype, or UTF-8 cannot carry a phrase.
    """
    check_image(image)
    pixels = np.ascontiguousarray(image)
    if jpeg_quality:
        done, pixels = cv2.imencode('.jpg', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR),
                                    [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
        if not done:
            raise ValueError(f'an image of {image.shape} cannot be written as JPEG')
        pixels = pixels.ravel()
    named = [{'text': text, 'language': 'ko' if _HANGUL.search(text) else 'en'} for text in phrases]
    return save({'image': pixels}, {'protocol': PROTOCOL, 'patience': repr(float(patience)),
                                    'phrases': json.dumps(named, ensure_ascii=False)})


def read_question(data: bytes, limits: Limits) -> Question:
    """Return what :func:`write_question` wrote.

    :raises ProtocolError: it is no question, or beyond the limits; nothing is decoded before that is known.
    """
    if len(data) > limits.bytes:
        raise ProtocolError(f'a question of {len(data)} bytes; {limits.bytes} are allowed')
    arrays, texts = _read(data)
    phrases, languages = _read_phrases(texts, limits)
    try:
        patience = float(texts['patience'])
    except (KeyError, ValueError) as error:
        raise ProtocolError(f'patience is {texts.get("patience")!r}, not seconds') from error
    if not 0 < patience <= 600:
        raise ProtocolError(f'patience is {patience}; it must lie in 0 to 600 seconds')
    image = arrays.get('image')
    if image is None or image.dtype != np.uint8:
        raise ProtocolError('there is no uint8 array "image"')
    if image.ndim == 1:
        image = _read_jpeg(image, limits)
    elif image.ndim == 3 and image.shape[0] * image.shape[1] > limits.pixels:
        raise ProtocolError(f'image is {image.shape[1]}x{image.shape[0]}; {limits.pixels} pixels are allowed')
    try:
        check_image(image)
    except ValueError as error:
        raise ProtocolError(str(error)) from error
    return Question(phrases, languages, image, patience)


def write_answer(answer: Answer) -> bytes:
    """Return an answer as bytes; maps are rounded to 1/255, which makes them a quarter of the size.

    :raises ValueError: a map has values outside 0..1 or that are no numbers.
    """
    maps = answer.maps
    arrays = {'maps': _to_bytes(maps.maps, 'maps'), 'presence': maps.presence.astype(np.float32)}
    if maps.masks is not None:
        arrays['masks'] = _to_bytes(maps.masks, 'masks')
    arrays.update({f'head/{name}': _to_bytes(head, name) for name, head in maps.heads.items()})
    arrays.update({f'words/{index}': _to_bytes(words, 'words') for index, words in enumerate(maps.words)})
    arrays.update({f'boxes/{index}': np.ascontiguousarray(boxes, np.float32)
                   for index, boxes in enumerate(maps.boxes)})
    said = {'phrases': maps.phrases, 'word_texts': maps.word_texts, 'image_size': maps.image_size,
            'about': answer.about}
    return save(arrays, {'protocol': PROTOCOL, 'answer': json.dumps(said, ensure_ascii=False)})


def read_answer(data: bytes, phrases: Sequence[str], size: tuple[int, int]) -> Answer:
    """Return what :func:`write_answer` wrote.

    :param phrases: what was asked; an answer to anything else is refused.
    :param size: (width, height) of the picture that was sent.
    :raises ProtocolError: it is no answer, one to another question, or one that makes no sense: a head of
        :data:`HEADS` is missing, arrays do not fit each other or are larger than the picture, a presence or a
        box is no number.
    """
    arrays, texts = _read(data)
    try:
        said = _read_json(texts['answer'])
        answered, image_size = tuple(said['phrases']), tuple(said['image_size'])
        about = {str(name): str(value) for name, value in dict(said['about']).items()}
        word_texts = tuple(tuple(str(word) for word in words) for words in said['word_texts'])
        maps, presence = arrays['maps'], arrays['presence']
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f'no answer: {type(error).__name__} {error}') from error
    if answered != tuple(phrases) or image_size != tuple(size):
        raise ProtocolError(f'the answer is to {answered} in {image_size}, not to {tuple(phrases)} in {size}')
    answer = AttentionMaps(
        answered, _from_bytes(maps), _finite(presence), (size[0], size[1]),
        heads={name.partition('/')[2]: _from_bytes(array) for name, array in arrays.items()
               if name.startswith('head/')},
        words=tuple(map(_from_bytes, _series(arrays, 'words'))), word_texts=word_texts,
        masks=_from_bytes(arrays['masks']) if 'masks' in arrays else None,
        boxes=tuple(map(_finite, _series(arrays, 'boxes'))))
    if not (_fit(answer) and _have_size(answer)):
        raise ProtocolError(f'the arrays of the answer do not fit {len(answered)} phrases in {image_size}: '
                            + ', '.join(f'{name} {array.shape}' for name, array in arrays.items()))
    missing = [name for name in HEADS if name not in answer.heads]
    if missing:
        raise ProtocolError(f'the answer has no head {", ".join(missing)}')
    return Answer(answer, about)


def _fit(answer: AttentionMaps) -> bool:
    """Return whether the arrays of an answer belong to its phrases and to each other."""
    count, grid = len(answer.phrases), answer.maps.shape[1:]
    return (answer.maps.ndim == 3 and len(answer.maps) == count and answer.presence.shape == (count,)
            and all(head.shape == answer.maps.shape for head in answer.heads.values())
            and (answer.masks is None or (answer.masks.ndim == 3 and len(answer.masks) == count))
            and len(answer.words) in (0, count)
            and all(each.ndim == 3 and each.shape[1:] == grid for each in answer.words)
            and [len(each) for each in answer.word_texts] == [len(each) for each in answer.words]
            and len(answer.boxes) in (0, count)
            and all(each.ndim == 2 and each.shape[1] == 5 for each in answer.boxes))


def _have_size(answer: AttentionMaps) -> bool:
    """Return whether the grids have cells, and no more along a side than the picture has pixels."""
    most = max(*answer.image_size, LONGEST)     # models see a smaller picture enlarged
    grids = (answer.maps,) if answer.masks is None else (answer.maps, answer.masks)
    return all(1 <= side <= most for grid in grids for side in grid.shape[1:])


def _read(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the texts of a safetensors file in memory."""
    try:
        tensors = safetensors.deserialize(data)
        # the library checks the header, but gives its texts away for files alone
        header = json.loads(data[8:8 + int.from_bytes(data[:8], 'little')])
        texts = dict(header.get('__metadata__') or {})
        arrays = {name: np.frombuffer(tensor['data'], _DTYPES[tensor['dtype']]).reshape(tensor['shape'])
                  for name, tensor in tensors}
    except KeyError as error:
        raise ProtocolError(f'an array of dtype {error}; there are {", ".join(_DTYPES)}') from error
    except (safetensors.SafetensorError, ValueError) as error:
        raise ProtocolError(f'{len(data)} bytes that are no safetensors: {error}') from error
    if texts.get('protocol') != PROTOCOL:
        raise ProtocolError(f'protocol is {texts.get("protocol")!r}, here it is {PROTOCOL!r}: '
                            'install the same version on both sides')
    return arrays, texts


def _read_json(text: str) -> Any:
    """Return what a text says in JSON.

    :raises ValueError: it is no JSON, is nested too deeply, or has half a surrogate pair, which no UTF-8 can
        carry on.
    """
    try:
        said = json.loads(text)
        json.dumps(said, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError('it is nested too deeply') from error
    return said


def _read_phrases(texts: dict[str, str], limits: Limits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        named = [(each['text'], each['language']) for each in _read_json(texts['phrases'])]
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f'phrases is no list of {{"text", "language"}}: {error}') from error
    if not 1 <= len(named) <= limits.phrases:
        raise ProtocolError(f'{len(named)} phrases; 1 to {limits.phrases} are allowed')
    for text, language in named:
        if not isinstance(text, str) or not 0 < len(text) <= limits.characters:
            raise ProtocolError(f'a phrase is {str(text)[:40]!r}; it must be a text of 1 to '
                                f'{limits.characters} characters')
        if language not in LANGUAGES:
            raise ProtocolError(f'language is {str(language)[:40]!r}; it must be one of '
                                f'{", ".join(LANGUAGES)}')
    return tuple(text for text, _ in named), tuple(language for _, language in named)


def _read_jpeg(data: np.ndarray, limits: Limits) -> np.ndarray:
    try:    # what the header says, before anything of that size is allocated
        with Image.open(io.BytesIO(data.tobytes()), formats=('JPEG',)) as header:
            width, height = header.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise ProtocolError(f'image ({data.size} bytes) is no JPEG: {error}') from error
    if width * height > limits.pixels:
        raise ProtocolError(f'image is {width}x{height}; {limits.pixels} pixels are allowed')
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if pixels is None:
        raise ProtocolError(f'image ({data.size} bytes) is no JPEG that OpenCV reads')
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _to_bytes(values: np.ndarray, name: str) -> np.ndarray:
    if values.size and not (values.min() >= -1e-3 and values.max() <= 1 + 1e-3):
        raise ValueError(f'{name} lie in {values.min()} to {values.max()}; they must lie in 0 to 1')
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _from_bytes(values: np.ndarray) -> np.ndarray:
    if values.dtype != np.uint8:
        raise ProtocolError(f'a map of {values.dtype} instead of uint8')
    return values.astype(np.float32) / np.float32(255)


def _finite(values: np.ndarray) -> np.ndarray:
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise ProtocolError(f'presence or boxes ({values.dtype}) that are not all finite float32 numbers')
    return values


def _series(arrays: dict[str, Any], name: str) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    while f'{name}/{len(found)}' in arrays:
        found.append(arrays[f'{name}/{len(found)}'])
    return found
