"""What the transformers backends share: loading, phrases encoded once, images checked and prepared once."""

from __future__ import annotations

import logging
import math
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from vla_attention.grounding.assemble import Evidence, assemble
from vla_attention.grounding.attention_maps import PATCH, AttentionMaps
from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.device import pick_device
from vla_attention.grounding.fetch import MODELS, REVISIONS
from vla_attention.grounding.hub import first_line, load_hub_model
from vla_attention.grounding.hub_engine import OpenVinoEncoder, pick_engine, pick_precision
from vla_attention.grounding.image_transform import ImageTransform
from vla_attention.grounding.phrase_tree import EncodedPhrases, plant
from vla_attention.grounding.translate import wants_translation
from vla_attention.vision.image import check_image, model_size

_log = logging.getLogger(__name__)
_HANGUL = re.compile('[가-힣]')
_REMEMBERED = 32    # instructions whose encodings are kept


class HubBackend(ABC):
    """A grounding backend on a transformers model; see :class:`vla_attention.grounding.GroundingBackend`.

    A subclass names its model and turns texts into features and an image into :class:`Evidence`; translation,
    caching, relations, sizes and colours are the same for all.
    """

    name = ''
    model_type = ''
    architecture = ''
    template = '{}'         # what an English text is put into
    threshold = 0.5         # the model's score at which a thing is as likely there as not
    with_words = False      # single words cost next to nothing in this model
    resample = 'bilinear'   # of the model's processor, where its settings do not say
    square = False
    exports = False         # the image encoder is a plain function of the pixels, which OpenVINO can take

    def __init__(self, model: str = '', *, device: str = 'auto', dtype: str = 'auto',
                 revision: str | None = None, allow_download: bool = False, translate: str = 'auto',
                 threshold: float | None = None, compile_model: bool = False, engine: str = 'auto',
                 precision: str = 'auto') -> None:
        """Load the model.

        :param model: folder or hub name; the backend's usual checkpoint (:data:`fetch.MODELS`) by default.
        :param device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
        :param dtype: 'auto' (float16 on CUDA, else float32), 'float32', 'float16', 'bfloat16'. Where OpenVINO
            runs the image encoder, this is what it computes in, and all else is float32.
        :param revision: branch, tag or commit of a hub name; main by default, or what :data:`fetch.REVISIONS`
            has for the usual checkpoint.
        :param allow_download: a hub name that is not in the cache may be downloaded.
        :param translate: Korean goes to the model as English: 'auto' (unless it is multilingual), 'never',
            'always'.
        :param threshold: the model's score that counts as presence 0.5; each backend has its own default.
        :param compile_model: compile the image part with torch.compile; the first image then takes minutes.
        :param engine: what runs the image encoder: 'torch', 'openvino' (CLIPSeg and OWLv2 on a CPU), or
            'auto': OpenVINO where it can, which needs the package openvino.
        :param precision: what OpenVINO computes the image encoder in: 'f32', with which nothing changes but
            the time; 'bf16', twice as fast where the CPU has it (f32 elsewhere), with three digits; 'auto':
            as ``dtype`` says, else bf16.
        :raises BackendError: the model cannot be loaded; the message says why and what to do.
        """
        if threshold is not None:
            if not 0 < threshold < 1:
                raise BackendError(f'threshold must lie between 0 and 1, not {threshold}')
            self.threshold = threshold
        self.engine = pick_engine(engine, self.name, exports=self.exports, device=pick_device(device),
                                  dtype=dtype, compile_model=compile_model)
        self.precision = pick_precision(precision, self.engine, dtype)
        if not model:
            model, revision = MODELS[self.name], revision or REVISIONS.get(self.name)
        loaded = load_hub_model(model, self.model_type, self.architecture, device=device,
                                dtype='float32' if self.engine == 'openvino' else dtype, revision=revision,
                                allow_download=allow_download)
        self.model, self.tokenizer, self.dtype = loaded.model, loaded.tokenizer, loaded.dtype
        self.torch_device, self.device, self.folder = loaded.device, str(loaded.device), loaded.folder
        self.weights = str(loaded.folder)       # in the hub's cache it names the commit
        self.transform = ImageTransform.from_settings(loaded.image, mode=self.resample, square=self.square)
        self.translates = wants_translation(translate, self._is_multilingual())
        self._check_tokenizer()
        self._encodings: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        if compile_model:
            self._accelerate(torch.compile)
        elif self.engine == 'openvino':
            self._accelerate(lambda encode: self._by_openvino(encode, needed=engine == 'openvino'))

    def encode(self, phrases: Sequence[str]) -> EncodedPhrases:
        """Encode P phrases; the model's text encoder runs once for a set of texts, whoever asks again.

        ``tree.untranslated`` of the result tells which words went to the model untranslated; they are
        logged too.
        """
        tree = plant(phrases, translate=self.translates, with_words=self.with_words)
        for phrase, words in tree.untranslated.items():
            _log.warning('%s: no list has %s of "%s"; the model gets it untranslated', self.name,
                         ', '.join(words), phrase)
        if tree.texts not in self._encodings:
            with torch.inference_mode():
                self._encodings[tree.texts] = self._encode(tree.texts) if tree.texts else None
            while len(self._encodings) > _REMEMBERED:
                self._encodings.popitem(last=False)
        self._encodings.move_to_end(tree.texts)
        return EncodedPhrases(tree, self._encodings[tree.texts])

    def attend(self, image: np.ndarray, encoded: EncodedPhrases) -> AttentionMaps:
        """Attend to one image; all texts of all phrases share one pass.

        :param image: (H, W, 3) uint8 RGB.
        :raises ValueError: another shape or dtype, or a side below 32 pixels.
        """
        check_image(image)
        if not encoded.tree.texts:
            nothing = np.zeros((0, *self.grid(image)), np.float32)
            return assemble(encoded.tree, Evidence(nothing, (), nothing[:, 0, 0], own_boxes=False), image)
        with torch.inference_mode():
            evidence = self._look(image, encoded.features, len(encoded.tree.texts))
        return assemble(encoded.tree, evidence, image)

    def attend_many(self, images: Sequence[np.ndarray],
                    encoded: Sequence[EncodedPhrases]) -> list[AttentionMaps]:
        """Attend to several images, each for phrases of its own: what a pool that serves many robots calls.

        Where the image encoder knows nothing of texts (``exports``), all images go through it at once;
        OpenVINO would compile it anew for each number of images, so there they take turns.

        :param images: B times (H, W, 3) uint8 RGB, of any sizes.
        :raises ValueError: an image of another shape or dtype, or a side below 32 pixels.
        """
        if not self.exports or self.engine == 'openvino':
            return [self.attend(image, phrases) for image, phrases in zip(images, encoded, strict=True)]
        for image in images:
            check_image(image)
        found = []
        with torch.inference_mode():
            seen = self._see(torch.cat([self.prepare(image) for image in images]))
            for index, (image, phrases) in enumerate(zip(images, encoded, strict=True)):
                if not phrases.tree.texts:
                    found.append(self.attend(image, phrases))
                    continue
                own = tuple(part[index:index + 1] for part in seen)
                found.append(assemble(phrases.tree, self._look_at(
                    image, own, phrases.features, len(phrases.tree.texts)), image))
        return found

    @staticmethod
    def grid(image: np.ndarray) -> tuple[int, int]:
        """Return (rows, cols) of the patch grid of an image: the one of the embedded model."""
        width, height = model_size(image.shape[1], image.shape[0])
        return height // PATCH, width // PATCH

    def prepare(self, image: np.ndarray) -> torch.Tensor:
        """Return the image (1, 3, h, w) as the model takes it, on its device."""
        return self.transform(image, self.torch_device, self.dtype)

    @abstractmethod
    def _encode(self, texts: tuple[str, ...]) -> Any:
        """Return the features of T texts."""

    def _see(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what the image encoder makes of (B, 3, h, w), each part (B, ...); where ``exports``."""
        raise NotImplementedError

    def _look_at(self, image: np.ndarray, seen: tuple[torch.Tensor, ...], features: Any,
                 count: int) -> Evidence:
        """Return what the model sees of the texts in one image that was encoded before; where ``exports``."""
        raise NotImplementedError

    @abstractmethod
    def _look(self, image: np.ndarray, features: Any, count: int) -> Evidence:
        """Return what the model sees of the ``count`` texts."""

    @abstractmethod
    def _accelerate(self, by: Callable[[Callable[..., Any]], Any]) -> None:
        """Put what ``by`` makes of it in the place of the part that runs for each image."""

    def _check_tokenizer(self) -> None:
        try:
            with torch.inference_mode():
                self._encode(('cup',))
        except (ValueError, IndexError, RuntimeError) as error:
            raise BackendError(f'the tokenizer in {self.folder} is not that of the model: {first_line(error)}'
                               ) from error

    def _by_openvino(self, encode: Callable[..., Any], needed: bool) -> Callable[..., Any]:
        """Return the encoder compiled for the usual shape: the first image is as fast as the rest."""
        encoder = OpenVinoEncoder(self.model, encode, self.precision)
        try:
            encoder.compile(tuple(self.prepare(np.zeros((480, 640, 3), np.uint8)).shape))
        except Exception as error:      # torch and OpenVINO raise of what kind they like
            why = first_line(error)
            if needed:
                raise BackendError(f'OpenVINO cannot take {self.folder} ({why}); use torch') from error
            _log.warning('%s: OpenVINO cannot take %s (%s); torch runs it', self.name, self.folder, why)
            self.engine, self.precision = 'torch', ''
            return encode
        return encoder

    def _is_multilingual(self) -> bool:
        return False

    def _say(self, text: str) -> str:
        """Put a text into the template that the model was trained with; Korean stays bare.

        All of these models were trained with lower case, which not every tokenizer sees to.
        """
        return (self.template.format(text) if not _HANGUL.search(text) else text).lower()

    def _tokens(self, said: Iterable[str], *, padding: str) -> dict[str, torch.Tensor]:
        """Return the tokens of what :meth:`_say` made, on the device; what does not fit is cut off."""
        said = list(said)
        most = self.model.config.text_config.max_position_embeddings
        for text, tokens in zip(said, self.tokenizer(said, verbose=False)['input_ids'], strict=True):
            if len(tokens) > most:
                _log.warning('%s reads %d tokens of a text; the end of "%s" (%d) is cut off', self.name, most,
                             text, len(tokens))
        # all were trained with padding at the end; the Gemma tokenizer of SigLIP 2 pads at the beginning
        # where its folder does not say otherwise
        batch = self.tokenizer(said, padding=padding, padding_side='right', max_length=most, truncation=True,
                               return_tensors='pt')
        return self._placed(batch)

    def _placed(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return tokens on the device; :raises ValueError: the model does not have them."""
        highest, known = int(batch['input_ids'].max()), self.model.config.text_config.vocab_size
        if highest >= known:
            raise ValueError(f'it has a token {highest}, where the model knows {known}')
        return {name: values.to(self.torch_device) for name, values in batch.items()}


def to_grid(maps: torch.Tensor, grid: tuple[int, int],
            extent: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Bring maps to the patch grid.

    :param maps: (T, h, w), of which the image covers the share ``extent`` (down, across) from the upper left;
        what lies outside it is never looked at.
    :return: (T, rows, cols) float32. Along an axis on which the grid is coarser by a factor f, means of all
        values that a cell touches: 1 + ceil(f) at most, so that a single high one keeps that share of itself
        in some cell, wherever it lies. Interpolated along other axes.
    """
    maps = maps.float()
    down, across = (_to_cells(size, cells, share).to(maps.device)
                    for size, cells, share in zip(maps.shape[-2:], grid, extent, strict=True))
    return (down @ maps @ across.T).cpu().numpy()


def _to_cells(size: int, cells: int, share: float) -> torch.Tensor:
    """Return (cells, size): how much of each value along one axis goes into each cell; rows sum to 1."""
    edge = torch.arange(cells + 1, dtype=torch.float64) / cells * share * size      # of the cells, in values
    value = torch.arange(size, dtype=torch.float64)
    if share * size >= cells:
        touches = (value < edge[1:, None] - 1e-6) & (value + 1 > edge[:-1, None] + 1e-6)
        return (touches / touches.sum(1, keepdim=True)).float()
    last = math.ceil(share * size - 1e-6) - 1
    middle = ((edge[1:] + edge[:-1]) / 2 - 0.5).clamp(0, last)
    return (1 - (value - middle[:, None]).abs()).clamp_min(0).float()
