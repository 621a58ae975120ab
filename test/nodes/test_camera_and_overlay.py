"""scene_camera plays what it is given, overlay_node draws over it; nodes end in order."""

import json
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import rclpy
from lifecycle_msgs.msg import Transition
from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from stack import Stack, picture
from std_msgs.msg import Header, String
from vision_msgs.msg import Detection2DArray

from vla_attention.focus import FocusRegion
from vla_attention.ros.detections import draw_labels, write_regions
from vla_attention.ros.messages import read_rgb, write_image
from vla_attention.ros.scene_camera import SceneCamera


def test_camera_plays_the_photograph_with_intrinsics_and_instruction(graph):
    pytest.importorskip('skimage', reason='the photograph comes with scikit-image')
    images, infos = graph.collect(Image, 'image'), graph.collect(CameraInfo, 'camera_info')
    said = graph.collect(String, 'instruction')
    camera = graph.start('scene_camera', instructions='[컵을 집어줘, pick up the spoon]',
                         instruction_period=0.4, rate=20.0)
    graph.wait(lambda: len(images) > 5 and infos and len({text.data for text in said}) == 2)
    assert {text.data for text in said} == {'컵을 집어줘', 'pick up the spoon'}
    image = images[-1]
    info = graph.wait(lambda: next((each for each in infos if each.header == image.header), None))
    assert image.header.frame_id == 'camera_color_optical_frame'
    assert (image.width, image.height) == (info.width, info.height) == (600, 400)
    assert info.k[0] == pytest.approx(300 / np.tan(np.radians(30))) and list(info.k[2:3]) == [299.5]
    assert camera.stop(signal.SIGTERM) == 0


class Parser:
    """Takes instructions and says what it works with, as instruction_node does."""

    def __init__(self, graph):
        self.heard = graph.collect(String, 'instruction')
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._parsed = graph.node.create_publisher(String, 'instruction/parsed', latched)

    def work_with(self, text, *, initial=False):
        parse = {'text': text, **({'initial': True} if initial else {})}   # as of any parser
        self._parsed.publish(String(data=json.dumps(parse)))


def test_camera_says_its_instruction_to_who_comes_late_until_somebody_else_says_another(graph, tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), picture(64, 48))
    parser = Parser(graph)
    people = graph.node.create_publisher(String, 'instruction', 10)
    parser.work_with('what was said before')
    graph.start('scene_camera', source=tmp_path / '1.png', rate=20.0, instructions='[pick up the spoon]')
    graph.wait(lambda: parser.heard)
    graph.spin(1.0)
    late = graph.collect(String, 'instruction')
    graph.wait(lambda: late)    # what was said before the camera began does not silence it
    parser.work_with('pick up the spoon')
    graph.spin(1.0)
    parser.work_with('of a restarted node', initial=True)
    graph.spin(1.0)
    later = graph.collect(String, 'instruction')
    graph.wait(lambda: later)
    assert {text.data for text in parser.heard + late + later} == {'pick up the spoon'}
    # the camera itself takes none: "ros2 topic pub --once" would go before instruction_node hears it
    assert people.get_subscription_count() == 3
    parser.work_with('컵을 집어줘')     # which people have said
    graph.spin(1.0)
    latest = graph.collect(String, 'instruction')
    graph.wait(lambda: people.get_subscription_count() == 4)
    graph.spin(2.0)
    assert not latest


def test_camera_says_that_its_clock_stands_still(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / '1.png'), picture(64, 48))
    context = Context()
    rclpy.init(context=context, domain_id=39)
    camera = SceneCamera(context=context, parameter_overrides=[
        Parameter('source', value=str(tmp_path / '1.png')), Parameter('use_sim_time', value=True)])
    camera.start()
    camera.tick()
    assert camera.health.status().message == 'working'
    later = time.monotonic() + 3.1
    monkeypatch.setattr(time, 'monotonic', lambda: later)
    camera.tick()
    assert 'does /clock stand still' in camera.health.status().message
    camera._play()
    camera.tick()
    assert camera.health.status().message == 'working'
    camera.close()
    camera.destroy_node()
    rclpy.shutdown(context=context)


def test_camera_plays_a_folder_with_two_sizes_over_and_over(graph, tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), picture(64, 48)[..., ::-1])
    cv2.imwrite(str(tmp_path / '2.png'), picture(80, 60)[..., ::-1])
    images = graph.collect(Image, 'image')
    graph.start('scene_camera', source=tmp_path, rate=50.0)
    graph.wait(lambda: len(images) > 6)
    assert [image.width for image in images[:6]] in ([64, 80] * 3, [80, 64] * 3)
    np.testing.assert_array_equal(read_rgb(next(i for i in images if i.width == 64)), picture(64, 48))


def test_camera_plays_a_photograph_as_a_still(graph, tmp_path):
    photograph = tmp_path / '컵.png'
    cv2.imencode('.png', picture(64, 48)[..., ::-1])[1].tofile(photograph)
    images, infos = graph.collect(Image, 'image'), graph.collect(CameraInfo, 'camera_info')
    graph.start('scene_camera', source=photograph, rate=50.0, field_of_view=90.0)
    graph.wait(lambda: len(images) > 3 and infos)
    for image in images:
        np.testing.assert_array_equal(read_rgb(image), picture(64, 48))
    assert infos[-1].k[0] == pytest.approx(32.0)    # half the width over tan 45 degrees


def test_camera_waits_for_a_source_that_is_gone_and_plays_it_when_it_is_back(graph, tmp_path):
    source, away = tmp_path / 'shown.png', tmp_path / 'away.png'
    cv2.imwrite(str(source), picture(64, 48)[..., ::-1])
    stack = Stack(graph)
    images = graph.collect(Image, 'image')
    camera = graph.start('scene_camera', source=source, rate=20.0)
    graph.wait(lambda: images)
    source.rename(away)
    graph.wait(lambda: 'shown.png cannot be played again' in stack.complaint('scene_camera'))
    assert 'does not exist' in stack.complaint('scene_camera') and '`loop`' not in camera.log
    images.clear()
    away.rename(source)
    graph.wait(lambda: images)
    graph.wait(lambda: stack.complaint('scene_camera') == 'working')
    assert camera.log.count('cannot be played again') == 1 and 'is played again' in camera.log


def test_camera_plays_a_video_to_its_end(graph, tmp_path):
    video = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (64, 48))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no video')
    for level in range(10, 210, 10):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    stack = Stack(graph)
    images = graph.collect(Image, 'image')
    graph.start('scene_camera', source=video, rate=10.0, loop=False, autostart=False)
    assert graph.transition('scene_camera', Transition.TRANSITION_CONFIGURE)
    images_in = next(each for each in graph.node.subscriptions if each.topic_name == '/image')
    graph.wait(images_in.get_publisher_count)
    assert graph.transition('scene_camera', Transition.TRANSITION_ACTIVATE)
    graph.wait(lambda: 'is at its end' in stack.complaint('scene_camera'))
    graph.wait(lambda: images and read_rgb(images[-1]).mean() == pytest.approx(200, abs=4))
    levels = [int(read_rgb(image).mean()) for image in images]
    assert levels == sorted(levels)
    assert len(levels) <= 20


def test_camera_says_what_it_cannot_show_and_can_be_configured_again(graph, tmp_path):
    from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
    from rcl_interfaces.srv import SetParameters
    camera = graph.start('scene_camera', source=tmp_path / 'nowhere.mp4')
    assert not graph.transition('scene_camera', Transition.TRANSITION_CONFIGURE)
    assert 'nowhere.mp4' in camera.log and camera.popen.poll() is None
    coffee = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value='coffee')
    request = SetParameters.Request(parameters=[Parameter(name='source', value=coffee)])
    assert graph.call(SetParameters, 'scene_camera/set_parameters', request).results[0].successful
    assert graph.transition('scene_camera', Transition.TRANSITION_CONFIGURE)


class Drawing:
    """What overlay_node works on: an image, and one region with its outline, of one stamp."""

    def __init__(self, graph):
        self._graph = graph
        self._stack = Stack(graph)
        self._attention = graph.node.create_publisher(Image, 'attention/target', 50)
        self._labels = graph.node.create_publisher(Image, 'focus/labels', 50)
        self._regions = graph.node.create_publisher(Detection2DArray, 'focus/regions', 50)
        mask = np.zeros((240, 320), np.uint8)
        mask[80:160, 60:130] = 255
        self._region = FocusRegion('target', '빨간 컵', 0.9, (60.0, 80.0, 130.0, 160.0), (96.0, 120.0), mask)

    def send(self, pixels, **changes):
        header: Header = self._stack.send(pixels, **changes).header
        self._attention.publish(write_image(np.zeros((15, 20), np.float32), '32FC1', header))
        self._labels.publish(write_image(draw_labels([self._region], (320, 240)), 'mono16', header))
        self._regions.publish(write_regions([self._region], header))
        self._graph.spin(0.1)


def test_overlay_draws_over_the_image_of_the_same_stamp(graph):
    overlays = graph.collect(Image, 'overlay')
    compressed = graph.collect(CompressedImage, 'overlay/compressed')
    graph.start('overlay_node')
    drawing, pixels = Drawing(graph), picture()

    def drawn():
        drawing.send(pixels)
        return overlays and compressed
    graph.wait(drawn)
    overlay = read_rgb(overlays[-1])
    assert overlay.shape == pixels.shape and overlays[-1].header.frame_id == 'some_camera'
    changed = np.abs(overlay.astype(int) - pixels).sum(axis=2)
    assert changed[80:160, 58:62].mean() > 30 and read_rgb(compressed[-1]).shape == pixels.shape
    assert next(iter(overlays)).header.stamp != Header().stamp


def test_overlay_leaves_images_out_that_come_faster_than_max_rate(graph):
    overlays = graph.collect(Image, 'overlay')
    graph.start('overlay_node', max_rate=15.0)
    drawing, pixels = Drawing(graph), picture()
    began = graph.node.get_clock().now().nanoseconds
    tick = 0

    def drawn(least):
        nonlocal tick
        tick += 1       # a 30 Hz camera by its stamps, whatever the time that this test takes
        stamp = Time(nanoseconds=began + tick * 33_333_333).to_msg()
        drawing.send(pixels, header=Header(stamp=stamp, frame_id='some_camera'))
        return len(overlays) >= least
    graph.wait(lambda: drawn(8))
    stamps = [Time.from_msg(overlay.header.stamp).nanoseconds for overlay in overlays]
    gaps = np.diff(stamps)
    assert (gaps >= 60e6).all() and np.median(gaps) < 110e6


def test_the_parameter_file_reaches_a_node_in_a_namespace_and_slips_are_named(graph, tmp_path):
    from rcl_interfaces.srv import GetParameters
    text = (Path(__file__).parents[2] / 'config' / 'attention.yaml').read_text(encoding='utf-8')
    file = tmp_path / 'mine.yaml'
    mine = text.replace('jpeg_quality: 85', 'jpeg_quality: 42\n    show_region: true')
    file.write_text(mine, encoding='utf-8')
    process = graph.start('overlay_node', '--params-file', str(file), '-r', '__ns:=/robot1')
    request = GetParameters.Request(names=['jpeg_quality'])
    values = graph.call(GetParameters, '/robot1/overlay_node/get_parameters', request).values
    assert values[0].integer_value == 42
    assert 'show_region is no parameter of this node and is ignored; show_regions is meant?' in process.log
    names = {name for name, _ in graph.node.get_topic_names_and_types()}
    assert {'/robot1/overlay', '/robot1/overlay/compressed'} <= names and '/overlay' not in names


def test_a_wrong_parameter_at_start_is_one_line_and_status_2(graph):
    cases = [({'max_characters': 0}, ('max_characters', '0')),
             ({'heatmap_head': 'third'}, ('heatmap_head', 'third')),
             ({'max_characters': 2.5}, ('max_characters', 'DOUBLE', 'INTEGER'))]
    processes = [graph.start('instruction_node', **given) for given, _ in cases]
    unreadable = graph.start('instruction_node', '--params-file', '/nowhere/mine.yaml')
    assert unreadable.popen.wait(180) == 2 and 'refused: ' in unreadable.log
    assert 'nowhere/mine.yaml' in unreadable.log and 'Traceback' not in unreadable.log
    for process, (_, said) in zip(processes, cases, strict=True):
        assert process.popen.wait(180) == 2
        assert len(process.log.strip().splitlines()) == 1 and all(word in process.log for word in said)
