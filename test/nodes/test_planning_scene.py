"""The example that keeps MoveIt's scene: what it tells of what is seen, and a move_group that is told it."""

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import Pose
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from vision_msgs.msg import Detection2D, Detection2DArray, Detection3DArray

from vla_attention.focus import FocusRegion
from vla_attention.focus.pose import quaternion
from vla_attention.ros.clouds import write_regions_3d

EXAMPLE = Path(__file__).parents[2] / 'examples' / 'planning_scene.py'
AXES = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
PLACES = {'target': (0.4, 0.0, 0.05), 'destination': (0.5, 0.3, 0.01), 'avoid': (0.3, -0.2, 0.1)}
SIZES = {'target': (0.10, 0.06, 0.08), 'destination': (0.22, 0.21, 0.02), 'avoid': (0.3, 0.02, 0.01)}


def seen(*names, header=None, phrase='it', moved=0.0):
    """Return what focus_node says of things by their ids."""
    regions = [FocusRegion(role, phrase, 0.9, (0, 0, 4, 4), (2, 2), np.ones((4, 4), np.uint8), 0,
                           np.array(PLACES[role]) + moved, np.array(SIZES[role]), quaternion(AXES))
               for role in (name.partition('/')[0] for name in names)]
    return write_regions_3d(regions, names, header or Header(frame_id='base_link'))


@pytest.fixture(scope='module')
def changes():
    return runpy.run_path(str(EXAMPLE))['changes']


def test_sizes_are_along_the_box_and_what_is_to_be_avoided_grows(changes):
    regions = seen('target/3', 'destination/4', 'avoid/5')
    told = changes(regions, [], set(), 0.03)
    assert [each[:2] for each in told] == [('target/3', 'ADD'), ('destination/4', 'ADD'), ('avoid/5', 'ADD')]
    sizes = [SIZES['target'], SIZES['destination'], np.array(SIZES['avoid']) + 0.06]
    np.testing.assert_allclose([each[2] for each in told], sizes)
    assert [each[3] for each in told] == [each.bbox.center for each in regions.detections]


@pytest.mark.parametrize('names, world, left, told', [
    (['target/3'], ['target/3', 'table'], (), ['ADD target/3']),            # moves; the table is others'
    ([], ['target/3', 'avoid/5', 'avoid', 'target/lid'], (), ['REMOVE target/3', 'REMOVE avoid/5']),
    (['target/7'], ['target/3'], (), ['REMOVE target/3', 'ADD target/7']),  # seen again by another number
    (['target/3', 'avoid/5'], ['avoid/5'], ('target/3',), ['ADD avoid/5']),     # in the hand
    ([], ['avoid/5'], ('target/3', 'avoid/5'), []),                 # hidden by the hand; without depth
])
def test_what_is_told_depends_on_what_moveit_has(changes, names, world, left, told):
    assert [f'{operation} {name}' for name, operation, *_ in changes(seen(*names), world, left, 0.0)] == told


@pytest.mark.parametrize('phrase, stands', [
    ('between the jar and the book', False), ('병과 책 사이', False), ('on the plate', True),
    ('접시 위', True)])
def test_a_destination_between_two_things_is_no_thing(changes, phrase, stands):
    assert len(changes(seen('destination/4', phrase=phrase), [], (), 0.0)) == stands
    assert changes(seen('target/3', phrase=phrase), [], (), 0.0)


def test_without_moveit_it_says_what_to_install(monkeypatch):
    for name in ('moveit_msgs', 'moveit_msgs.msg'):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(sys, 'argv', [str(EXAMPLE)])
    with pytest.raises(SystemExit, match='moveit_msgs is not installed: sudo apt install ros-'):
        runpy.run_path(str(EXAMPLE), run_name='__main__')


class MoveGroup:
    """The two services of move_group, as planning_scene.cpp answers them, and who asks for updates."""

    def __init__(self, graph, msg):
        self.graph, self.msg, self.world, self.held = graph, msg, {}, []
        self.flat = graph.node.create_publisher(Detection2DArray, 'focus/regions', 5)
        self.solid = graph.node.create_publisher(Detection3DArray, 'focus/regions_3d', 5)

    def serve(self, srv):
        """Be there."""
        self.graph.node.create_service(srv.GetPlanningScene, 'get_planning_scene', self._get)
        self.graph.node.create_service(srv.ApplyPlanningScene, 'apply_planning_scene', self._apply)

    def _get(self, request, response):
        names = self.msg.PlanningSceneComponents
        if request.components.components & names.WORLD_OBJECT_NAMES:
            response.scene.world.collision_objects = list(map(self._named, self.world))
        if request.components.components & names.ROBOT_STATE_ATTACHED_OBJECTS:
            response.scene.robot_state.attached_collision_objects = [
                self.msg.AttachedCollisionObject(object=self._named(each)) for each in self.held]
        return response

    def _named(self, name):
        return self.msg.CollisionObject(id=name)

    def _apply(self, request, response):
        assert request.scene.is_diff and request.scene.robot_state.is_diff
        response.success = True
        for each in request.scene.world.collision_objects:
            if each.operation == self.msg.CollisionObject.REMOVE:
                response.success &= self.world.pop(each.id, None) is not None
            elif each.operation == self.msg.CollisionObject.ADD and each.header.frame_id == 'base_link':
                self.world[each.id] = each
            else:
                response.success = False
        return response

    def update(self, said, *names, frame='base_link', flat=(), moved=0.0):
        """Show things and ask for updates until one says so; return whether it was made."""
        def answer():
            header = Header(frame_id=frame, stamp=self.graph.node.get_clock().now().to_msg())
            self.flat.publish(Detection2DArray(
                header=header, detections=[Detection2D(id=each) for each in (*names, *flat)]))
            self.solid.publish(seen(*names, header=header, moved=moved))
            got = self.graph.call(Trigger, 'update_planning_scene')     # of these, or of those before
            return got if said in got.message else None
        return self.graph.wait(answer).success


def test_moveits_scene_follows_what_is_seen_when_asked(graph):
    msg = pytest.importorskip('moveit_msgs.msg', reason='moveit_msgs is not installed')
    command = [sys.executable, str(EXAMPLE), '--ros-args', '-p', 'margin:=0']
    process = subprocess.Popen(command, env=dict(os.environ, ROS_DOMAIN_ID=str(graph.domain)))
    try:
        answer = graph.call(Trigger, 'update_planning_scene')
        assert not answer.success and 'no new focus/regions_3d' in answer.message
        group = MoveGroup(graph, msg)
        assert not group.update('is move_group running?', 'target/3')
        group.serve(pytest.importorskip('moveit_msgs.srv'))
        shown = 'target/3', 'destination/4', 'avoid/5'
        assert group.update('ADD target/3, ADD destination/4, ADD avoid/5', *shown)
        group.world['table'] = msg.CollisionObject(id='table')
        assert set(group.world) == {'target/3', 'destination/4', 'avoid/5', 'table'}
        box = group.world['target/3']
        assert (box.header.frame_id, box.primitives[0].type) == ('base_link', box.primitives[0].BOX)
        np.testing.assert_allclose(box.primitives[0].dimensions, SIZES['target'])
        assert box.pose == seen('target/3').detections[0].bbox.center and box.primitive_poses == [Pose()]

        # one moves, one goes, one is taken into the hand
        group.held = ['target/3']
        del group.world['target/3']
        assert group.update('REMOVE destination/4, ADD avoid/5', 'target/3', 'avoid/5', moved=0.1)
        assert set(group.world) == {'avoid/5', 'table'}
        assert group.world['avoid/5'].pose.position.x == pytest.approx(PLACES['avoid'][0] + 0.1)

        # what is to be avoided but has no box is told, as is what MoveIt refuses
        assert not group.update('; seen without depth, so not placed: avoid/5', flat=['avoid/5', 'target/8'])
        assert set(group.world) == {'avoid/5', 'table'}
        said = 'REMOVE avoid/5; seen without depth, so not placed: avoid/6'
        assert not group.update(said, flat=['avoid/6'])
        assert not group.update("does MoveIt know frame 'camera'?", 'destination/9', frame='camera')
        assert set(group.world) == {'table'}
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
