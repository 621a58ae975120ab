"""Between focus regions and vision_msgs.

A region's detection carries ``id`` = role and number ("target/3"), ``class_id`` = the phrase as text,
``score``, the box, and in the hypothesis' pose the point to look at (x, y in pixels). In the label image of
the same stamp the k-th detection has the value k (0: none), and LabelInfo says which phrase that is. Of two
detections of one thing (a plate to put something on, and to take away later) the first has its pixels there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from std_msgs.msg import Header
from vision_msgs.msg import (
    Detection2D,
    Detection2DArray,
    LabelInfo,
    ObjectHypothesisWithPose,
    VisionClass,
)

from vla_attention.focus import FocusRegion, region_ids
from vla_attention.grounding.proposals import iou

SAME = 0.7      # overlap (IoU) of two boxes from which on they are of one thing, and so is the outline


def write_regions(regions: Sequence[FocusRegion], header: Header) -> Detection2DArray:
    """Return the regions as detections, in their order; an empty array says that nothing is in view."""
    array = Detection2DArray(header=header)
    for region, name in zip(regions, region_ids(regions), strict=True):
        x0, y0, x1, y1 = (float(value) for value in region.box)
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = region.phrase
        hypothesis.hypothesis.score = float(region.score)
        hypothesis.pose.pose.position.x = float(region.point[0])
        hypothesis.pose.pose.position.y = float(region.point[1])
        detection = Detection2D(header=header, id=name, results=[hypothesis])
        detection.bbox.center.position.x = (x0 + x1) / 2
        detection.bbox.center.position.y = (y0 + y1) / 2
        detection.bbox.size_x = x1 - x0
        detection.bbox.size_y = y1 - y0
        array.detections.append(detection)
    return array


def read_regions(array: Detection2DArray, labels: np.ndarray | None = None) -> list[FocusRegion]:
    """Return what :func:`write_regions` wrote.

    :param labels: (H, W) uint16 label image of the same stamp: masks come from it; without it they are empty,
        (0, 0). A detection without pixels of its own has those of what else is at its place.
    :raises ValueError: a detection's id is not role/number, or it has no hypothesis.
    """
    regions = []
    for index, detection in enumerate(array.detections):
        role, _, number = detection.id.partition('/')
        if not role or not number.isdigit():
            raise ValueError(f'detections[{index}].id is {detection.id[:40]!r}, not role/number')
        if not detection.results:
            raise ValueError(f'detections[{index}].results is empty')
        best = detection.results[0]
        center, box = detection.bbox.center.position, detection.bbox
        regions.append(FocusRegion(
            role=role, phrase=best.hypothesis.class_id, score=best.hypothesis.score, track=int(number),
            box=(center.x - box.size_x / 2, center.y - box.size_y / 2,
                 center.x + box.size_x / 2, center.y + box.size_y / 2),
            point=(best.pose.pose.position.x, best.pose.pose.position.y), mask=np.zeros((0, 0), np.uint8)))
    if labels is None or not regions:
        return regions
    boxes = np.array([region.box for region in regions])
    return [replace(region, mask=_outline(labels, index, boxes)) for index, region in enumerate(regions)]


def _outline(labels: np.ndarray, index: int, boxes: np.ndarray) -> np.ndarray:
    """Return the mask (H, W) uint8 0/255 of a detection, counted from 0, out of the label image."""
    mask: np.ndarray = labels == index + 1
    if not mask.any():
        mask = np.isin(labels, np.flatnonzero(iou(boxes[index], boxes) >= SAME) + 1)
    return mask * np.uint8(255)


def draw_labels(regions: Sequence[FocusRegion], size: tuple[int, int]) -> np.ndarray:
    """Return the label image: (H, W) uint16, k for the k-th region's mask.

    A thing that is there twice has its pixels once, of the first. Where masks of two things overlap, the
    better one of a phrase is seen, and of two phrases the one whose thing is smaller: of a knife that must
    not be touched, on the plate that is taken, nothing would be left else.

    :param size: (width, height) of the image.
    """
    labels = np.zeros(size[::-1], np.uint16)
    boxes = np.array([region.box for region in regions])
    drawn: list[int] = []
    extent: dict[tuple[str, str], int] = {}     # pixels of the best region of each phrase
    for index, region in enumerate(regions):
        if not drawn or iou(boxes[index], boxes[drawn]).max() < SAME:
            drawn.append(index)
            extent.setdefault((region.role, region.phrase), np.count_nonzero(region.mask))
    for index in sorted(drawn, key=lambda each: (-extent[regions[each].role, regions[each].phrase], -each)):
        labels[regions[index].mask > 0] = index + 1
    return labels


def write_label_info(regions: Sequence[FocusRegion], header: Header, threshold: float) -> LabelInfo:
    """Return which phrase each value of the label image stands for; ``threshold`` of presence is 0..1."""
    info = LabelInfo(header=header, threshold=float(threshold))
    info.class_map = [VisionClass(class_id=number, class_name=region.phrase)
                      for number, region in enumerate(regions, 1)]
    return info
