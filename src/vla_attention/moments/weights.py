"""The weights of the moments stage: a part for the spatial and one for the temporal attention."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent.parent / 'weights' / 'moments.safetensors'
PARTS = ('finder', 'phases')


def load_into(model: nn.Module, path: Path | None, part: str) -> None:
    """Load a part of the weights into its model; see :func:`load_part`.

    :raises FileNotFoundError: there is no such file.
    :raises ValueError: the file is of another model.
    """
    tensors = load_part(path, part)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).partition('\n')[2].strip().partition('\n')[0]
        raise ValueError(f'weights {path}: part {part!r} is of another model: {first}') from error


def load_part(path: Path | None, part: str) -> dict[str, Tensor]:
    """Return the float32 tensors of a part ('finder' or 'phases'); the package's own where ``path`` is None.

    :raises FileNotFoundError: there is no such file.
    :raises ValueError: the file has no such part: it is of another model or of an older release.
    """
    path = WEIGHTS if path is None else Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f'no weights of the moments model at {path}')
    tensors = {name[len(part) + 1:]: tensor.float() if tensor.is_floating_point() else tensor
               for name, tensor in load_file(str(path)).items() if name.startswith(f'{part}.')}
    if not tensors:
        raise ValueError(f'weights {path}: no part {part!r}; another model, or an older release?')
    return tensors
