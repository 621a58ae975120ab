"""Spatio-temporal attention: attention over time -> phase, importance, events."""

from vla_attention.moments.moment import PHASES, Moment
from vla_attention.moments.moment_attention import MomentAttention
from vla_attention.moments.watch import watch

__all__ = ['PHASES', 'Moment', 'MomentAttention', 'watch']
