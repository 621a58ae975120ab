"""The protocol that every grounding backend keeps, and how one is made by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import numpy as np

from vla_attention.grounding.attention_maps import AttentionMaps


class BackendError(RuntimeError):
    """A backend cannot be made or loaded; the message says why and what to do."""


class GroundingBackend(Protocol):
    """Encode phrases once, attend to each image.

    ``encode`` is called when the instruction changes and its result is kept; ``attend`` is called for
    each image with that result. Both may be called from different threads, one at a time.
    """

    name: str
    device: str

    def encode(self, phrases: Sequence[str]) -> Any:
        """Return the backend's own encoding of P phrases (Korean or English, as written)."""

    def attend(self, image: np.ndarray, encoded: Any) -> AttentionMaps:
        """Return the attention of the encoded phrases over one image.

        :param image: (H, W, 3) uint8 RGB.
        :raises ValueError: another shape or dtype.
        """


@runtime_checkable
class ReportingBackend(Protocol):
    """A backend that depends on others, and tells how that goes; any thread may ask."""

    def facts(self) -> dict[str, str]:
        """Return lines for diagnostics."""

    def trouble(self) -> str:
        """Return what is wrong, '' where nothing is."""

    def close(self) -> None:
        """Let go of what runs in the background."""


# name -> 'module:factory'; a backend's module is imported when it is asked for, not before
BACKENDS = {
    'embedded': 'vla_attention.grounding.embedded:EmbeddedBackend',
    'clipseg': 'vla_attention.grounding.clipseg:ClipSegBackend',
    'owlv2': 'vla_attention.grounding.owlv2:Owlv2Backend',
    'grounding_dino': 'vla_attention.grounding.grounding_dino:GroundingDinoBackend',
    'siglip': 'vla_attention.grounding.siglip:SiglipBackend',
    'remote': 'vla_attention.grounding.remote:RemoteBackend',
}


def make_backend(name: str = 'embedded', **options: Any) -> GroundingBackend:
    """Make and load the backend called ``name``; ``options`` go to its constructor.

    :raises BackendError: no such backend, or it cannot be loaded; the message says why.
    """
    try:
        module, factory = BACKENDS[name].split(':')
    except KeyError:
        raise BackendError(f'no backend {name!r}; there are {", ".join(BACKENDS)}') from None
    make: Callable[..., GroundingBackend] = getattr(import_module(module), factory)
    return make(**options)
