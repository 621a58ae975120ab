"""Measures of phase segmentation, as the literature on action segmentation takes them.

Frame accuracy, edit score and F1@{10, 25, 50}: Lea et al., "Temporal Convolutional Networks for Action
Segmentation and Detection" (2017), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MATCHED_SECONDS = 0.6 + 1e-6    # within which an answer counts for an event; stamps are no exact tenths


def segments(labels: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return runs of equal labels as (label, first, last + 1)."""
    runs: list[tuple[int, int, int]] = []
    for index, label in enumerate(labels):
        if runs and runs[-1][0] == label:
            runs[-1] = (label, runs[-1][1], index + 1)
        else:
            runs.append((label, index, index + 1))
    return runs


def edit_score(said: Sequence[int], true: Sequence[int]) -> float:
    """Return 1 - the normalised Levenshtein distance between the orders of the segments, 0..1."""
    first, second = ([label for label, _, _ in segments(labels)] for labels in (said, true))
    distance = np.zeros((len(first) + 1, len(second) + 1), int)
    distance[:, 0], distance[0] = np.arange(len(first) + 1), np.arange(len(second) + 1)
    for i, one in enumerate(first, 1):
        for j, other in enumerate(second, 1):
            distance[i, j] = min(
                distance[i - 1, j] + 1, distance[i, j - 1] + 1, distance[i - 1, j - 1] + (one != other)
            )
    return 1.0 - distance[-1, -1] / max(len(first), len(second), 1)


def overlap_counts(said: Sequence[int], true: Sequence[int], threshold: float) -> tuple[int, int, int]:
    """Return (hits, false, missed) segments: a hit has the label and an IoU of ``threshold`` or more."""
    real = segments(true)
    used = [False] * len(real)
    hits = false = 0
    for label, first, last in segments(said):
        best, found = 0.0, -1
        for index, (other, begin, end) in enumerate(real):
            if other == label and not used[index]:
                iou = max(0, min(last, end) - max(first, begin)) / (max(last, end) - min(first, begin))
                if iou > best:
                    best, found = iou, index
        if best >= threshold:
            hits, used[found] = hits + 1, True
        else:
            false += 1
    return hits, false, used.count(False)


def event_counts(
    said: Sequence[tuple[float, str]], true: Sequence[tuple[float, str]], within: float = MATCHED_SECONDS
) -> tuple[int, int, int, list[float]]:
    """Match events of one name within so many seconds, one to one: (hits, false, missed, latencies in s)."""
    left = list(true)
    hits, latencies = 0, []
    for time, name in said:
        near = [event for event in left if event[1] == name and abs(event[0] - time) <= within]
        if near:
            match = min(near, key=lambda event: abs(event[0] - time))
            left.remove(match)
            hits += 1
            latencies.append(time - match[0])
    return hits, len(said) - hits, len(left), latencies


class Tally:
    """Adds up sequences and tells the measures."""

    def __init__(self, classes: int) -> None:
        self.confusion = np.zeros((classes, classes), int)
        self.edits: list[float] = []
        self.counts = {threshold: np.zeros(3, int) for threshold in (0.10, 0.25, 0.50)}
        self.events = np.zeros(3, int)
        self.latencies: list[float] = []
        self.seconds = 0.0

    def add(
        self,
        said: Sequence[int],
        true: Sequence[int],
        said_events: Sequence[tuple[float, str]] = (),
        true_events: Sequence[tuple[float, str]] = (),
        seconds: float = 0.0,
    ) -> None:
        """Add one sequence; ticks whose true label is -1 are left out."""
        kept = [index for index, label in enumerate(true) if label >= 0]
        said, true = [said[index] for index in kept], [true[index] for index in kept]
        np.add.at(self.confusion, (true, said), 1)
        self.edits.append(edit_score(said, true))
        for threshold, counts in self.counts.items():
            counts += overlap_counts(said, true, threshold)
        hits, false, missed, latencies = event_counts(said_events, true_events)
        self.events += (hits, false, missed)
        self.latencies += latencies
        self.seconds += seconds

    def results(self) -> dict[str, float]:
        """Return frame accuracy, macro F1, edit score, F1@{10,25,50}, and what became of the events."""
        hit = np.diag(self.confusion)
        total = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        present = self.confusion.sum(axis=1) > 0
        result = {
            'accuracy': float(hit.sum() / max(self.confusion.sum(), 1)),
            'macro_f1': float((2 * hit[present] / np.maximum(total[present], 1)).mean()),
            'edit': float(np.mean(self.edits)),
        }
        for threshold, (hits, false, missed) in self.counts.items():
            result[f'f1@{round(threshold * 100)}'] = float(2 * hits / max(2 * hits + false + missed, 1))
        hits, false, missed = (int(count) for count in self.events)
        result['events_found'] = hits / max(hits + missed, 1)
        result['false_events_per_minute'] = false / max(self.seconds / 60, 1e-9)
        if self.latencies:
            result['event_latency_p50_s'] = float(np.median(self.latencies))
        return result
