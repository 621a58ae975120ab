"""What a pool is made of, checked once, whoever gives it: the command line or a Serve config file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from vla_attention.grounding.remote_protocol import Limits


@dataclass(frozen=True)
class Settings:
    """The settings of ``vla-attention serve``.

    ``backend`` and ``options`` go to :func:`vla_attention.grounding.make_backend`; ``batch`` frames at most
    go through the model at once, the first waits ``batch_wait`` seconds for others; ``waiting`` questions may
    wait in a worker; ``megabytes`` a question may have.

    :raises ValueError: a value is refused; the message names it.
    """

    backend: str = 'embedded'
    options: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 8
    batch_wait: float = 0.005
    waiting: int = 64
    megabytes: float = 16.0

    def __post_init__(self) -> None:
        for name, low, high in (('batch', 1, 256), ('batch_wait', 0, 1), ('waiting', 1, 10000),
                                ('megabytes', 0.1, 256)):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not low <= value <= high:
                raise ValueError(f'{name} is {value!r}; it must lie in {low} to {high}')
        if self.backend == 'remote':
            raise ValueError("backend is 'remote'; a pool that asks a pool answers nothing")

    @property
    def limits(self) -> Limits:
        """Of a question."""
        return Limits(bytes=int(self.megabytes * 2**20))

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Return the settings of a mapping.

        :raises ValueError: it has a name that there is no setting of, or a value that is refused.
        """
        names = [each.name for each in fields(cls)]
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError(f'no setting {", ".join(unknown)}; there are {", ".join(names)}')
        return cls(**given)
