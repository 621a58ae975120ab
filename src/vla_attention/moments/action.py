"""Spatial attention: where in the image the tool is, from how things move and change alone.

A small convolutional network looks at the motion maps of one tick and gives a heat map of the tip of what
works there, be it a gripper or a hand, wherever its arm comes from. It was trained on generated episodes,
where the place of the tip is known. The heat maps of the ticks are carried on with a histogram filter
(Thrun, Burgard and Fox, "Probabilistic Robotics", 2005, section 4.1), so that the place is kept while nothing
moves and does not jump to a bystander for one frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vla_attention.moments.cues import CHANNELS, FLOWS, GRID

FEATURES = 24           # of the network at the tip
DRIFT_CELLS = 1.1       # of the tip between two ticks, standard deviation
LOST = 0.03             # probability a tick that the tip is anywhere else
SHARPNESS = 0.6         # power of the heat map: neighbouring ticks say much the same, and count as one


@dataclass(frozen=True)
class Action:
    """Where the action is.

    ``point`` (x, y) as shares of width and height, ``certainty`` 0..1 that it is within about two cells of
    there, ``feature`` (24,) float32 what the network sees at that place.
    """

    point: tuple[float, float]
    certainty: float
    feature: np.ndarray


class ActionFinder(nn.Module):
    """Motion maps of one tick to a heat map of the tip and to features of each place."""

    places: Tensor

    def __init__(self) -> None:
        super().__init__()
        width, deep = 32, 48
        inputs = 4 * (len(CHANNELS) + 2)        # and where in the image: x and y

        def block(before: int, after: int, stride: int = 1) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after),
                                 nn.ReLU())
        self.fine = nn.Sequential(block(inputs, width), block(width, width))
        self.coarse = nn.Sequential(block(width, deep, 2), block(deep, deep), block(deep, deep))
        self.up = nn.Conv2d(deep, width, 1)
        self.join = block(width, FEATURES)
        self.heat = nn.Conv2d(FEATURES, 4, 1)
        rows, columns = GRID
        ys, xs = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing='ij')
        self.register_buffer('places', torch.stack([xs, ys]), persistent=False)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Look at maps (N, 12, 24, 32) uint8 or float 0..255.

        :returns: logits of the heat map (N, 24, 32), features (N, 24, 12, 16).
        """
        values = maps.float() / 128
        offset = torch.tensor([1.0] * FLOWS + [0.0] * (len(CHANNELS) - FLOWS), device=maps.device)
        values = values - offset[:, None, None]
        places = self.places.expand(len(values), -1, -1, -1)
        fine = self.fine(functional.pixel_unshuffle(torch.cat([values, places], dim=1), 2))
        coarse = functional.interpolate(self.up(self.coarse(fine)), size=fine.shape[-2:], mode='bilinear')
        features = self.join(fine + coarse)
        return functional.pixel_shuffle(self.heat(features), 2)[:, 0], features


def mirrored(maps: Tensor) -> Tensor:
    """Swap left and right of maps (..., 12, 24, 32) of 0..255; the flow along x turns around."""
    turned = maps.float().flip(-1)
    turned[..., 0, :, :] = 256 - turned[..., 0, :, :]
    return turned


@torch.inference_mode()
def look(finder: ActionFinder, maps: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Let a finder look at maps (N, 12, 24, 32) and at their mirror images, whose heat maps are averaged.

    :returns: logits of the heat map (N, 24, 32), features (N, 24, 12, 16) of the maps as they are, float32.
    """
    logits, features = finder(torch.cat([maps.float(), mirrored(maps)]))
    count = len(maps)
    return ((logits[:count] + logits[count:].flip(-1)) / 2).numpy(), features[:count].numpy()


class ActionFilter:
    """Carries the belief about the tip's place from tick to tick."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Know nothing."""
        self._belief: np.ndarray | None = None

    def step(self, logits: np.ndarray, features: np.ndarray) -> Action:
        """Take the heat map (24, 32) of the next tick, and its features (24, 12, 16)."""
        heat = np.exp(SHARPNESS * (logits - logits.max())).astype(np.float32)
        heat /= heat.sum()
        if self._belief is None:
            belief = heat
        else:
            moved = cv2.GaussianBlur(self._belief, (0, 0), DRIFT_CELLS, borderType=cv2.BORDER_REPLICATE)
            belief = ((1 - LOST) * moved + LOST / moved.size) * heat
            belief /= max(float(belief.sum()), 1e-12)
        self._belief = belief
        row, column = np.unravel_index(int(belief.argmax()), belief.shape)
        top, left = max(int(row) - 2, 0), max(int(column) - 2, 0)
        around = belief[top:int(row) + 3, left:int(column) + 3]
        mass = float(around.sum())
        across, down = around.sum(axis=0), around.sum(axis=1)
        x = left + 0.5 + float(across @ np.arange(len(across))) / mass
        y = top + 0.5 + float(down @ np.arange(len(down))) / mass
        half = cv2.resize(belief, features.shape[:0:-1], interpolation=cv2.INTER_AREA)
        feature = np.tensordot(features, half / max(float(half.sum()), 1e-12), axes=2)
        return Action((x / belief.shape[1], y / belief.shape[0]), min(mass, 1.0), feature.astype(np.float32))
