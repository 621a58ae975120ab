"""What was seen from near in the images before: things that have not changed need not be looked at again.

From one image of a stream to the next nearly all candidates are the same things at nearly the same place. A
candidate that overlaps one that was looked at, and looks as it did then, is answered from memory; a few of
them are looked at again with each image, in turn, so that nothing is believed for long. What is new or has
changed is looked at in the image in which it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vla_attention.grounding.proposals import iou

SAME_PLACE = 0.6        # overlap (IoU) of a candidate with where the thing was in the image before
SAME_LOOK = 20.0        # mean difference of grey values, of 255, of small pictures of it
THUMB = 8               # pixels of a side of these
KEPT = 15               # images for which a candidate that is not asked for is remembered


@dataclass
class _Known:
    box: np.ndarray         # (4,) where it is now
    thumb: np.ndarray       # how it was when it was looked at
    seen: np.ndarray        # (D,) what was seen
    looked: int             # number of the image in which it was looked at
    asked: int              # and in which it was asked for last


class LookMemory:
    """Remembers the near looks at a stream of images, for one set of words."""

    def __init__(self, relooks: int) -> None:
        """Start empty.

        :param relooks: known candidates of a phrase that are looked at again with each image.
        """
        self.relooks = relooks
        self._known: list[_Known] = []
        self._image = 0

    def begin(self) -> None:
        """Go on to the next image."""
        self._image += 1
        self._known = [known for known in self._known if self._image - known.asked <= KEPT]

    def recall(self, boxes: np.ndarray, image: np.ndarray) -> list[np.ndarray | None]:
        """Return for each box (N, 4) what was seen of it (D,), None where it is to be looked at."""
        found: list[_Known | None] = [None] * len(boxes)
        if self._known and len(boxes):
            places = np.stack([known.box for known in self._known])
            for number, box in enumerate(boxes):
                overlap = iou(box, places)
                known = self._known[int(overlap.argmax())]
                if (overlap.max() >= SAME_PLACE
                        and np.abs(_thumb(image, box) - known.thumb).mean() <= SAME_LOOK):
                    known.box, known.asked = box, self._image
                    found[number] = known
        stale = sorted((known.looked, number) for number, known in enumerate(found)
                       if known is not None and known.looked < self._image)
        for _, number in stale[:self.relooks]:
            found[number] = None
        return [None if known is None else known.seen for known in found]

    def keep(self, boxes: np.ndarray, seen: list[np.ndarray], image: np.ndarray) -> None:
        """Remember what was seen of boxes (N, 4); what was known of the same places is forgotten."""
        self._known = [known for known in self._known if iou(known.box, boxes).max() < SAME_PLACE]
        self._known += [_Known(box, _thumb(image, box), values, self._image, self._image)
                        for box, values in zip(boxes, seen, strict=True)]


def _thumb(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return what a box of an image looks like, (THUMB, THUMB, 3) float32."""
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(box[:2]).astype(int), 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(box[2:]).astype(int), (x0 + 1, y0 + 1), (width, height))
    return cv2.resize(image[y0:y1, x0:x1], (THUMB, THUMB), interpolation=cv2.INTER_AREA).astype(np.float32)
