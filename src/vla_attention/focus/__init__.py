"""Focus regions: AttentionMaps (and depth) -> boxes, masks, clouds, poses."""

from vla_attention.focus.depth import decode_depth
from vla_attention.focus.following import Follower
from vla_attention.focus.intrinsics import Camera, Intrinsics
from vla_attention.focus.lifting import lift
from vla_attention.focus.pose import Pose, approach_pose
from vla_attention.focus.region import FocusRegion, region_ids
from vla_attention.focus.regions import find_regions
from vla_attention.focus.tracking import Tracker

__all__ = ['Camera', 'FocusRegion', 'Follower', 'Intrinsics', 'Pose', 'Tracker', 'approach_pose',
           'decode_depth', 'find_regions', 'lift', 'region_ids']
