"""Focus regions: AttentionMaps (and depth) -> boxes, masks, clouds, poses."""

from vla_attention.focus.region import FocusRegion

__all__ = ['FocusRegion']
