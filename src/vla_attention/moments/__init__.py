"""Spatio-temporal attention: attention over time -> phase, importance, events."""

from vla_attention.moments.moment import PHASES, Moment

__all__ = ['PHASES', 'Moment']
