"""Instruction text in; its parse, attention heads and heat map out."""

from __future__ import annotations

import contextlib
import json
import sys
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray, Header, String

from vla_attention.language import Instruction, InstructionParser
from vla_attention.language.instruction import HEADS
from vla_attention.language.parser import WEIGHTS
from vla_attention.ros import qos
from vla_attention.ros.health import fingerprint
from vla_attention.ros.kept_instruction import KeptError, KeptInstruction
from vla_attention.ros.messages import write_floats, write_image
from vla_attention.ros.parameters import READ_ONLY, Setting
from vla_attention.ros.perception_node import PerceptionNode
from vla_attention.ros.running import run

WAITING = 8     # instructions that may wait; of a flood the last ones are read
PROVEN = 20.0   # seconds after which a crash is not put down to the instruction that was taken up

SETTINGS = (
    Setting('initial_instruction', '', 'Instruction (Korean or English) to begin with; empty: wait for one '
            'on `instruction`. Taken up when the node is activated.'),
    Setting('max_characters', 2000, 'Characters that an instruction may have; a longer one is refused.',
            low=1, high=2000),
    Setting('heatmap_head', '', 'Attention head that `instruction/heatmap` shows; empty: the mean of all.',
            choices=('', *HEADS)),
    Setting('state_directory', '', 'Folder where the last instruction is kept while the node is active, to '
            'be taken up again after a crash; empty: none. attention.launch.py gives the folder of its log, '
            'where nobody but a node that it starts again looks.', when=READ_ONLY),
)


class InstructionNode(PerceptionNode):
    """Parses what comes on `instruction`; the last parse is kept for late subscribers.

    After a crash (``respawn``, kill -9) it takes up again what it has kept in ``state_directory``, or else
    what attention_node works with, until an instruction comes: late subscribers get the parse as before.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('instruction_node', SETTINGS, **options)
        self._current: Instruction | None = None
        self._told_anything = False     # somebody has, to this process or before its crash
        self._kept = KeptInstruction(self.parameters['state_directory'], self.get_fully_qualified_name())
        self._drawn: tuple[Instruction, str] | None = None

    def configure(self) -> None:
        """Load the parser."""
        self._parser = InstructionParser()
        self.health.fact('weights', fingerprint(WEIGHTS))
        self._parsed = self.output(String, 'instruction/parsed', qos.latched())
        self._heads = self.output(Float32MultiArray, 'instruction/heads', qos.latched())
        self._heatmap = self.output(Image, 'instruction/heatmap', qos.latched())

    def activate(self) -> None:
        """Take instructions; say the last one again where there was one before."""
        self._drawer = self.worker(self._draw)
        self._reader = self.worker(self._read, slots=WAITING)
        topic = self.resolve_topic_name('instruction')
        self.health.expect('instruction', f'instruction on {topic}', timeout=None,
                           missing=f'no instruction yet on {topic}')
        self.subscribe(String, 'instruction', self._take, qos.command())
        self.subscribe(String, 'attention/instruction', self._take_up_again, qos.latched())
        self._since = time.monotonic()
        kept = self._take_up_kept() if self._current is None else ''
        if self._current is not None:
            self._note(self._current)
            self._keep(self._current)
            self._tell(self._current)
        elif kept:
            self._told_anything = True
            self._reader.put(String(data=kept))
        elif self.parameters['initial_instruction']:
            self._reader.put(String(data=self.parameters['initial_instruction']))

    def deactivate(self) -> None:
        """Keep no instruction on disk: this is no crash."""
        self._kept.forget()

    def cleanup(self) -> None:
        """Let go of the parser."""
        with contextlib.suppress(AttributeError):   # it could not be loaded
            del self._parser
        self._drawn = None

    def tick(self) -> None:
        """Draw for a subscriber that came after the instruction, and after a change of `heatmap_head`."""
        if self.state != 'active':
            return
        if self._current is not None:
            self._drawer.put(self._current)
        if time.monotonic() - self._since > PROVEN:
            with self._complaining_of_disk():
                self._kept.proven()

    def _take_up_kept(self) -> str:
        try:
            text = self._kept.take_up()
        except KeptError as error:
            self.complain('state_directory', f'the instruction before the crash is lost: {error}')
            return ''
        refusal = self._refusal(text) if text else ''
        if refusal:
            self.complain('state_directory', f'the instruction before the crash is lost: {refusal}')
            return ''
        if text:
            self.get_logger().info(f'taking up again what was said before the crash: {text[:80]!r}')
        return text

    def _keep(self, instruction: Instruction) -> None:
        if not instruction.heads:   # made by hand: its text would not bring it back, attention_node will
            self._kept.forget()
        elif not self._is_initial(instruction):
            with self._complaining_of_disk():
                self._kept.keep(instruction.text)

    @contextlib.contextmanager
    def _complaining_of_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.complain('state_directory', f'the instruction would not outlive a crash: {error}')

    def _take_up_again(self, message: String) -> None:
        if self._told_anything:
            return
        try:
            instruction = Instruction.from_dict(json.loads(message.data))
        except ValueError as error:
            topic = self.resolve_topic_name('attention/instruction')
            self.complain('attention', f'{topic}: data is no parse of an instruction ({error}): '
                          f'{message.data[:60]!r}')
            return
        if instruction != self._current and (instruction.text or instruction.steps):
            self.get_logger().info(
                f'taking up again what attention_node works with: {instruction.text[:80]!r}')
            self._reader.put(instruction)

    def _take(self, message: String) -> None:
        self._told_anything = True
        self.health.count('instructions')
        if self._reader.put(message):
            self.health.count('replaced')

    def _read(self, message: String | Instruction) -> None:
        if isinstance(message, Instruction):
            self._work_with(self._with_heads(message))
            return
        refusal = self._refusal(message.data)
        if refusal:
            self.health.count('refused')
            self.complain('instruction', f'{self.resolve_topic_name("instruction")}: {refusal}; '
                          'the instruction before stays')
            return
        begin = time.perf_counter()
        instruction = self._parser.parse(message.data)
        self.health.done(time.perf_counter() - begin)
        self._work_with(instruction)

    def _with_heads(self, instruction: Instruction) -> Instruction:
        """Return what the parser makes of its text where that is the same, with heads, else it as it is.

        Somebody may have made the parse by hand: attention_node goes on with that one.
        """
        if self._refusal(instruction.text):
            return instruction
        parsed = self._parser.parse(instruction.text)
        return parsed if parsed == instruction else instruction

    def _work_with(self, instruction: Instruction) -> None:
        self._note(instruction)
        self._current = instruction
        self._keep(instruction)
        self._tell(instruction)

    def _note(self, instruction: Instruction) -> None:
        self.health.came('instruction')
        self.health.fact('instruction', instruction.text[:80])
        self.health.fact('language', instruction.language)
        self.health.standing('reason', instruction.reason and
                             f'the last instruction names nothing to look at: {instruction.reason}')

    def _is_initial(self, instruction: Instruction) -> bool:
        # nobody has said it yet: where attention_node works with another one, that one counts more
        return not self._told_anything and instruction.text == self.parameters['initial_instruction']

    def _refusal(self, text: str) -> str:
        if not text.strip():
            return f'data is {text[:40]!r}; an instruction has words'
        if len(text) > self.parameters['max_characters']:
            return (f'data has {len(text)} characters ({text[:40]!r}...); '
                    f'max_characters is {self.parameters["max_characters"]}')
        control = next((c for c in text if unicodedata.category(c) == 'Cc' and not c.isspace()), None)
        return f'data holds the control character {control!r} ({text[:40]!r})' if control else ''

    def _tell(self, instruction: Instruction) -> None:
        parse = {**instruction.to_dict(), 'initial': self._is_initial(instruction)}
        self._parsed.publish(String(data=json.dumps(parse, ensure_ascii=False)))
        if instruction.heads:
            heads = np.stack([instruction.heads[name] for name in HEADS])
        else:
            heads = np.zeros((len(HEADS), 0, 0), np.float32)
        self._heads.publish(write_floats(heads, ('head', 'query', 'key')))
        self._drawer.put(instruction)

    def _draw(self, instruction: Instruction) -> None:
        head = self.parameters['heatmap_head']
        if not self._heatmap.wanted or self._drawn == (instruction, head) or not instruction.heads:
            return
        # drawing is the one thing here that needs OpenCV: not before somebody looks at it
        from vla_attention.view.sentence import draw_sentence
        picture = draw_sentence(instruction, head or None)
        header = Header(stamp=self.get_clock().now().to_msg())
        self._heatmap.publish(write_image(picture, 'rgb8', header))
        self._drawn = (instruction, head)


def main() -> int:
    """Run the node."""
    torch.set_num_threads(1)    # a small network: a second thread would only be in attention_node's way
    return run(InstructionNode)


if __name__ == '__main__':
    sys.exit(main())
