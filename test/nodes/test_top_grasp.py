"""The example planner: a grasp over a thing, and no grasp over or beside what is to be avoided."""

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Float32, Header, String
from vision_msgs.msg import Detection3DArray

from vla_attention.focus import FocusRegion, approach_pose
from vla_attention.focus.pose import quaternion, rotation
from vla_attention.ros.clouds import write_cloud, write_pose, write_regions_3d

ROOT = Path(__file__).parents[2]
EXAMPLE = [sys.executable, str(ROOT / 'examples' / 'top_grasp.py')]
PATH = os.pathsep.join([str(ROOT / 'src'), os.environ.get('PYTHONPATH', '')])
BOX = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])       # a camera that looks straight down


def thing(role, center, size):
    mask = np.ones((4, 4), np.uint8)
    points = (np.random.default_rng(0).uniform(-0.5, 0.5, (400, 3)) * size + center).astype(np.float32)
    return FocusRegion(role, role, 1.0, (0, 0, 4, 4), (2, 2), mask, 0, np.array(center), np.array(size),
                       quaternion(BOX), points)


CUP = thing('target', (0.0, 0.0, 0.65), (0.10, 0.06, 0.10))


@contextlib.contextmanager
def planning(graph, *arguments):
    """Run the example and give what :func:`asking` returns."""
    environment = dict(os.environ, ROS_DOMAIN_ID=str(graph.domain), PYTHONPATH=PATH)
    process = subprocess.Popen([*EXAMPLE, *arguments], env=environment)
    try:
        yield asking(graph)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def asking(graph):
    """Return a function that sends the example what is seen and returns what it says."""
    make = graph.node.create_publisher
    publish = [make(PoseStamped, 'focus/target/pose', 5), make(PointCloud2, 'focus/target/points', 5),
               make(Detection3DArray, 'focus/regions_3d', 5)]
    got = {topic: graph.collect(kind, topic) for topic, kind in
           (('grasp', PoseStamped), ('grasp/width', Float32), ('grasp/refused', String))}
    graph.wait(lambda: all(each.get_subscription_count() for each in publish))
    number = [0]

    def plan(topic, *regions):
        def answered():
            number[0] += 1
            header = Header(frame_id='camera_color_optical_frame')
            header.stamp.sec = number[0]
            ids = [f'{each.role}/{index}' for index, each in enumerate(regions)]
            for publisher, message in zip(publish, (
                    write_pose(approach_pose(regions[0]), header),
                    write_cloud(regions[0].points, None, header),
                    write_regions_3d(regions, ids, header)), strict=True):
                publisher.publish(message)
            graph.spin(0.1)
            return got[topic]
        graph.spin(0.3)             # answers to what an earlier test sent
        for messages in got.values():
            messages.clear()
        graph.wait(answered)
        return got
    return plan


@pytest.fixture(scope='module')
def planner(shared_graph):
    with planning(shared_graph) as plan:
        yield plan


def test_the_hand_comes_down_over_the_shorter_side(planner):
    got = planner('grasp/width', CUP)
    grasp, width = got['grasp'][-1], got['grasp/width'][-1].data
    assert width == pytest.approx(0.06) and grasp.header.frame_id == 'camera_color_optical_frame'
    place, turn = grasp.pose.position, grasp.pose.orientation
    axes = rotation(np.array([turn.x, turn.y, turn.z, turn.w]))
    np.testing.assert_allclose(axes[:, 2], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(np.abs(axes[:, 1]), [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose([place.x, place.y, place.z], [0, 0, 0.64], atol=0.004)   # 4 cm below the top
    assert got['grasp/refused'] == []


def test_a_thing_of_which_the_top_alone_is_seen_is_not_grasped_above_it(planner):
    lid = CUP.points.copy()
    lid[:, 2] = 0.60
    place = planner('grasp', replace(CUP, points=lid))['grasp'][-1].pose.position
    assert place.z == pytest.approx(0.64, abs=0.004)


def test_what_is_to_be_avoided_is_kept_out_of(planner):
    beside = thing('avoid', (0.0, 0.09, 0.66), (0.1, 0.05, 0.08))
    got = planner('grasp/refused', CUP, beside)
    assert 'avoid' in got['grasp/refused'][-1].data and got['grasp'] == []
    far = thing('avoid', (0.0, 0.25, 0.66), (0.1, 0.05, 0.08))
    assert planner('grasp', CUP, far)['grasp/refused'] == []


def test_what_is_too_wide_is_refused(planner):
    wide = thing('target', (0.0, 0.0, 0.65), (0.2, 0.12, 0.1))
    got = planner('grasp/refused', wide)
    assert '120 mm are wider than the hand opens, 80 mm' in got['grasp/refused'][-1].data
    assert got['grasp'] == []


def test_a_whole_number_of_metres_is_a_number(graph):
    wide = thing('target', (0.0, 0.0, 0.65), (0.2, 0.12, 0.1))
    with planning(graph, '--ros-args', '-p', 'opening:=1') as plan:
        assert plan('grasp/width', wide)['grasp/width'][-1].data == pytest.approx(0.12)


@pytest.mark.parametrize('option', ['-h', '--help'])
def test_help_is_what_the_file_says_of_itself(option):
    shown = subprocess.run([*EXAMPLE, option], env=dict(os.environ, PYTHONPATH=PATH), capture_output=True,
                           text=True, timeout=60, check=True)
    assert 'from the focus topics to a top-down grasp' in shown.stdout and 'opening:=0.1' in shown.stdout
