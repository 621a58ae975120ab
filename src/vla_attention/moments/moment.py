"""What is going on at one moment: the result type of the spatio-temporal stage."""

from __future__ import annotations

from dataclasses import dataclass, field

PHASES = ('idle', 'approach', 'grasp', 'move', 'place', 'retreat')


@dataclass(frozen=True)
class Moment:
    """Phase and importance of one frame.

    ``time`` in seconds (of the image's stamp), ``phase`` one of :data:`PHASES`, ``probabilities``
    {phase: 0..1} that sum to 1, ``importance`` 0..1, ``focus_area`` (x0, y0, x1, y1) in image pixels
    around the action (None where nothing moves), ``events`` names of what just happened ('grasp',
    'release', 'drop'), ``attention`` the weights with which the answer looks at the frames of its window,
    this one last, sum 1, and ``attention_times`` those frames' times.
    """

    time: float
    phase: str
    probabilities: dict[str, float]
    importance: float
    focus_area: tuple[float, float, float, float] | None = None
    events: tuple[str, ...] = ()
    attention: tuple[float, ...] = field(default=(), repr=False)
    attention_times: tuple[float, ...] = field(default=(), repr=False)
