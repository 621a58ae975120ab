"""Which device a backend computes on, by its name."""

from __future__ import annotations

from operator import attrgetter

import torch

from vla_attention.grounding.backend import BackendError

# accelerators that a backend may compute on; 'meta' and its like are devices too, but hold no numbers
_ACCELERATORS = {'cuda': 'cuda', 'xpu': 'xpu', 'mps': 'backends.mps'}      # and where torch tells of them


class DeviceError(BackendError, ValueError):
    """A device that this machine does not have, or that is none; the message says what there is."""


def pick_device(name: str) -> torch.device:
    """Return the device that is meant.

    :param name: 'auto' (CUDA where there is one, else the CPU), 'cpu', 'cuda', 'cuda:N', or another
        accelerator of PyTorch that is there.
    :raises DeviceError: no such device on this machine.
    """
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    choices = f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', not {name!r}"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(choices) from error
    if device.type == 'cpu':
        return torch.device('cpu')
    if device.type not in _ACCELERATORS:
        raise DeviceError(choices)
    if not attrgetter(_ACCELERATORS[device.type])(torch).is_available():
        kind = device.type.upper()
        raise DeviceError(
            f'device is {name!r}, but this PyTorch ({torch.__version__}) sees no {kind} device; '
            f"set device to 'cpu' or 'auto', or install the driver and a {kind} build of PyTorch")
    if device.type == 'cuda' and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f'device is {name!r}, but there are {torch.cuda.device_count()} CUDA devices')
    return device
