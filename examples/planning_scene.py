#!/usr/bin/env python3
"""Brings MoveIt's planning scene to what is seen, in under 100 lines: call the service before planning.

Takes focus/regions_3d and focus/regions. Target and destination become boxes named by their `id` (target/3);
the box of what is to be avoided is larger by `margin` (metres) on every side. What is seen no more is taken
away. What is attached to the robot, and what others have put into the scene, stays as it is.

    python3 examples/planning_scene.py --ros-args -p margin:=0.05
    ros2 service call /update_planning_scene std_srvs/srv/Trigger
"""

import re
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import deque

import rclpy
from geometry_msgs.msg import Pose
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.time import Time
from std_srvs.srv import Trigger
from vision_msgs.msg import Detection2DArray, Detection3DArray

try:
    from moveit_msgs.msg import CollisionObject, PlanningScene, PlanningSceneComponents
    from moveit_msgs.srv import ApplyPlanningScene, GetPlanningScene
    from shape_msgs.msg import SolidPrimitive
except ImportError:
    CollisionObject = None

MAX_AGE = 2.0       # seconds that the regions may be old
OURS = re.compile(r'(target|destination|avoid)/\d+')
FREE = re.compile(r'\bbetween\b|사이')      # a destination between two things is no thing


def changes(regions, world, left, margin):
    """Return (id, operation, size, pose) of what MoveIt, whose world has those names, is to be told."""
    add = {}
    for each in regions.detections:
        role, size, phrase = each.id.split('/')[0], each.bbox.size, each.results[0].hypothesis.class_id
        grow = 2 * margin if role == 'avoid' else 0.0
        if each.id not in left and not (role == 'destination' and FREE.search(phrase)):
            add[each.id] = (size.x + grow, size.y + grow, size.z + grow), each.bbox.center
    # ADD moves and resizes what is there by that name already; a size is along the axes of its pose
    gone = [name for name in world if OURS.fullmatch(name) and name not in add and name not in left]
    return [*((name, 'REMOVE', (), Pose()) for name in gone), *((name, 'ADD', *add[name]) for name in add)]


class FocusScene(Node):
    """Keeps the newest regions, and brings MoveIt's scene to them when it is asked to."""

    def __init__(self) -> None:
        super().__init__('focus_scene')
        self.declare_parameter('margin', 0.03, ParameterDescriptor(dynamic_typing=True))    # "0" is no double
        self._flat, self._solid = deque(maxlen=30), deque([Detection3DArray()], maxlen=1)
        self.create_subscription(Detection2DArray, 'focus/regions', lambda got: self._flat.append(got), 5)
        self.create_subscription(Detection3DArray, 'focus/regions_3d', lambda got: self._solid.append(got), 5)
        group = rclpy.callback_groups.ReentrantCallbackGroup()  # answers come while an update waits
        self._get = self.create_client(GetPlanningScene, 'get_planning_scene', callback_group=group)
        self._apply = self.create_client(ApplyPlanningScene, 'apply_planning_scene', callback_group=group)
        self.create_service(Trigger, 'update_planning_scene', self._update)

    async def _update(self, _request, response):
        regions, margin, parts = self._solid[-1], self.get_parameter('margin').value, PlanningSceneComponents
        if (self.get_clock().now() - Time.from_msg(regions.header.stamp)).nanoseconds > MAX_AGE * 1e9:
            response.message = 'no new focus/regions_3d: /diagnostics tells what is missing'
        elif not (self._get.service_is_ready() and self._apply.service_is_ready()):
            response.message = f'no service {self._get.srv_name}: is move_group running?'
        else:
            asked = parts(components=parts.WORLD_OBJECT_NAMES | parts.ROBOT_STATE_ATTACHED_OBJECTS)
            now = (await self._get.call_async(GetPlanningScene.Request(components=asked))).scene
            held = {each.object.id for each in now.robot_state.attached_collision_objects}
            flat = next((each for each in self._flat if each.header.stamp == regions.header.stamp), regions)
            seen = {each.id for each in flat.detections if each.id.startswith('avoid/')}
            bare = seen - {each.id for each in regions.detections}      # better its last box than none
            told = changes(regions, [each.id for each in now.world.collision_objects], held | bare, margin)
            scene = PlanningScene(is_diff=True)
            scene.robot_state.is_diff = True    # else MoveIt complains of a robot without joints
            scene.world.collision_objects = [CollisionObject(
                header=regions.header, id=name, operation=getattr(CollisionObject, operation), pose=pose,
                primitives=[SolidPrimitive(type=SolidPrimitive.BOX, dimensions=size)],
                primitive_poses=[Pose()]) for name, operation, size, pose in told]
            applied = (await self._apply.call_async(ApplyPlanningScene.Request(scene=scene))).success
            response.success = applied and not bare
            response.message = ', '.join(f'{operation} {name}' for name, operation, *_ in told) + (
                f'; seen without depth, so not placed: {", ".join(sorted(bare))}' if bare else '') + (
                '' if applied else f'; refused: does MoveIt know frame {regions.header.frame_id!r}?')
        return response


if __name__ == '__main__':
    ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter).parse_known_args()
    if CollisionObject is None:
        raise SystemExit('moveit_msgs is not installed: sudo apt install ros-$ROS_DISTRO-moveit-msgs')
    rclpy.init()
    try:
        rclpy.spin(FocusScene())
    except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        rclpy.try_shutdown()
