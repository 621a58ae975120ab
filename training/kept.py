"""What trainings keep on disk: files that are whole or not there, and the names that kept results have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from torch import nn


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; what was written there takes the place of ``path`` at the end, at once."""
    partial = path.with_name(f'{path.name}.partial')
    try:
        yield partial
        partial.chmod(0o644)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def digest(*parts: nn.Module | ModuleType | Path | object) -> str:
    """Return a short name for what depends on models, on the source of modules, on files and on values."""
    made = hashlib.sha256()
    for part in parts:
        if isinstance(part, nn.Module):
            for name, tensor in part.state_dict().items():
                made.update(name.encode() + tensor.numpy().tobytes())
        elif isinstance(part, ModuleType):
            assert part.__file__ is not None
            made.update(Path(part.__file__).read_bytes())
        else:
            made.update(part.read_bytes() if isinstance(part, Path) else repr(part).encode())
    return made.hexdigest()[:12]
