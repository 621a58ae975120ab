"""The stages in order: what the command line and the nodes both call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vla_attention.focus import FocusRegion, Intrinsics, find_regions, lift
from vla_attention.focus.confidence import Confidence, load_confidence
from vla_attention.grounding import AttentionMaps, GroundingBackend, make_backend
from vla_attention.grounding.reference import is_place_between
from vla_attention.grounding.steady_choice import SteadyChoice
from vla_attention.language import Instruction, parse_instruction, parse_phrase

MOST_PHRASES = 32   # of one instruction: each costs time with every image, and a pool takes no more
REGION_ROLES = ('target', 'destination', 'avoid')


@dataclass(frozen=True)
class Query:
    """The phrases of an instruction, encoded: made once an instruction, used for every image."""

    instruction: Instruction
    roles: tuple[str, ...]      # one of REGION_ROLES a phrase
    phrases: tuple[str, ...]    # in the order of execution within a role
    encoded: Any
    left_out: tuple[str, ...] = ()  # phrases beyond MOST_PHRASES, which are not looked for
    steady: SteadyChoice = field(default_factory=SteadyChoice, compare=False)   # of the images of a stream

    def indices(self, role: str) -> list[int]:
        """Return which phrases have the role."""
        return [index for index, have in enumerate(self.roles) if have == role]

    def current(self, role: str, step: int) -> list[int]:
        """Return which phrases of a role count at one step of the instruction; a step below 0: all.

        That is what the step itself names, else what the next step names ("pick up the cup and put it on the
        plate": the plate, while the cup is picked up), else what the last one before named. Things to
        avoid count at every step.
        """
        if role == 'avoid' or step < 0:
            return self.indices(role)
        # counted as the parse gives them, those of what is to be avoided among them
        named = ['' if each.avoid else getattr(each, role) for each in self.instruction.steps]
        chosen = next((phrase for phrase in (*named[step:], *reversed(named[:step])) if phrase), None)
        return [index for index in self.indices(role) if self.phrases[index] == chosen]


@dataclass(frozen=True)
class Look:
    """The answer for one image: maps over the phrases of the query, and regions.

    Regions come as the phrases do: by role, in the order of execution, and of each phrase the best first.
    """

    query: Query
    maps: AttentionMaps | None      # None when the query has no phrase
    regions: tuple[FocusRegion, ...]

    def of(self, role: str) -> list[FocusRegion]:
        """Return the regions of one role: phrases in the order of execution, of each the best first."""
        return [region for region in self.regions if region.role == role]

    def attention(self, role: str, step: int) -> np.ndarray | None:
        """Return where a role of a step is looked for, (rows, cols) 0..1; None where it names nothing.

        Each phrase counts as much as it is there: what is not in view has no bright spot.
        """
        chosen = self.query.current(role, step)
        if self.maps is None or not chosen:
            return None
        return (self.maps.maps[chosen] * self.maps.presence[chosen, None, None]).max(axis=0)


class Pipeline:
    """Instruction and images in, attention and focus regions out."""

    def __init__(self, backend: GroundingBackend | None = None, *,
                 parse: Callable[[str], Instruction] = parse_instruction,
                 presence_threshold: float = 0.5, max_regions: int = 5, steadiness: float = 0.5) -> None:
        """Put the stages together.

        :param backend: what grounds phrases; the embedded model by default.
        :param presence_threshold: a phrase whose presence (0..1) is below is "not in view".
        :param max_regions: how many regions a phrase may have at most.
        :param steadiness: seconds for which what was seen in a stream counts for what is seen now (see
            :class:`~vla_attention.grounding.steady_choice.SteadyChoice`); 0: each image by itself.
        """
        self.backend = backend if backend is not None else make_backend()
        self._confidences: dict[str, Confidence | None] = {}    # of each backend that has answered
        self.parse = parse
        self.presence_threshold = presence_threshold
        self.max_regions = max_regions
        self.steadiness = steadiness

    def instruct(self, instruction: str | Instruction) -> Query:
        """Parse the instruction where it is text, and encode its phrases.

        Of more than :data:`MOST_PHRASES`, what is to be avoided is kept first, then targets.
        """
        if isinstance(instruction, str):
            instruction = self.parse(instruction)
        named = {'target': instruction.targets, 'destination': instruction.destinations,
                 'avoid': instruction.avoided}
        room, kept = MOST_PHRASES, {}
        for role in ('avoid', 'target', 'destination'):
            kept[role] = named[role][:room]
            room -= len(kept[role])
        pairs = [(role, phrase) for role in REGION_ROLES for phrase in kept[role]]
        left_out = tuple(phrase for role in REGION_ROLES for phrase in named[role][len(kept[role]):])
        roles = tuple(role for role, _ in pairs)
        phrases = tuple(phrase for _, phrase in pairs)
        return Query(instruction, roles, phrases, self.backend.encode(phrases) if phrases else None,
                     left_out)

    def look(self, image: np.ndarray, query: Query, time: float | None = None) -> Look:
        """Attend to one image.

        :param image: (H, W, 3) uint8 RGB.
        :param time: seconds at which it was taken, where it is one of a stream: what the query has seen in
            the images before then counts too.
        :raises ValueError: another shape or dtype.
        """
        if not query.phrases:
            return Look(query, None, ())
        maps = self.backend.attend(image, query.encoded)
        if time is not None:
            maps = query.steady.update(maps, time, self.steadiness)
        return Look(query, maps, tuple(self._regions(maps, query.roles, image)))

    def lift(self, look: Look, image: np.ndarray, depth: np.ndarray, intrinsics: Intrinsics) -> Look:
        """Find the regions of a look in space; see :func:`vla_attention.focus.lift`.

        :param image: the (H, W, 3) uint8 RGB image that was looked at.
        :param depth: (H, W) float32 metres, NaN where there is no reading, registered to the image.
        :raises ValueError: depth of another size or type.
        """
        return replace(look, regions=tuple(lift(region, depth, intrinsics, image) for region in look.regions))

    def _confidence(self) -> Confidence | None:
        """Return what the scores of the last answer mean; a pool has answers of other backends."""
        name = getattr(self.backend, 'answered_by', self.backend.name)
        if name not in self._confidences:
            self._confidences[name] = load_confidence(name)
        return self._confidences[name]

    def _regions(self, maps: AttentionMaps, roles: Sequence[str], image: np.ndarray) -> list[FocusRegion]:
        regions, confidence = [], self._confidence()
        for index, role in enumerate(roles):
            if maps.presence[index] >= self.presence_threshold:
                # a place between two things is told from what is around it by no colour
                place = is_place_between(parse_phrase(maps.phrases[index]))
                regions += find_regions(maps, index, role, image=None if place else image,
                                        confidence=confidence, max_regions=self.max_regions)
        return regions
