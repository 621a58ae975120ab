"""Cross-attention from phrases to the image: image + phrases -> AttentionMaps."""

from vla_attention.grounding.attention_maps import AttentionMaps
from vla_attention.grounding.backend import BackendError, GroundingBackend, make_backend

__all__ = ['AttentionMaps', 'BackendError', 'GroundingBackend', 'make_backend']
