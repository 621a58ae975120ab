"""Images and the parsed instruction in; attention maps and focus regions out."""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray, Header, String
from std_srvs.srv import Trigger
from vision_msgs.msg import Detection2DArray, LabelInfo

from vla_attention.focus import Tracker, region_ids
from vla_attention.grounding import GroundingBackend, make_backend
from vla_attention.grounding.attention_maps import HEADS, PATCH
from vla_attention.grounding.backend import BACKENDS, ReportingBackend
from vla_attention.language import Instruction, Step
from vla_attention.pipeline import MOST_PHRASES, REGION_ROLES, Look, Pipeline, Query
from vla_attention.ros import image_node, qos
from vla_attention.ros.detections import draw_labels, write_label_info, write_regions
from vla_attention.ros.health import MAX_LATENCY, fingerprint
from vla_attention.ros.image_node import ImageNode
from vla_attention.ros.messages import seconds, write_floats, write_image
from vla_attention.ros.parameters import CONFIGURE, Setting
from vla_attention.ros.running import run
from vla_attention.ros.worker import BACKGROUND
from vla_attention.stream import StreamAttention
from vla_attention.threads import cores
from vla_attention.vision.engine import ENGINES, PRECISIONS
from vla_attention.vision.image import model_size
from vla_attention.vision.saliency import saliency

HUB_OPTIONS = ('dtype', 'translate', 'revision', 'allow_download', 'compile_model')
SETTINGS = (
    *image_node.SETTINGS,
    Setting('backend', 'embedded', 'What grounds phrases in images.', choices=tuple(BACKENDS),
            when=CONFIGURE),
    Setting('weights', '', 'Weights of the backend: a safetensors file (embedded), a local folder or the '
            'name of a hub model; empty: those in the package, or the usual hub model.', when=CONFIGURE),
    Setting('device', 'auto', 'Where the backend computes; auto: what it takes by itself.',
            check=lambda value: '' if value in ('auto', 'cpu') or value.split(':')[0] == 'cuda' else
            'it must be auto, cpu, cuda or cuda:N', when=CONFIGURE),
    Setting('dtype', 'auto', 'Numbers of a hub model in torch; auto: float16 on CUDA, else float32.',
            choices=('auto', 'float32', 'float16', 'bfloat16'), when=CONFIGURE),
    Setting('translate', 'auto', 'Korean goes to a hub model as English; auto: unless it is multilingual.',
            choices=('auto', 'never', 'always'), when=CONFIGURE),
    Setting('revision', '', 'Branch, tag or commit of a hub model; a commit pins it.', when=CONFIGURE),
    Setting('allow_download', False, 'A hub model that is not on this machine may be downloaded.',
            when=CONFIGURE),
    Setting('compile_model', False, 'Compile a hub model: faster after a slow first image.', when=CONFIGURE),
    Setting('engine', 'auto', 'What runs the image part on a CPU; auto: OpenVINO where it is installed (not '
            'for siglip and grounding_dino).', choices=ENGINES, when=CONFIGURE),
    Setting('threads', 0, 'CPU threads for the backend; 0: half of the cores for the embedded model, which '
            'looks while other nodes work; as many as torch takes for a hub model.', low=0, high=256,
            when=CONFIGURE),
    Setting('looks', 8, 'Candidates of each phrase that the embedded model looks at again from near; 0: '
            'none, which is faster.', low=0, high=32, when=CONFIGURE),
    Setting('relooks', 1, 'Candidates of each phrase, among those that were looked at in an image before and '
            'have not changed, that are looked at again in turn; more takes more time. -1: all of them, each '
            'image by itself.', low=-1, high=32, when=CONFIGURE),
    Setting('precision', 'auto', 'Numbers of the image part in OpenVINO; auto: bf16 where the CPU has it, '
            'else int8, a third of the time of f32, or f32 for a hub model, which has no int8.',
            choices=PRECISIONS, when=CONFIGURE),
    Setting('remote_url', '', 'URL of `vla-attention serve` for the backend remote, like http://host:8000.',
            when=CONFIGURE),
    Setting('remote_timeout', 0.25, 'Seconds that a frame waits for the answer of the pool; then the '
            'embedded backend answers it.', low=0.01, high=10.0, when=CONFIGURE),
    Setting('remote_jpeg_quality', 90, 'Quality of the JPEG that goes to the pool; 0: raw pixels.', low=0,
            high=100, when=CONFIGURE),
    Setting('max_wait', 0.5, 'Share of the image period that an image may have waited when it could be '
            'begun; else the next one is awaited: younger and fewer results. 1: never.', low=0.0, high=1.0),
    Setting('look_every', 0.2, 'Seconds from one look at an image to the next; in those between, regions are '
            'followed by how the picture moves. 0: every image is looked at.', low=0.0, high=60.0),
    Setting('presence_threshold', 0.5, 'Presence (0..1) below which a phrase counts as not in view.',
            low=0.0, high=1.0),
    Setting('steadiness', 0.5, 'Seconds for which what was seen in the images before counts beside the '
            'newest one: when one of several things is chosen, and when it is told whether a thing is in '
            'view. 0: each image by itself.', low=0.0, high=60.0),
    Setting('max_regions', 5, 'Regions that a phrase may have at most.', low=1, high=100),
    Setting('step', 0, 'Step of the instruction whose target and destination are shown, as `steps` of '
            '`instruction/parsed` counts them (0: the first that is no prohibition); -1: all at once.',
            low=-1, high=99),
    Setting('smoothing', 0.5, 'How much of the box and mask of a region stays from image to image (0: as '
            'they come, 0.95: hardly any change).', low=0.0, high=0.95),
    Setting('ground_timeout', 5.0, 'Seconds that the service `ground` waits for the next image.',
            low=0.1, high=60.0),
)


WARM_UP = Instruction('', steps=(Step(action='pick up', target='cup'),))


class AttentionNode(ImageNode):
    """Looks at each image for what the instruction names."""

    def __init__(self, **options: Any) -> None:
        super().__init__('attention_node', SETTINGS, **options)
        self._instruction = Instruction('')
        self._parse: String | None = None   # that it is of
        self._query: Query | None = None
        self._pipeline: Pipeline | None = None
        self._tracker = Tracker()
        self._stream = StreamAttention(self._attend, every=lambda: float(self.parameters['look_every']),
                                       holds=lambda look: look.query.instruction is self._instruction
                                       and self._looked_with == self._limits())
        self._looked_with = self._limits()
        self._asked_lock = threading.Lock()
        self._asked: list[tuple[float, Future]] = []    # `ground` requests that wait for an image to come,
        self._due: list[tuple[float, Future]] = []      # and those that one has come for
        # not made in configure: whoever asks is answered in every state, also while the node shuts down
        self.create_service(Trigger, 'ground', self._ground, callback_group=ReentrantCallbackGroup())

    # ---- lifecycle

    def configure(self) -> None:
        """Load the weights, look once so that the first image is as fast as the rest, make the outputs."""
        if self.parameters['threads']:
            import torch
            torch.set_num_threads(self.parameters['threads'])
        backend = self._load()
        self._pipeline = pipeline = Pipeline(backend)
        pipeline.look(np.zeros((480, 640, 3), np.uint8), pipeline.instruct(WARM_UP))
        self.health.hardware_id = f'{backend.name} on {backend.device}'
        self.health.fact('backend', backend.name)
        self.health.fact('device', backend.device)
        self.health.fact('engine', getattr(backend, 'engine', 'torch'))
        self.health.fact('precision', getattr(backend, 'precision', ''))
        self.health.fact('weights', fingerprint(getattr(backend, 'weights', self.parameters['weights'])))

        self._saliency = self.output(Image, 'attention/saliency')
        self._maps = {role: self.output(Image, f'attention/{role}') for role in REGION_ROLES}
        self._heads = self.output(Float32MultiArray, 'attention/heads')
        self._words = self.output(Float32MultiArray, 'attention/words')
        self._regions = self.output(Detection2DArray, 'focus/regions')
        self._masks = {role: self.output(Image, f'focus/{role}/mask') for role in ('target', 'destination')}
        self._labels = self.output(Image, 'focus/labels')
        self._in_use = self.output(String, 'attention/instruction', qos.latched())
        self._label_info = self.output(LabelInfo, 'focus/label_info', qos.latched())
        self._named: tuple[list[str], float] | None = None  # phrases and threshold of label_info

    def activate(self) -> None:
        """Take the instruction and images."""
        topic = self.resolve_topic_name('instruction/parsed')
        self.health.expect('instruction', f'instruction on {topic}', timeout=None,
                           missing=f'no instruction yet on {topic}')
        self._query = None
        self._answered = False      # since it was activated, something that was asked for
        self._stream.forget()
        self._beside = self.worker(lambda item: self._stream.look_ahead(*item), niceness=BACKGROUND)
        if self._parse is not None:     # goes on, also where nobody says it again
            self._work_with(self._parse)
        self.subscribe(String, 'instruction/parsed', self._take_instruction, qos.latched())
        super().activate()

    def described(self) -> str:
        """Return what looks at images."""
        backend = self._backend()
        facts = {'backend': getattr(backend, 'name', ''), 'engine': getattr(backend, 'engine', 'torch'),
                 'precision': getattr(backend, 'precision', ''), 'device': getattr(backend, 'device', '')}
        return ', '.join(f'{name} {value}' for name, value in facts.items() if value)

    def time_jumped_back(self) -> None:
        """Look anew: what was seen lies in the future."""
        self._query = None
        self._stream.forget()

    def deactivate(self) -> None:
        """Answer those who still wait."""
        self._answer_all(False, 'the node was deactivated')

    def cleanup(self) -> None:
        """Let go of the backend."""
        backend, self._pipeline, self._query = self._backend(), None, None
        if isinstance(backend, ReportingBackend):
            backend.close()

    def tick(self) -> None:
        """Give up on `ground` requests that have waited too long."""
        limit = self.parameters['ground_timeout']
        reason = self.health.missing('image') or f'no image was worked on within ground_timeout, {limit:g} s'
        self._answer_all(False, reason, asked_before=time.monotonic() - limit)
        backend = self._backend()
        if isinstance(backend, ReportingBackend):
            for name, value in backend.facts().items():
                self.health.fact(name, value)
            self.trouble('backend', backend.trouble(), 'the backend answers again')

    def _backend(self) -> GroundingBackend | None:
        return self._pipeline.backend if self._pipeline is not None else None

    def _load(self) -> GroundingBackend:
        name = self.parameters['backend']
        own = name in ('embedded', 'remote')    # the embedded model answers while the pool is away
        options = {} if own else {option: self.parameters[option] for option in HUB_OPTIONS}
        if name == 'remote':
            options = {'url': self.parameters['remote_url'], 'timeout': self.parameters['remote_timeout'],
                       'jpeg_quality': self.parameters['remote_jpeg_quality']}
        else:
            options['engine'] = self.parameters['engine']
        if self.parameters['weights']:
            options['weights' if own else 'model'] = self.parameters['weights']
        if self.parameters['device'] != 'auto':
            options['device'] = self.parameters['device']
        options['precision'] = self.parameters['precision']
        if own:
            options['looks'] = self.parameters['looks']
            options['relooks'] = self.parameters['relooks'] if self.parameters['relooks'] >= 0 else None
            # of its engine, which need not be torch
            options['threads'] = self.parameters['threads'] or max(1, cores() // 2)
        return make_backend(name, **options)

    # ---- input

    def _take_instruction(self, message: String) -> None:
        try:
            data = json.loads(message.data)
            instruction = Instruction.from_dict(data)
        except ValueError as error:
            self.complain('instruction', f'{self.resolve_topic_name("instruction/parsed")}: data is no parse '
                          f'of an instruction ({error}): {message.data[:60]!r}; the one before stays')
            return
        self.health.came('instruction')
        if data.get('initial') and self._instruction.text:
            return      # of an instruction_node that was restarted, which will hear what is worked with
        if instruction != self._instruction:    # said again, it keeps what was seen and what is followed
            self._instruction = instruction     # encoded by the worker, which alone calls the backend
        self._work_with(message)

    def _work_with(self, parse: String) -> None:
        self._parse = parse
        self.health.came('instruction')
        self.health.fact('instruction', self._instruction.text[:80])
        self._in_use.publish(parse)     # instruction_node takes it up again where it was restarted

    # ---- output

    def max_wait(self) -> float:
        """Return the parameter."""
        return float(self.parameters['max_wait'])

    def look(self, image: np.ndarray, header: Header) -> bool:
        """Attend to one image and publish what came of it, regions last."""
        with self._asked_lock:
            due, self._due = self._due, []
        try:
            return self._look(image, header, due)
        except Exception:
            with self._asked_lock:      # the next image may do, or ground_timeout ends it
                self._due = due + self._due
            raise

    def _look(self, image: np.ndarray, header: Header, due: list[tuple[float, Future]]) -> bool:
        if self._saliency.wanted:
            self._saliency.publish(write_image(saliency(image), '32FC1', header))
        outputs = (*self._maps.values(), self._heads, self._words, self._regions, *self._masks.values(),
                   self._labels, self._label_info)
        if not due and not any(output.wanted for output in outputs):
            return self._saliency.wanted
        stamp = self.moment(header)
        look, followed = self._stream.see(image, stamp, look=bool(due))
        self._tracker.smoothing = self.parameters['smoothing']
        look = replace(look, regions=tuple(self._tracker.update(look.regions, stamp)))
        self._publish_maps(look, image.shape[:2], header, followed)
        self._publish_regions(look, image.shape[:2], header)
        self._tell_first(look, header)
        if self._stream.due(stamp):
            self._beside.put((image, stamp))
        for _, future in due:
            self._answer(future, True, json.dumps(_report(look, header), ensure_ascii=False))
        return True

    def _attend(self, image: np.ndarray, stamp: float) -> Look:
        pipeline, instruction = self._pipeline, self._instruction
        if pipeline is None:
            raise RuntimeError('look() before configure()')
        query = self._query
        if query is None or query.instruction is not instruction:
            self._query = query = pipeline.instruct(instruction)
            left_out = query.left_out
            self.trouble('phrases', f'{len(left_out)} things that the instruction names are not looked for '
                         f'({MOST_PHRASES} are, at most): {left_out[0][:60]!r} ...' if left_out else '')
        self._looked_with = self._limits()
        pipeline.presence_threshold, pipeline.max_regions = self._looked_with
        pipeline.steadiness = self.parameters['steadiness']
        self.health.count('looked at')
        return pipeline.look(image, query, stamp)

    def _limits(self) -> tuple[float, int]:
        """Return the parameters that a look depends on."""
        return self.parameters['presence_threshold'], self.parameters['max_regions']

    def _publish_maps(self, look: Look, size: tuple[int, int], header: Header, followed: bool) -> None:
        cols, rows = (side // PATCH for side in model_size(size[1], size[0]))
        grid = look.maps.maps.shape[1:] if look.maps else (rows, cols)
        for role, output in self._maps.items():
            if output.wanted:
                attention = look.attention(role, self.parameters['step'])
                if attention is None:
                    attention = np.zeros(grid)
                output.publish(write_image(attention.astype(np.float32), '32FC1', header))
        if followed:    # heads and words are those of a look; what is followed has none of its own
            return
        if look.maps is not None and self._heads.wanted:
            heads = np.stack([look.maps.heads[name] for name in HEADS])
            self._heads.publish(write_floats(heads, ('head', 'phrase', 'row', 'column')))
        if look.maps is not None and look.maps.words and self._words.wanted:
            longest = max(len(words) for words in look.maps.words)
            words = np.zeros((len(look.maps.words), longest, *grid), np.float32)
            for filled, given in zip(words, look.maps.words, strict=True):
                filled[:len(given)] = given
            self._words.publish(write_floats(words, ('phrase', 'word', 'row', 'column')))

    def _publish_regions(self, look: Look, size: tuple[int, int], header: Header) -> None:
        for role, output in self._masks.items():
            if output.wanted:
                chosen = [look.query.phrases[index]
                          for index in look.query.current(role, self.parameters['step'])]
                mask = np.zeros(size, np.uint8)
                for region in look.of(role):
                    if region.phrase in chosen:
                        np.maximum(mask, region.mask, out=mask)
                output.publish(write_image(mask, 'mono8', header))
        if self._labels.wanted:
            self._labels.publish(write_image(draw_labels(look.regions, size[::-1]), 'mono16', header))
        named = [region.phrase for region in look.regions], self.parameters['presence_threshold']
        if named != self._named:  # kept for late subscribers, so said when it changes, not for every image
            self._named = named
            self._label_info.publish(write_label_info(look.regions, header, named[1]))
        self._regions.publish(write_regions(look.regions, header))

    def _tell_first(self, look: Look, header: Header) -> None:
        """Log once that image and instruction are there and answered."""
        text, age = look.query.instruction.text, self.age(header)
        if self._answered or not text:
            return
        self._answered = True
        late = (f'{age * 1e3:.0f} ms after the image was taken' if 0 <= age < MAX_LATENCY
                else 'of an image whose stamp is not of this clock (use_sim_time?)')
        self.get_logger().info(f'first answer: regions {len(look.regions)}, for {text[:80]!r}, {late}')

    # ---- the service

    async def _ground(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        if self.state != 'active':
            response.message = f'the node is {self.state}, not active'
            return response
        future = Future(executor=self.executor)
        with self._asked_lock:
            self._asked.append((time.monotonic(), future))
        response.success, response.message = await future
        return response

    def _take(self, message: Any) -> None:
        with self._asked_lock:  # who asked before this image came is answered with it or a later one
            self._due += self._asked
            self._asked = []
        super()._take(message)

    def _answer(self, future: Future, success: bool, text: str) -> None:
        future.set_result((success, text))
        if self.executor is not None:
            self.executor.wake()

    def _answer_all(self, success: bool, text: str, *, asked_before: float = math.inf) -> None:
        with self._asked_lock:
            given_up = [each for each in self._asked + self._due if each[0] < asked_before]
            self._asked, self._due = ([each for each in waiting if each[0] >= asked_before]
                                      for waiting in (self._asked, self._due))
        for _, future in given_up:
            self._answer(future, success, text)


def _report(look: Look, header: Header) -> dict[str, Any]:
    report: dict[str, Any] = {'stamp': seconds(header), 'frame_id': header.frame_id,
                              'instruction': look.query.instruction.text}
    for role in REGION_ROLES:
        report[role] = []
    for region, name in zip(look.regions, region_ids(look.regions), strict=True):
        report[region.role].append({
            'id': name, 'phrase': region.phrase, 'score': round(float(region.score), 4),
            'box': [round(float(value), 1) for value in region.box],
            'point': [round(float(value), 1) for value in region.point]})
    return report


def main() -> int:
    """Run the node."""
    return run(AttentionNode)


if __name__ == '__main__':
    sys.exit(main())
