"""The embedded model: phrases in Korean or English and an image -> AttentionMaps.

It runs on a CPU, in real time, without network. The network answers for kinds (:mod:`head`); colour words are
measured in the pixels (:mod:`colour`); size, place and relation words compare candidates (:mod:`resolve`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_attention.grounding.attention_maps import PATCH, AttentionMaps, no_maps
from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.device import pick_device
from vla_attention.grounding.embedded_model import WEIGHTS, load_model
from vla_attention.grounding.look_memory import LookMemory
from vla_attention.grounding.reference import all_phrases
from vla_attention.grounding.scene import Answer, Scene
from vla_attention.grounding.second_look import SecondLook
from vla_attention.grounding.word_queries import WordQueries, make_queries
from vla_attention.language import Phrase, parse_phrase
from vla_attention.threads import one_thread
from vla_attention.vision.engine import make_engine
from vla_attention.vision.image import LONGEST, check_image, fit, model_size

LOOKS = 8       # candidates of a phrase that are looked at again


@dataclass(frozen=True)
class EncodedPhrases:
    """Phrases taken apart, and the queries of all kinds that they and their references name."""

    texts: tuple[str, ...]
    phrases: tuple[Phrase, ...]
    queries: WordQueries
    memory: LookMemory | None = None    # of the images before


class EmbeddedBackend:
    """Grounds phrases with the weights that the package carries."""

    def __init__(self, weights: str | Path | None = None, device: str = 'cpu', engine: str = 'auto', *,
                 longest: int = LONGEST, looks: int = LOOKS, threads: int = 0,
                 precision: str = 'auto', relooks: int | None = None) -> None:
        """Load the weights.

        :param weights: a safetensors file; the package's own when None.
        :param device: 'auto' (CUDA where there is one), 'cpu', 'cuda' or 'cuda:N'.
        :param engine: what runs the network: 'torch', 'openvino' (CPU), or 'auto', the faster of those there.
        :param longest: pixels of the longer side that the model sees; less is faster and sees less.
        :param looks: candidates of each phrase that are looked at again from near; 0: none.
        :param threads: of the engine; 0 leaves it to the engine.
        :param precision: of OpenVINO: 'bf16' where the CPU has it; 'int8', as fast on other CPUs, which
            points a little less well; 'auto', the better of these; or 'f32', with which machines agree to
            the last digits.
        :param relooks: for a stream of images: candidates of each phrase that were looked at in an image
            before, and have not changed, of which so many are looked at again, oldest first; phrases then
            remember (:mod:`look_memory`). None: every image stands by itself.
        :raises ValueError: ``looks`` or ``relooks`` is negative, ``longest`` below 32 pixels.
        :raises DeviceError: there is no such device; it is a ValueError and a BackendError.
        :raises BackendError: the weights or the engine cannot be had; the message says why.
        """
        if looks < 0:
            raise ValueError(f'looks must be 0 or more, got {looks}')
        if relooks is not None and relooks < 0:
            raise ValueError(f'relooks must be 0 or more, got {relooks}')
        model_size(LONGEST, LONGEST, longest)       # refuses what no image could be brought to
        device = str(pick_device(device))
        self.name = 'embedded'
        self.relooks = relooks
        self.looks = looks
        self.device = device
        self.longest = longest
        self.weights = Path(weights).expanduser() if weights is not None else WEIGHTS
        self._model = load_model(self.weights)
        try:
            self._engine = make_engine(self._model.sight, engine, device, threads, precision,
                                       self._model.ranges)
            second = self._model.second
            self._near = (make_engine(second.sight, engine, device, threads, precision, second.ranges)
                          if looks and second else None)
        except (AssertionError, ImportError, RuntimeError, ValueError) as error:    # asserted: CUDA
            raise BackendError(f'the embedded model cannot run: {error}') from error
        self.engine = self._engine.name
        self.precision = getattr(self._engine, 'precision', 'f32')
        if device != 'cpu':
            self._model.words.to(device)
            if second is not None:
                second.words.to(device)

    def encode(self, phrases: Sequence[str]) -> EncodedPhrases:
        """Take P phrases apart and look their words up."""
        parsed = tuple(parse_phrase(text) for text in phrases)
        kinds = dict.fromkeys(part.kind for phrase in parsed for part in all_phrases(phrase))
        memory = None if self.relooks is None else LookMemory(self.relooks)
        return EncodedPhrases(tuple(phrases), parsed, make_queries(self._model, tuple(kinds)), memory)

    def attend(self, image: np.ndarray, encoded: EncodedPhrases) -> AttentionMaps:
        """Return the attention of the phrases over one image.

        :param image: (H, W, 3) uint8 RGB.
        :raises ValueError: another shape or dtype.
        """
        if not encoded.phrases:
            check_image(image)
            width, height = model_size(image.shape[1], image.shape[0], self.longest)
            return no_maps((image.shape[1], image.shape[0]), (height // PATCH, width // PATCH))
        with one_thread() if self._engine.name == 'openvino' else nullcontext():
            scene = self.view(image, encoded)
            answers = [scene.look_for(phrase) for phrase in encoded.phrases]
        return _as_maps(encoded, answers, (image.shape[1], image.shape[0]))

    def view(self, image: np.ndarray, encoded: EncodedPhrases) -> Scene:
        """Take the first look at an image; what the phrases find in it can then be asked piece by piece.

        :raises ValueError: as :meth:`attend`.
        """
        check_image(image)
        near = None
        if self._near is not None and self._model.second is not None:
            # crops that an engine takes at once: one compiled for a shape takes two, so that few cost little
            batch = min(2, self.looks) if self._near.name == 'openvino' else self.looks
            near = SecondLook(self._model.second, self._model.classifier, self._near, image, encoded.queries,
                              self.looks, batch, encoded.memory)
        return Scene(self._model, self._engine, fit(image, self.longest), image, encoded.queries, near)


def _as_maps(encoded: EncodedPhrases, answers: list[Answer], size: tuple[int, int]) -> AttentionMaps:
    return AttentionMaps(
        phrases=encoded.texts,
        maps=np.stack([answer.map for answer in answers]),
        presence=np.array([answer.presence for answer in answers], np.float32),
        image_size=size,
        heads={name: np.stack([answer.heads[name] for answer in answers]) for name in answers[0].heads},
        words=tuple(answer.words for answer in answers),
        word_texts=tuple(answer.word_texts for answer in answers),
        masks=np.stack([answer.mask for answer in answers]),
        boxes=tuple(answer.boxes for answer in answers))
