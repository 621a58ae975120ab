"""Focus regions: AttentionMaps (and depth) -> boxes, masks, clouds, poses."""

from vla_attention.focus.region import FocusRegion
from vla_attention.focus.regions import find_regions

__all__ = ['FocusRegion', 'find_regions']
