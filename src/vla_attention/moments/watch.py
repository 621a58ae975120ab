"""Watch frames go by: a stream of images in, a stream of moments out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from vla_attention.moments.moment import Moment
from vla_attention.moments.moment_attention import MomentAttention


def watch(frames: Iterable[tuple[float, np.ndarray]], *, instruction: str | None = None,
          pipeline: Any = None, attention: MomentAttention | None = None,
          ) -> Iterator[tuple[np.ndarray, Moment]]:
    """Yield (image, moment) for each frame, causally.

    :param frames: (time in seconds, (H, W, 3) uint8 RGB), in the order of time.
    :param instruction: what the arm is told to do; needs ``pipeline``.
    :param pipeline: a :class:`vla_attention.pipeline.Pipeline`, which grounds the instruction.
    :raises ValueError: an instruction without a pipeline.
    """
    if instruction is not None and pipeline is None:
        raise ValueError('an instruction needs a pipeline that grounds it')
    attention = MomentAttention() if attention is None else attention
    query = None if instruction is None else pipeline.instruct(instruction)
    for time, image in frames:
        if query is None or not attention.due(time, image.shape):
            yield image, attention.update(time, image)
            continue
        look = pipeline.look(image, query, time)
        yield image, attention.update(time, image, target_map=look.attention('target', step=0),
                                      destination_map=look.attention('destination', step=0),
                                      regions=look.regions)
