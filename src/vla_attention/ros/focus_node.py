"""Focus regions and depth in; boxes, clouds and poses in space out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray
from visualization_msgs.msg import MarkerArray

from vla_attention.focus import FocusRegion, Intrinsics, approach_pose, lift
from vla_attention.focus.pose import SteadyAxes
from vla_attention.ros import qos
from vla_attention.ros.camera import CameraInput
from vla_attention.ros.clouds import write_cloud, write_markers, write_pose, write_regions_3d
from vla_attention.ros.colour_stream import ColourStream
from vla_attention.ros.detections import read_regions
from vla_attention.ros.frames import FrameError, Frames, moved
from vla_attention.ros.image_node import IMAGE_TRANSPORT
from vla_attention.ros.messages import ImageError, read_array, read_depth, read_rgb, write_image
from vla_attention.ros.parameters import Setting
from vla_attention.ros.perception_node import PerceptionNode, RefusedError
from vla_attention.ros.running import run
from vla_attention.ros.stamps import StampMatcher
from vla_attention.ros.topics import Input

OUTLINES = ('focus/target/mask', 'focus/destination/mask', 'focus/labels')
HANDED = ('target', 'destination')      # the roles that a planner is handed points and a pose for
REGISTERED = ('remap `depth` to the depth that is registered to the image (aligned_depth_to_color of a '
              'RealSense, depth_registered of others)')

SETTINGS = (
    IMAGE_TRANSPORT,
    Setting('depth_timeout', 3.0, 'Seconds without depth or regions after which diagnostics say so.',
            low=0.1, high=3600.0),
    Setting('depth_memory', 5.0, 'Seconds that depth and colour are kept at most for the regions of their '
            'image, which come later by the time that grounding takes.', low=0.1, high=60.0),
    Setting('slop', 0.02, 'Seconds by which the stamp of depth may differ from that of the image; half the '
            'period in which depth comes is the limit in any case.', low=0.0, high=1.0),
    Setting('rectified', False, 'Image and depth are rectified, though `d` of `camera_info` is still that of '
            'the raw image, as image_proc leaves it; false: `d` is taken into account, unless the topic of '
            'the image has a name that image_proc gives (`image_rect`).'),
    Setting('target_frame', '', 'Frame for boxes, points and poses, through tf2 at the stamp of the image; '
            'empty: that of the camera.'),
    Setting('transform_timeout', 0.05, 'Seconds to wait for a transform whose newest is a little older than '
            'the image.', low=0.0, high=1.0),
)


@dataclass(frozen=True)
class _Frame:
    """What belongs to one image, read and checked."""

    header: Header
    regions: list[FocusRegion]
    ids: list[str]
    depth: np.ndarray
    intrinsics: Intrinsics
    camera_info: CameraInfo
    image: np.ndarray | None


class FocusNode(PerceptionNode):
    """Finds in space what the focus regions of an image show."""

    def __init__(self, **options: Any) -> None:
        super().__init__('focus_node', SETTINGS, **options)
        self._frames: Frames | None = None
        self._taken: list[Input] = []               # subscriptions, while somebody takes what comes of them
        self._axes = SteadyAxes()

    # ---- lifecycle

    def configure(self) -> None:
        """Make the outputs."""
        self._regions_3d = self.output(Detection3DArray, 'focus/regions_3d')
        self._points = {role: self.output(PointCloud2, f'focus/{role}/points') for role in HANDED}
        self._poses = {role: self.output(PoseStamped, f'focus/{role}/pose') for role in HANDED}
        self._depth = self.output(Image, 'focus/target/depth')
        self._camera_info = self.output(CameraInfo, 'focus/target/camera_info')
        self._markers = self.output(MarkerArray, 'focus/markers')
        self._marked: Header | None = None      # of the markers that RViz shows

    def activate(self) -> None:
        """Take regions, outlines, depth, camera and colour."""
        self._lift_worker = self.worker(self._work)
        self._colour_stream = ColourStream(self, self._put,
                                           compressed=self.parameters['image_transport'] == 'compressed')
        self._camera = CameraInput(self, lambda: self._colour_stream.topic)
        self.tick()

    def deactivate(self) -> None:
        """Forget what was taken, and take from RViz what it shows."""
        self._taken.clear()
        self._take_markers_away()

    def on_demand(self) -> Sequence[str]:
        """Return what is taken while somebody takes anything."""
        return 'focus/regions', *OUTLINES, 'depth', 'camera_info', self._colour_stream.topic

    def _take(self) -> None:
        self._axes.reset()
        self._matcher = StampMatcher(
            'focus/regions', ('depth',), slop=lambda: self.parameters['slop'],
            memory=lambda: self.parameters['depth_memory'], missed=self._unmatched)
        for key, topic, hint in (('regions', 'focus/regions', 'is attention_node running?'),
                                 ('depth', 'depth', REGISTERED),
                                 ('camera_info', 'camera_info', 'is it remapped?')):
            name = self.resolve_topic_name(topic)
            self.health.expect(key, f'{topic} on {name}', timeout=lambda: self.parameters['depth_timeout'],
                               missing=f'no {topic} on {name} yet: {hint}')
        self._taken = [
            self.subscribe(CameraInfo, 'camera_info', self._camera.take, qos.sensor()),
            self.subscribe(Image, 'depth', self._taker('depth'), qos.stream()),
            *(self.subscribe(Image, topic, self._taker(topic), qos.result()) for topic in OUTLINES),
            self.subscribe(Detection2DArray, 'focus/regions', self._take_regions, qos.result())]

    def _leave(self) -> None:
        for entry in self._taken:
            self.unsubscribe(entry)
        self._taken.clear()
        self.health.no_longer_expect()

    def cleanup(self) -> None:
        """Listen to tf no more."""
        self._forget_frames()

    def _forget_frames(self) -> None:
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def tick(self) -> None:
        """Take anything while somebody takes what comes of it, and tf while another frame is asked for.

        Whoever takes regions makes attention_node look for them.
        """
        wanted = self.state == 'active' and self._wanted()
        self.health.fact('watched', 'yes' if wanted else 'no, so nothing is taken')
        if self.state != 'active':
            return
        if wanted and not self._taken:
            self._take()
        elif not wanted and self._taken:
            self._leave()
        self._colour_stream.follow(wanted)
        if self.health.missing('regions') or self.health.missing('depth'):
            self._take_markers_away()
        if not self.parameters['target_frame']:
            self._forget_frames()       # each message of /tf takes half a millisecond
        elif self._frames is None:
            try:
                self._frames = Frames(self)
            except FrameError as error:
                self.complain('transform', f'target_frame: {error}; everything stays in the camera\'s frame')

    # ---- input

    def _taker(self, topic: str) -> Callable[[Image], None]:
        def take(message: Image) -> None:
            if topic == 'depth':
                self.health.came('depth')
            self._put(topic, message)
        return take

    def _take_regions(self, message: Detection2DArray) -> None:
        self.health.came('regions')
        self.health.count('regions')
        # attention_node sends every outline that somebody takes; another node may send only some
        self._put('focus/regions', message, ['depth'] + [
            topic for topic in OUTLINES if self.count_publishers(self.resolve_topic_name(topic))])

    def _put(self, topic: str, message: Any, needed: Sequence[str] = ()) -> None:
        match = self._matcher.put(topic, _nanoseconds(message.header), message, needed)
        if match is not None and self._lift_worker.put(match):
            self.health.count('replaced')

    def _unmatched(self, topic: str, gap: int | None) -> None:
        self.health.count('unmatched')
        name = self.resolve_topic_name(topic)
        if gap is None:
            if topic != 'depth':    # that no depth comes at all is said already
                self.complain(topic, f'{name} has a publisher, but nothing comes from it')
        elif topic == 'depth':
            self.complain(topic, f'{name} does not fit the image in time: the nearest stamp is '
                          f'{gap * 1e-6:.0f} ms away, slop is {self.parameters["slop"] * 1e3:.0f} ms '
                          '(are the clocks of both in step? does grounding take longer than depth_memory, '
                          f'{self.parameters["depth_memory"]:.1f} s?)')
        else:
            self.complain(topic, f'{name}: nothing with the stamp of focus/regions')

    def _wanted(self) -> bool:
        outputs = (self._regions_3d, self._depth, self._camera_info, self._markers, *self._points.values(),
                   *self._poses.values())
        return any(output.wanted for output in outputs)

    def _work(self, match: dict[str, Any]) -> None:
        if not self._wanted() or self._colour_stream.due:
            return
        try:
            frame = self._read(match)
        except (RefusedError, ImageError) as error:
            self.health.count('refused')
            self.complain(getattr(error, 'key', 'input'), str(error))
            # whoever keeps the last answer would act on it
            self._publish_in_space([], [], dict.fromkeys(HANDED), match['focus/regions'].header)
            return
        regions = [self._lifted(region, name, frame)
                   for region, name in zip(frame.regions, frame.ids, strict=True)]
        regions = self._axes.turn(regions, frame.ids)
        self._publish(frame, regions, {role: _current(frame.regions, role, match) for role in HANDED})
        self.health.done(self.age(frame.header))

    def _read(self, match: dict[str, Any]) -> _Frame:
        array, depth_message, info = match['focus/regions'], match['depth'], self._camera.info
        header = array.header
        name = self.resolve_topic_name('depth')
        if info is None:
            topic = self.resolve_topic_name('camera_info')
            raise RefusedError('camera_info', f'no camera_info on {topic} yet; depth is no use without it')
        if depth_message.header.frame_id != header.frame_id:
            raise RefusedError('depth', f'{name} is in frame {depth_message.header.frame_id!r}, the image in '
                          f'{header.frame_id!r}: {REGISTERED}')
        try:
            depth = read_depth(depth_message)
        except ImageError as error:
            raise RefusedError('depth', f'{name}: {error}') from error
        height, width = depth.shape
        for topic in OUTLINES:
            outline = match.get(topic)
            if outline is not None and (outline.width, outline.height) != (width, height):
                raise RefusedError('depth', f'{name} is {width}x{height}, the image '
                                   f'{outline.width}x{outline.height}: {REGISTERED}')
        intrinsics = self._camera.intrinsics(info, header.frame_id, (width, height))
        regions = _with_outlines(array, match, (height, width))
        return _Frame(header, regions, [each.id for each in array.detections], depth, intrinsics, info,
                      self._colour(header, depth.shape))

    def _colour(self, header: Header, size: tuple[int, ...]) -> np.ndarray | None:
        topic = self._colour_stream.topic
        message = self._matcher.find(topic, _nanoseconds(header))
        if message is None:
            return None     # points go out without colour
        try:
            image = read_rgb(message)
        except ImageError as error:
            self.complain('image', f'{self.resolve_topic_name(topic)}: {error}; points have no colour')
            return None
        return image if image.shape[:2] == size else None

    # ---- work

    def _lifted(self, region: FocusRegion, name: str, frame: _Frame) -> FocusRegion:
        if not region.mask.any():
            region = replace(region, no_3d='no pixel of the image is in it')
        else:
            region = lift(region, frame.depth, frame.intrinsics, frame.image)
        if region.no_3d:
            self.complain(f'no 3-D of {region.role}',
                          f'{name} ({region.phrase}) stays in 2-D: {region.no_3d}')
        return region

    # ---- output

    def _publish(self, frame: _Frame, regions: list[FocusRegion], current: dict[str, int | None]) -> None:
        index = current['target']
        if self._depth.wanted:
            mask = regions[index].mask > 0 if index is not None else np.zeros(frame.depth.shape, bool)
            masked = np.where(mask, frame.depth, np.float32(np.nan))
            self._depth.publish(write_image(masked, '32FC1', frame.header))
        if self._camera_info.wanted:
            info = copy(frame.camera_info)
            info.header = frame.header
            self._camera_info.publish(info)
        regions, header = self._in_target_frame(regions, frame.header)
        self._publish_in_space(regions, frame.ids, current, header)

    def _publish_in_space(self, regions: Sequence[FocusRegion], ids: Sequence[str],
                          current: dict[str, int | None], header: Header) -> None:
        for role in HANDED:
            index = current[role]
            region = regions[index] if index is not None else None
            if self._points[role].wanted:
                points = region.points if region is not None else None
                colors = region.colors if region is not None else None
                if points is None:      # never silence: an empty cloud says that there is nothing
                    points = np.empty((0, 3), np.float32)
                self._points[role].publish(write_cloud(points, colors, header))
            pose = approach_pose(region) if region is not None else None
            if pose is not None:
                self._poses[role].publish(write_pose(pose, header))
        if self._markers.wanted:
            self._markers.publish(write_markers(regions, current, header))
            self._marked = header
        self._regions_3d.publish(write_regions_3d(regions, ids, header))

    def _take_markers_away(self) -> None:
        """Take from RViz what it would show for ever; of other answers one sees how old they are."""
        if self._marked is not None and self.context.ok():      # on Ctrl-C nothing can be said any more
            self._markers.publish(write_markers([], dict.fromkeys(HANDED), self._marked))
        self._marked = None

    def _in_target_frame(self, regions: list[FocusRegion],
                         header: Header) -> tuple[list[FocusRegion], Header]:
        target, frames = self.parameters['target_frame'], self._frames
        if not target or target == header.frame_id or frames is None:
            return regions, header
        try:
            turn, move = frames.lookup(target, header, self.parameters['transform_timeout'])
        except FrameError as error:
            self.complain('transform', f'{error}; everything stays in {header.frame_id!r}')
            return regions, header
        return ([moved(region, turn, move) for region in regions],
                Header(stamp=header.stamp, frame_id=target))


def _with_outlines(array: Detection2DArray, match: dict[str, Any],
                   size: tuple[int, int]) -> list[FocusRegion]:
    """Give regions their masks: from labels, else what of the role's mask is in the box, else the box.

    :raises RefusedError: regions or outlines that cannot be read.
    """
    try:
        labels = read_array(match['focus/labels']) if 'focus/labels' in match else None
        regions = read_regions(array, labels)
    except ValueError as error:
        raise RefusedError('regions', f'focus/regions with its outlines cannot be read: {error}') from error
    if labels is not None:
        return regions
    return [replace(region, mask=_mask_in_box(region, match, size)) for region in regions]


def _mask_in_box(region: FocusRegion, match: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    x0, y0, x1, y1 = (max(0, round(float(value))) for value in region.box)
    mask = np.zeros(size, np.uint8)
    mask[y0:y1, x0:x1] = 255
    message = match.get(f'focus/{region.role}/mask')
    return mask if message is None else np.where(read_array(message) > 0, mask, np.uint8(0))


def _current(regions: Sequence[FocusRegion], role: str, match: dict[str, Any]) -> int | None:
    """Return which region of a role counts now: the best of those that the role's mask shows most of."""
    own = [index for index, region in enumerate(regions) if region.role == role]
    message = match.get(f'focus/{role}/mask')
    if message is not None:
        shown = read_array(message) > 0
        masks = {index: regions[index].mask > 0 for index in own}
        own = [index for index in own if 2 * np.count_nonzero(shown & masks[index])
               > np.count_nonzero(masks[index])]
    return max(own, key=lambda index: regions[index].score, default=None)


def _nanoseconds(header: Header) -> int:
    return int(header.stamp.sec * 1_000_000_000 + header.stamp.nanosec)


def main() -> int:
    """Run the node."""
    return run(FocusNode)


if __name__ == '__main__':
    sys.exit(main())
