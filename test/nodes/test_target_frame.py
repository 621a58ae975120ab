"""``target_frame`` through the real tf2 (skipped where it is not installed, as from wheels)."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TransformStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header
from tabletop_bench import CUP, FRAME, TOPICS, Bench, header_of, stamp

from vla_attention.focus.pose import quaternion
from vla_attention.ros.clouds import GREY, read_cloud
from vla_attention.ros.frames import FrameError, Frames

tf2_ros = pytest.importorskip('tf2_ros', reason='tf2 is not installed')
ROOT = Path(__file__).parents[2]
SECOND = 10 ** 9
# the optical frame in camera_link: rotation, translation
MOUNT = (np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.01, -0.02, 0.03]))
IN_CAMERA = ('focus/target/depth', 'focus/target/camera_info')      # pixels: they stay with their camera


def turned(axis, angle):
    """Return the rotation matrix about an axis (Rodrigues)."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def matrix(orientation):
    """Return the rotation matrix of a quaternion message, by turning the axes with it."""
    u, w = np.array([orientation.x, orientation.y, orientation.z]), orientation.w
    return np.stack([each + 2 * w * np.cross(u, each) + 2 * np.cross(u, np.cross(u, each))
                     for each in np.eye(3)], axis=1)


def place(point):
    return np.array([point.x, point.y, point.z])


def moving(nanoseconds):
    """Return where camera_link is in base_link: it turns and goes as evenly as tf2 interpolates."""
    seconds = (nanoseconds % (100 * SECOND)) / SECOND
    return (turned([0.2, 0.3, 0.9], 0.3 + 0.5 * seconds),
            np.array([0.3, 0.1, 0.6]) + seconds * np.array([0.4, -0.2, 0.1]))


def transform(parent, child, pose, nanoseconds):
    turn, move = pose
    message = TransformStamped(header=Header(frame_id=parent, stamp=stamp(nanoseconds)), child_frame_id=child)
    r, t = message.transform.rotation, message.transform.translation
    r.x, r.y, r.z, r.w = (float(value) for value in quaternion(turn))
    t.x, t.y, t.z = (float(value) for value in move)
    return message


def stamp_of(messages):
    return nanoseconds_of(messages['focus/regions'].header)


def nanoseconds_of(header):
    return header.stamp.sec * SECOND + header.stamp.nanosec


class Robot:
    """A table, its camera, focus_node with an answer of all its topics, and who publishes transforms."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        self.bench = Bench(graph, **parameters)
        self.static = tf2_ros.StaticTransformBroadcaster(graph.node)
        self.tf = tf2_ros.TransformBroadcaster(graph.node)
        graph.wait(lambda: not parameters or graph.node.count_subscribers('/tf_static'))

    def set_frame(self, name):
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=name)
        request = SetParameters.Request(parameters=[Parameter(name='target_frame', value=value)])
        assert self.graph.call(SetParameters, 'focus_node/set_parameters', request).results[0].successful

    def whole(self, change=lambda messages: None, frame=None):
        """Send images until one is answered on every topic, in the frame; return its stamp and answers."""
        sent = set()
        for got in self.bench.got.values():
            got.clear()

        def answered():
            messages = self.bench.messages()
            sent.add(stamp_of(messages))
            change(messages)
            self.bench.send(messages)
            self.graph.spin(0.1)
            by_topic = {topic: {nanoseconds_of(header_of(each)): each for each in got}
                        for topic, got in self.bench.got.items()}
            for nanoseconds in sent.intersection(*by_topic.values()):
                answers = {topic: each[nanoseconds] for topic, each in by_topic.items()}
                if (frame in (None, header_of(answers['focus/regions_3d']).frame_id)
                        and (read_cloud(answers['focus/target/points'])[1] != GREY).any()):
                    return nanoseconds, answers
            return None
        return self.graph.wait(answered)


def assert_moved(before, after, turn, move):
    """Check that answers are those of before, in base_link; boxes may be turned half about their z."""
    def point(one, two):
        np.testing.assert_allclose(place(two), turn @ place(one) + move, atol=1e-9)

    def pose(one, two):
        point(one.position, two.position)
        between = matrix(two.orientation).T @ turn @ matrix(one.orientation)
        np.testing.assert_allclose(np.abs(between), np.eye(3), atol=1e-9)
    assert set(after) == set(TOPICS)
    for topic, message in after.items():
        assert header_of(message).frame_id == (FRAME if topic in IN_CAMERA else 'base_link')
    boxes = [answers['focus/regions_3d'].detections for answers in (before, after)]
    assert len(boxes[0]) == 3
    for one, two in zip(*boxes, strict=True):
        assert two.header.frame_id == 'base_link' and one.id == two.id and one.bbox.size == two.bbox.size
        pose(one.bbox.center, two.bbox.center)
        pose(one.results[0].pose.pose, two.results[0].pose.pose)
    for role in ('target', 'destination'):
        points, colors = read_cloud(before[f'focus/{role}/points'])
        there, same = read_cloud(after[f'focus/{role}/points'])
        np.testing.assert_allclose(there, points @ turn.T + move, atol=1e-5)
        np.testing.assert_array_equal(same, colors)
        pose(before[f'focus/{role}/pose'].pose, after[f'focus/{role}/pose'].pose)
    markers = [answers['focus/markers'].markers[1:] for answers in (before, after)]
    assert len(markers[0]) == 7
    for one, two in zip(*markers, strict=True):
        assert two.header.frame_id == 'base_link' and (one.ns, one.scale) == (two.ns, two.scale)
        if one.ns == 'arrow':
            for start, end in zip(one.points, two.points, strict=True):
                point(start, end)
        elif one.ns.endswith('/box'):
            pose(one.pose, two.pose)


def test_all_of_an_image_is_in_the_frame_at_its_stamp(graph):
    robot = Robot(graph)
    _, before = robot.whole()
    assert header_of(before['focus/regions_3d']).frame_id == FRAME and not graph.node.count_subscribers('/tf')
    robot.set_frame('base_link')
    graph.wait(lambda: graph.node.count_subscribers('/tf') and graph.node.count_subscribers('/tf_static'))

    # nobody knows base_link: a warning, and everything in the frame of the camera
    robot.bench.complaint(f"no transform from '{FRAME}' to 'base_link' at the image's stamp: \"base_link\" "
                          'passed to lookupTransform argument target_frame does not exist; everything '
                          f"stays in '{FRAME}'", lambda messages: None)
    assert header_of(robot.whole()[1]['focus/regions_3d']).frame_id == FRAME

    # a camera that moves: transforms 12 ms before and 17 ms after each image; how it is mounted comes late
    robot.static.sendTransform(transform('camera_link', FRAME, MOUNT, 0))

    def move(messages):
        for nanoseconds in (stamp_of(messages) - 12_000_000, stamp_of(messages) + 17_000_000):
            robot.tf.sendTransform(transform('base_link', 'camera_link', moving(nanoseconds), nanoseconds))
    for _ in range(3):
        nanoseconds, after = robot.whole(move, frame='base_link')
        turn, at = moving(nanoseconds)
        assert_moved(before, after, turn @ MOUNT[0], turn @ MOUNT[1] + at)

    # who asks for the camera's frame again listens to /tf no more
    robot.set_frame('')
    graph.wait(lambda: not graph.node.count_subscribers('/tf'))
    assert header_of(robot.whole()[1]['focus/regions_3d']).frame_id == FRAME


def test_a_transform_that_comes_after_the_image_and_one_that_stopped(graph):
    robot = Robot(graph, target_frame='base_link', transform_timeout=1.0)
    robot.static.sendTransform(transform('camera_link', FRAME, MOUNT, 0))

    def send(messages, gap):
        nanoseconds = stamp_of(messages) + gap
        robot.tf.sendTransform(transform('base_link', 'camera_link', moving(nanoseconds), nanoseconds))

    def answers(messages):
        key = messages['focus/regions'].header.stamp
        return [each for each in robot.bench.got['focus/regions_3d'] if each.header.stamp == key]

    robot.whole(lambda messages: (send(messages, -10_000_000), send(messages, 0)), 'base_link')

    def late():
        messages = robot.bench.messages()
        send(messages, -20_000_000)
        robot.bench.send(messages)
        graph.spin(0.3)
        assert not answers(messages)        # the image waits for what is on its way
        send(messages, 5_000_000)
        graph.spin(0.5)
        return next((each for each in answers(messages) if each.header.frame_id == 'base_link'), None)
    box = graph.wait(late)
    turn, at = moving(nanoseconds_of(box.header))
    center = (turn @ MOUNT[0]) @ robot.bench.scene.center(0) + turn @ MOUNT[1] + at
    np.testing.assert_allclose(place(box.detections[0].bbox.center.position), center, atol=0.012)

    robot.bench.nanoseconds += 5 * SECOND
    robot.bench.complaint('s older than the image (has its publisher stopped?', lambda messages: None)
    robot.whole(frame=FRAME)
    robot.bench.nanoseconds -= 100 * SECOND
    robot.bench.complaint('into the past', lambda messages: None)


def test_a_bag_that_starts_over(graph):
    clock = graph.node.create_publisher(Clock, '/clock', 10)
    robot = Robot(graph, target_frame='base_link', use_sim_time=True)
    robot.static.sendTransform(transform('camera_link', FRAME, MOUNT, 0))

    def play(messages):
        now = stamp_of(messages)
        clock.publish(Clock(clock=stamp(now)))
        graph.spin(0.05)
        for nanoseconds in (now - SECOND // 100, now + SECOND // 100):
            robot.tf.sendTransform(transform('base_link', 'camera_link', moving(nanoseconds), nanoseconds))
    for start in (500 * SECOND, 60 * SECOND):   # tf2 drops what is older than what it has
        robot.bench.nanoseconds = start
        nanoseconds, after = robot.whole(play, frame='base_link')
        assert start < nanoseconds < start + 30 * SECOND
        turn, at = moving(nanoseconds)
        box = after['focus/regions_3d'].detections[0].bbox.center
        center = (turn @ MOUNT[0]) @ robot.bench.scene.center(0) + turn @ MOUNT[1] + at
        np.testing.assert_allclose(place(box.position), center, atol=0.012)


def test_the_example_planner_grasps_in_the_frame_of_the_table(graph):
    path = os.pathsep.join([str(ROOT / 'src'), os.environ.get('PYTHONPATH', '')])
    environment = dict(os.environ, ROS_DOMAIN_ID=str(graph.domain), PYTHONPATH=path)
    robot = Robot(graph, target_frame='table')
    scene = robot.bench.scene       # its transform is that from the table's frame, z up, to the optical frame
    camera = scene.rotation.T, -scene.rotation.T @ scene.translation
    robot.static.sendTransform(transform('table', FRAME, camera, 0))
    robot.whole(frame='table')
    with subprocess.Popen([sys.executable, str(ROOT / 'examples' / 'top_grasp.py'), '--ros-args', '-p',
                           'opening:=0.1'], env=environment) as planner:
        try:
            grasps = graph.collect(PoseStamped, 'grasp')
            graph.wait(lambda: robot.whole() and grasps)
        finally:
            planner.terminate()
    grasp = grasps[-1]
    assert grasp.header.frame_id == 'table'
    tips = CUP.center + np.array([0, 0, CUP.size[2] / 2 - 0.04])        # 4 cm below the rim
    np.testing.assert_allclose(place(grasp.pose.position), tips, atol=0.012)
    assert matrix(grasp.pose.orientation)[:, 2] @ [0, 0, -1] > np.cos(np.radians(5))


@pytest.fixture
def frames(shared_graph):
    made = Frames(shared_graph.node)
    yield made
    made.close()


def at(nanoseconds):
    return Header(frame_id=FRAME, stamp=stamp(nanoseconds))


def test_only_what_is_on_its_way_is_waited_for(frames):
    def refused(words, target, nanoseconds, timeout=3600.0):     # who waits for these is not done in time
        with pytest.raises(FrameError, match=words):
            frames.lookup(target, at(nanoseconds), timeout)
    buffer = frames._buffer
    refused('does not exist', 'base_link', 10 * SECOND)
    for nanoseconds in (10 * SECOND, 11 * SECOND):
        buffer.set_transform(transform('base_link', FRAME, moving(nanoseconds), nanoseconds), 'test')
    buffer.set_transform(transform('moon', 'crater', MOUNT, 10 * SECOND), 'test')
    refused('does not exist', 'nowhere', 10 * SECOND)
    refused('not part of the same tree', 'moon', 10 * SECOND)
    refused("cannot start with a '/'", '/base_link', 10 * SECOND)
    refused('into the past', 'base_link', 9 * SECOND)
    refused('negative', 'base_link', -SECOND)
    refused('9.0 s older than the image', 'base_link', 20 * SECOND)
    half = 11 * SECOND + SECOND // 2
    refused('500 ms older than the image .raise transform_timeout, which is 20 ms', 'base_link', half, 0.02)

    late = transform('base_link', FRAME, moving(12 * SECOND), 12 * SECOND)
    timer = threading.Timer(0.2, buffer.set_transform, (late, 'test'))
    timer.start()
    turn, move = frames.lookup('base_link', at(half), 3600.0)
    np.testing.assert_allclose(turn, moving(half)[0], atol=1e-9)
    np.testing.assert_allclose(move, moving(half)[1], atol=1e-9)
    timer.join()


def test_static_transforms_outlive_a_jump_of_the_clock(frames):
    frames._buffer.set_transform_static(transform('camera_link', FRAME, MOUNT, 0), 'test')
    frames._buffer.set_transform(transform('base_link', 'camera_link', moving(SECOND), SECOND), 'test')
    frames.lookup('base_link', at(SECOND), 0.0)
    frames._buffer.clear()      # what the jump callback does: see test_frames_jump.py
    with pytest.raises(FrameError):
        frames.lookup('base_link', at(SECOND), 0.0)
    np.testing.assert_allclose(frames.lookup('camera_link', at(SECOND), 0.0)[1], MOUNT[1])
