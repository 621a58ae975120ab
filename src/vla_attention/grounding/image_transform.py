"""An image as a model wants it: resized once, on the model's own device, as the model's processor says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from vla_attention.grounding.backend import BackendError

_RESAMPLE = {2: 'bilinear', 3: 'bicubic'}      # PIL's numbers, as processors write them


@dataclass(frozen=True)
class ImageTransform:
    """uint8 RGB -> normalised float tensor, without a round trip through PIL.

    Resizing is PIL's (antialiased, rounded to whole grey levels), which every processor here but OWLv2's
    uses; on a GPU it is done in float and may differ from PIL by one grey level.

    ``size`` is (height, width) of the model's input; with ``shortest`` and ``longest`` instead the image
    keeps its aspect ratio. ``square`` pads to a square first, at the right and the bottom, as OWLv2 does,
    whose own resize blurs before it shrinks and then interpolates (scikit-image's resize); the same is done
    here.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int] | None = None
    shortest: int = 0
    longest: int = 0
    mode: str = 'bilinear'
    square: bool = False

    @classmethod
    def from_settings(cls, settings: dict[str, Any], *, mode: str = 'bilinear',
                      square: bool = False) -> ImageTransform:
        """Read the settings of a processor (preprocessor_config.json).

        :param mode: how to interpolate where the settings leave it to the processor.
        :raises BackendError: a setting is missing or of a kind that is not known here.
        """
        try:
            mean, std = tuple(settings['image_mean']), tuple(settings['image_std'])
            size = settings['size']
        except KeyError as error:
            raise BackendError(f'the image settings of the model lack {error}') from None
        factor = settings.get('rescale_factor', 1 / 255)
        if abs(factor * 255 - 1) > 1e-3:
            raise BackendError(f'the image settings of the model have rescale_factor {factor}, not 1/255')
        if 'resample' in settings:
            try:
                mode = _RESAMPLE[settings['resample']]
            except KeyError as error:
                raise BackendError(f'the image settings of the model have resample {error}; '
                                   '2 (bilinear) and 3 (bicubic) are known') from None
        if isinstance(size, int):
            size = {'height': size, 'width': size}
        if 'height' in size and 'width' in size:
            return cls(mean, std, size=(size['height'], size['width']), mode=mode, square=square)
        if 'shortest_edge' in size:
            longest = size.get('longest_edge') or 10 ** 9
            return cls(mean, std, shortest=size['shortest_edge'], longest=longest, mode=mode, square=square)
        raise BackendError(f'the image settings of the model have a size of unknown form: {size}')

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) of what an image of the given size becomes."""
        if self.size is not None:
            return self.size
        # step by step as the library does it: get_size_with_aspect_ratio
        short, long = min(height, width), max(height, width)
        exact = float(self.shortest)
        if long / short * self.shortest > self.longest:
            exact = self.longest * short / long
        target = round(exact)
        if short == target:         # an image that has that size already stays, even where it is too long
            return height, width
        other = int(exact * long / short)       # cut, not rounded
        return (target, other) if height <= width else (other, target)

    def __call__(self, image: np.ndarray, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        """Prepare one image.

        :param image: (H, W, 3) uint8 RGB.
        :return: (1, 3, h, w) on the device, channels last in memory.
        """
        height, width = image.shape[:2]
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1)[None]
        mean = torch.tensor(self.mean, device=device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=device).view(1, 3, 1, 1)
        if self.square:
            levels = self._square(pixels.float().div(255))
        else:
            levels = self._resize(pixels, self.output_size(height, width)).float().div(255)
        normal = (levels - mean) / std
        return normal.to(dtype).contiguous(memory_format=torch.channels_last)

    def _resize(self, pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        if tuple(pixels.shape[-2:]) == tuple(size):
            return pixels
        if pixels.device.type == 'cpu':
            return functional.interpolate(pixels, size=size, mode=self.mode, antialias=True,
                                          align_corners=False)
        resized = functional.interpolate(pixels.float(), size=size, mode=self.mode, antialias=True,
                                         align_corners=False)
        return resized.round().clamp(0, 255)

    def _square(self, levels: torch.Tensor) -> torch.Tensor:
        height, width = levels.shape[-2:]
        side = max(height, width)
        levels = functional.pad(levels, (0, side - width, 0, side - height))
        size = self.output_size(side, side)
        for axis, target in ((-2, size[0]), (-1, size[1])):
            levels = _blur(levels, max(0.0, (side / target - 1) / 2), axis)
        return functional.interpolate(levels, size=size, mode='bilinear', align_corners=False)


def _blur(levels: torch.Tensor, sigma: float, axis: int) -> torch.Tensor:
    """Blur along one axis with a Gaussian cut at four sigma, mirrored at the border (as scipy does)."""
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return levels
    steps = torch.arange(-radius, radius + 1, device=levels.device, dtype=levels.dtype)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    weights = (weights / weights.sum()).repeat(3, 1)
    if axis == -1:
        padded = functional.pad(levels, (radius, radius, 0, 0), mode='reflect')
        return functional.conv2d(padded, weights.view(3, 1, 1, -1), groups=3)
    padded = functional.pad(levels, (0, 0, radius, radius), mode='reflect')
    return functional.conv2d(padded, weights.view(3, 1, -1, 1), groups=3)
