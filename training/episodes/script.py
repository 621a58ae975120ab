"""What happens in an episode: a timeline of tool motions in 3-D, with the phase of each.

Metres and seconds; the table is the plane z = 0 and the work goes on within about 0.3 m of the origin.
The same scripts move the drawn arms of :mod:`training.episodes.drawn` and the simulated ones of
:mod:`training.episodes.bullet`.
"""
# ruff: noqa: RUF005  (what is added here are arrays, not lists)

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

TASKS = ('pick', 'pick_place', 'stack', 'pour', 'push', 'missed', 'dropped', 'hand_over', 'nothing')
TASK_SHARES = (0.15, 0.42, 0.08, 0.07, 0.05, 0.1, 0.05, 0.03, 0.05)


@dataclass(frozen=True)
class Segment:
    """One motion of the tool: from where it is to ``end`` in ``duration``, with a bow of ``arc`` metres.

    ``phase`` None: deliberately unlabelled (pushing). ``held`` the object that is carried along, ``pushed``
    the one that is shoved, -1 none; ``opening`` of the gripper at the end, 0..1; ``tilt`` at the end, rad.
    """

    phase: str | None
    duration: float
    end: np.ndarray
    opening: float
    held: int = -1
    pushed: int = -1
    tilt: float = 0.0
    arc: float = 0.0


@dataclass(frozen=True)
class State:
    """The scene at one time: tool (3,), opening, tilt, objects (N, 3), and the truth."""

    tool: np.ndarray
    opening: float
    tilt: float
    objects: np.ndarray
    phase: str | None
    held: int
    contact: bool


@dataclass
class Script:
    """A timeline: segments, where the objects are at first, and events (time, name)."""

    task: str
    start: np.ndarray
    objects: np.ndarray
    sizes: np.ndarray
    destination: np.ndarray
    segments: list[Segment] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    drops: list[tuple[float, int, np.ndarray]] = field(default_factory=list)
    receiver: bool = False

    @property
    def duration(self) -> float:
        """Return the length of the episode in seconds."""
        return sum(segment.duration for segment in self.segments)

    def way(self, count: int = 40) -> np.ndarray:
        """Return (count, 3) where the tool is at times spread evenly over the episode."""
        return np.array([state.tool for state in self.play(np.linspace(0, self.duration - 1e-3, count))])

    def release_time(self) -> float:
        """Return when the last object was let go, infinity where none was."""
        times = [time for time, name in self.events if name == 'release']
        return times[-1] if times else math.inf

    def play(self, times: np.ndarray) -> list[State]:
        """Return the states at the times (rising)."""
        states: list[State] = []
        objects, tool, tilt, opening = self.objects.copy(), self.start, 0.0, 1.0
        begin, wanted = 0.0, list(times)
        for segment in self.segments:
            grip = objects[segment.held] - tool if segment.held >= 0 else None
            shove = objects[segment.pushed] - tool if segment.pushed >= 0 else None
            while wanted and wanted[0] < begin + segment.duration:
                share = (wanted.pop(0) - begin) / max(segment.duration, 1e-6)
                smooth = share**3 * (10 - 15 * share + 6 * share * share)  # minimum jerk
                at = tool + (segment.end - tool) * smooth
                at = at + np.array([0, 0, segment.arc * 4 * smooth * (1 - smooth)])
                now = objects.copy()
                if grip is not None:
                    now[segment.held] = at + grip
                if shove is not None:
                    now[segment.pushed, :2] = (at + shove)[:2]
                self._fall(now, begin + share * segment.duration)
                states.append(
                    State(
                        at,
                        opening + (segment.opening - opening) * share,
                        tilt + (segment.tilt - tilt) * smooth,
                        now,
                        segment.phase,
                        segment.held,
                        segment.held >= 0 or segment.pushed >= 0,
                    )
                )
            if grip is not None:
                objects[segment.held] = segment.end + grip
            if shove is not None:
                objects[segment.pushed, :2] = (segment.end + shove)[:2]
            tool, tilt, opening = segment.end, segment.tilt, segment.opening
            begin += segment.duration
        return states

    def _fall(self, objects: np.ndarray, time: float) -> None:
        for when, index, place in self.drops:
            if time >= when:
                fallen = min(1.0, 4.9 * (time - when) ** 2 / max(place[2], 0.02))
                height = place[2] * (1 - fallen)
                objects[index] = [place[0], place[1], max(height, self.sizes[index][2] / 2)]


class ScriptWriter:
    """Writes random scripts: other places, speeds, pauses, hesitations and failures each time."""

    def __init__(
        self,
        rng: np.random.Generator,
        task: str,
        *,
        reach: float | None = None,
        fast: bool = False,
        slow: bool = False,
        home: np.ndarray | None = None,
        sizes: np.ndarray | None = None,
    ) -> None:
        """Prepare one script.

        :param reach: objects lie within so many metres of the origin; random when None.
        :param fast: move like a human hand.
        :param slow: creep, as arms do that plan each step.
        :param home: where the tool starts and returns to; random when None.
        :param sizes: (N, 3) of the objects, the first is picked up.
        """
        self.rng, self.task = rng, task
        low, high = (0.3, 1.7) if fast else (0.012, 0.05) if slow else (0.035, 0.5)
        self.speed = math.exp(rng.uniform(math.log(low), math.log(high)))
        self.pace = float(np.clip(0.25 / self.speed, 0.25, 2.5)) ** 0.6  # slow arms dwell longer
        self.reach = rng.uniform(0.16, 0.3) if reach is None else reach
        number = 3 if sizes is None else len(sizes)
        self.sizes = rng.uniform(0.035, 0.11, (number, 3)) if sizes is None else sizes
        places = self._places(number)
        objects = np.column_stack([places[:-1], self.sizes[:, 2] / 2])
        if home is None:
            angle = rng.uniform(0, 2 * math.pi)
            # most wait where the camera sees them
            far, high = (0.5, 0.5) if rng.random() < 0.25 else (self.reach, 0.34)
            far = rng.uniform(0.05, far)
            home = np.array([far * math.cos(angle), far * math.sin(angle), rng.uniform(0.12, high)])
        self.home = home
        self.script = Script(task, home.copy(), objects, self.sizes, np.array([*places[-1], 0.0]))
        self.tool, self.clock = home.copy(), 0.0

    def _places(self, number: int) -> np.ndarray:
        """Spread the objects and the destination, none on top of another."""
        places: list[np.ndarray] = []
        while len(places) <= number:
            place = self.rng.uniform(-self.reach, self.reach, 2)
            if all(np.hypot(*(place - other)) > 0.11 for other in places):
                places.append(place)
        return np.array(places)

    # ---- one motion ------------------------------------------------------------------------------

    def _go(
        self,
        phase: str | None,
        end: np.ndarray,
        *,
        opening: float,
        held: int = -1,
        pushed: int = -1,
        tilt: float = 0.0,
        arc: float = 0.0,
        duration: float | None = None,
        slow: float = 1.0,
    ) -> None:
        distance = float(np.linalg.norm(end - self.tool)) + abs(arc)
        if duration is None:
            duration = max(distance / (self.speed * slow) * self.rng.uniform(0.8, 1.25), 0.15)
        self.script.segments.append(Segment(phase, duration, end.copy(), opening, held, pushed, tilt, arc))
        self.tool, self.clock = end.copy(), self.clock + duration

    def _wait(
        self, phase: str | None, low: float, high: float, *, opening: float, held: int = -1, tilt: float = 0.0
    ) -> None:
        duration = self.rng.uniform(low, high) * self.pace
        if duration > 0.02:
            # nobody stands perfectly still
            self._go(
                phase,
                self.tool + self.rng.normal(0, 0.001, 3),
                opening=opening,
                held=held,
                tilt=tilt,
                duration=duration,
            )

    def _maybe(self, chance: float) -> bool:
        return bool(self.rng.random() < chance)

    # ---- the parts of a task ---------------------------------------------------------------------

    def _approach(self, place: np.ndarray) -> None:
        """Go to an object; the last stretch, at the object, is already 'grasp'."""
        above = place + [*self.rng.normal(0, 0.02, 2), self.rng.uniform(0.06, 0.22)]
        if self._maybe(0.3):  # hesitate: a point on the way
            middle = (
                self.tool + (above - self.tool) * self.rng.uniform(0.3, 0.8) + self.rng.normal(0, 0.04, 3)
            )
            middle[2] = max(middle[2], 0.08)
            self._go('approach', middle, opening=1.0)
            self._wait('approach', 0, 0.8, opening=1.0)
        if self._maybe(0.3):  # straight down on it or in from the side
            side = np.array([*self.rng.normal(0, 0.1, 2), self.rng.uniform(0.0, 0.08)])
            above = place + side
        self._go('approach', above, opening=1.0, arc=self.rng.uniform(0, 0.08))
        if self._maybe(0.5):
            self._wait('approach', 0, 0.7, opening=1.0)
        near = place + (above - place) * 0.22
        self._go('approach', near, opening=1.0, slow=self.rng.uniform(0.5, 1.0))

    def _grasp(self, index: int, *, succeed: bool = True) -> None:
        place = self._object(index)
        self._approach(place)
        self._go('grasp', place, opening=1.0, slow=0.6)
        self._wait('grasp', 0.0, 0.9, opening=1.0)
        self._go('grasp', self.tool, opening=0.25, duration=self.rng.uniform(0.2, 0.8) * self.pace)
        self._wait('grasp', 0.0, 0.6, opening=0.25)
        if succeed:
            self.script.events.append((self.clock, 'grasp'))

    def _object(self, index: int) -> np.ndarray:
        """Where the object is now."""
        return (
            self.script.play(np.array([max(self.clock - 1e-6, 0.0)]))[-1].objects[index]
            if self.script.segments
            else self.script.objects[index]
        )

    def _lift_and_carry(self, index: int, goal: np.ndarray) -> None:
        """Lift and bring the object above the goal (the tool's place in the end)."""
        lift = self.rng.uniform(0.06, 0.28)
        pause = self._maybe(0.35)
        if self._maybe(0.7):
            self._go('move', self.tool + [0, 0, lift], opening=0.25, held=index)
            if pause:
                self._wait('move', 0.1, 2.0, opening=0.25, held=index)
        above = goal + [*self.rng.normal(0, 0.015, 2), self.rng.uniform(0.05, 0.2)]
        if self._maybe(0.3):
            middle = (self.tool + above) / 2 + self.rng.normal(0, 0.06, 3)
            middle[2] = max(middle[2], self.sizes[index][2] + 0.08)
            self._go('move', middle, opening=0.25, held=index, arc=self.rng.uniform(0, 0.06))
            if self._maybe(0.4):
                self._wait('move', 0.1, 1.5, opening=0.25, held=index)
        self._go('move', above, opening=0.25, held=index, arc=self.rng.uniform(0.0, 0.1))
        if self._maybe(0.4):
            self._wait('move', 0, 1.0, opening=0.25, held=index)

    def _place(self, index: int, goal: np.ndarray) -> None:
        self._go('place', goal, opening=0.25, held=index, slow=self.rng.uniform(0.4, 0.9))
        self._wait('place', 0.0, 0.9, opening=0.25, held=index)
        self._go(
            'place', self.tool, opening=0.45, held=index, duration=self.rng.uniform(0.1, 0.35) * self.pace
        )
        self.script.events.append((self.clock, 'release'))
        self._go('place', self.tool, opening=1.0, duration=self.rng.uniform(0.1, 0.3) * self.pace)

    def _retreat(self, home: bool) -> None:
        up = self.tool + [*self.rng.normal(0, 0.04, 2), self.rng.uniform(0.06, 0.2)]
        self._go('retreat', up, opening=1.0, slow=self.rng.uniform(0.6, 1.2))
        if home and self._maybe(0.75):
            if self._maybe(0.5):
                end = self.home + self.rng.normal(0, 0.03, 3)
            else:
                end = np.array([*self.rng.uniform(-0.35, 0.35, 2), self.rng.uniform(0.15, 0.4)])
            self._go('retreat', end, opening=1.0, arc=self.rng.uniform(0, 0.08))

    def _goal(self, index: int) -> np.ndarray:
        """Where the tool is when the object stands at the destination."""
        grip = self.tool - self._object(index)
        return self.script.destination + [0, 0, self.sizes[index][2] / 2 + 0.004] + grip

    # ---- whole tasks -----------------------------------------------------------------------------

    def write(self) -> Script:
        """Write the script."""
        if self.task == 'nothing' or self._maybe(0.15):  # for long, nobody does anything
            still = self.rng.uniform(3.0, 14.0)
            self._go('idle', self.tool + self.rng.normal(0, 0.001, 3), opening=1.0, duration=still)
            if self.task == 'nothing':
                return self.script
        self._wait('idle', 0.0, 2.2, opening=1.0)
        if self.task == 'missed':
            self._grasp(0, succeed=False)
            again = self._maybe(0.75)
            self._retreat(home=not again)
            if again:
                self._pick_and_place(0)
        elif self.task == 'push':
            self._push(0)
            if self._maybe(0.6):
                self._pick_and_place(0)
            else:
                self._retreat(home=True)
        elif self.task == 'dropped':
            self._drop(0)
        elif self.task == 'pick':
            self._grasp(0)
            self._go(
                'move',
                self.tool + [*self.rng.normal(0, 0.06, 2), self.rng.uniform(0.1, 0.3)],
                opening=0.25,
                held=0,
            )
            self._wait('move', 0.2, 3.0, opening=0.25, held=0)
            return self.script
        else:
            if self.task == 'stack':
                self.script.destination = self.script.objects[1] + [0, 0, self.sizes[1][2] / 2]
            if self.task == 'hand_over':
                self.script.receiver = True
                self.script.destination[2] = self.rng.uniform(0.06, 0.2)
            self._pick_and_place(0, pour=self.task == 'pour')
            if self.task == 'pick_place' and self._maybe(0.3) and len(self.sizes) > 2:
                self.script.destination = self._object(0) * [1, 1, 0] + [*self.rng.uniform(-0.15, 0.15, 2), 0]
                self._pick_and_place(2)
        self._wait('idle', 0.3, 3.0, opening=1.0)
        return self.script

    def _pick_and_place(self, index: int, *, pour: bool = False) -> None:
        self._grasp(index)
        goal = self._goal(index)
        if pour:
            above = goal + [0.05, 0, self.rng.uniform(0.12, 0.2)]
            self._lift_and_carry(index, above - [0, 0, 0.1])
            angle = self.rng.choice([-1, 1]) * self.rng.uniform(0.9, 1.9)
            self._go(
                'move', self.tool, opening=0.25, held=index, tilt=angle, duration=self.rng.uniform(0.7, 2.0)
            )
            self._wait('move', 0.3, 2.0, opening=0.25, held=index, tilt=angle)
            self._go('move', self.tool, opening=0.25, held=index, duration=self.rng.uniform(0.6, 1.5))
            goal = goal + [*self.rng.uniform(-0.16, 0.16, 2), 0]
        self._lift_and_carry(index, goal)
        if self._maybe(0.1):  # put down without letting go, and taken up again
            self._go('place', goal, opening=0.25, held=index, slow=self.rng.uniform(0.4, 0.9))
            self._wait('place', 0.1, 0.9, opening=0.25, held=index)
            goal = goal + [*self.rng.uniform(-0.16, 0.16, 2), 0]
            self._lift_and_carry(index, goal)
        self._place(index, goal)
        self._retreat(home=True)

    def _push(self, index: int) -> None:
        place = self._object(index)
        angle = self.rng.uniform(0, 2 * math.pi)
        away = np.array([math.cos(angle), math.sin(angle), 0.0])
        self._approach(place - away * (self.sizes[index][0] / 2 + 0.03))
        self._go(None, self.tool + away * self.rng.uniform(0.06, 0.15), opening=0.5, pushed=index, slow=0.5)
        self._go('retreat', self.tool - away * 0.03 + [0, 0, 0.1], opening=1.0)

    def _drop(self, index: int) -> None:
        self._grasp(index)
        self._go('move', self.tool + [0, 0, self.rng.uniform(0.08, 0.2)], opening=0.25, held=index)
        end = self._goal(index) + [0, 0, 0.12]
        end = self.tool + (end - self.tool) * self.rng.uniform(0.2, 0.8)
        self._go('move', end, opening=0.25, held=index)
        self.script.events.append((self.clock, 'drop'))
        self.script.drops.append((self.clock, index, self._object(index)))
        self._go(
            'retreat',
            self.tool + self.rng.normal(0, 0.01, 3),
            opening=0.6,
            duration=self.rng.uniform(0.3, 1.0),
        )
        self._retreat(home=True)


def write_script(rng: np.random.Generator, **options: object) -> Script:
    """Write a script of a random task (shares as in :data:`TASK_SHARES`)."""
    task = TASKS[int(rng.choice(len(TASKS), p=TASK_SHARES))]
    return ScriptWriter(rng, task, **options).write()  # type: ignore[arg-type]
