"""Start the stack: instruction, attention, focus, moments and overlay, and RViz where wanted.

ros2 launch vla_attention attention.launch.py image:=/camera/color/image_raw \
        depth:=/camera/aligned_depth_to_color/image_raw camera_info:=/camera/color/camera_info
"""

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription, Substitution
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.condition import Condition
from launch.conditions import IfCondition
from launch.logging import launch_config
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

CONFIG = Path(__file__).resolve().parents[1] / 'config'
PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
# what config/attention.rviz shows, by the names that it has without a namespace
SHOWN = ('overlay', 'attention/target', 'focus/markers', 'focus/target/points', 'focus/destination/points',
         'focus/target/pose', 'focus/destination/pose')


class LogDirectory(Substitution):
    """The folder of this launch's log (Humble has no LaunchLogDir)."""

    def describe(self) -> str:
        """Say it in words, for --show-args."""
        return "the folder of this launch's log"

    def perform(self, context: LaunchContext) -> str:
        """Return its path."""
        return str(launch_config.log_dir)


ARGUMENTS = (
    DeclareLaunchArgument('namespace', default_value='', description='Namespace of all nodes and topics.'),
    DeclareLaunchArgument(
        'params_file', default_value=str(CONFIG / 'attention.yaml'),
        description='Parameters of the nodes; copy config/attention.yaml and change it.'),
    DeclareLaunchArgument(
        'use_sim_time', default_value='false', choices=['true', 'false'],
        description='Take the time from /clock, as with a simulator or a recording.'),
    DeclareLaunchArgument(
        'image', default_value='image',
        description='Topic of the colour image (sensor_msgs/Image); TOPIC/compressed where the parameter '
                    'image_transport is compressed.'),
    DeclareLaunchArgument(
        'depth', default_value='depth',
        description='Topic of the depth that is registered to the image (16UC1 mm or 32FC1 m).'),
    DeclareLaunchArgument(
        'camera_info', default_value='camera_info',
        description="Topic of the image's sensor_msgs/CameraInfo."),
    DeclareLaunchArgument(
        'backend', default_value='',
        description='What finds phrases in images: embedded, clipseg, owlv2, grounding_dino or siglip; '
                    'empty: as params_file says.'),
    DeclareLaunchArgument(
        'composed', default_value='true', choices=['true', 'false'],
        description='All nodes in one process, where they hand each other images as they are: half of the '
                    'memory, lower latency. false: a process each, so that one that ends takes no other '
                    'with it.'),
    DeclareLaunchArgument(
        'autostart', default_value='true', choices=['true', 'false'],
        description='Configure and activate the nodes; false leaves both to a lifecycle manager. Wins over '
                    'params_file.'),
    DeclareLaunchArgument(
        'respawn', default_value='false', choices=['true', 'false'],
        description='Start a node again 2 s after it has ended; it goes on with the last instruction.'),
    DeclareLaunchArgument(
        'state_directory', default_value=LogDirectory(),
        description='Folder where the last instruction outlives a crash of its node; by default that of the '
                    'log, which respawned nodes find and the next launch does not. Wins over params_file.'),
    DeclareLaunchArgument(
        'log_level', default_value='info', choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='What the nodes log, from this level on.'),
    DeclareLaunchArgument(
        'rviz', default_value='false', choices=['true', 'false'],
        description='Open RViz with overlay, attention map, markers, clouds and frames.'),
)


def _flag(argument: str) -> ParameterValue:
    return ParameterValue(LaunchConfiguration(argument), value_type=bool)


def _is(argument: str, value: str) -> Condition:
    return Condition(predicate=lambda context: LaunchConfiguration(argument).perform(context) == value)


def _is_not(argument: str, value: str) -> Condition:
    return Condition(predicate=lambda context: LaunchConfiguration(argument).perform(context) != value)


def _both(*conditions: Condition) -> Condition:
    return Condition(predicate=lambda context: all(each.evaluate(context) for each in conditions))


def _node(executable: str, *, condition: Condition, name: str | None = None, parameters: tuple = ()) -> Node:
    """Describe one process of the stack; without a name its nodes keep their own."""
    image = LaunchConfiguration('image')
    return Node(
        package='vla_attention', executable=executable, name=name, namespace=LaunchConfiguration('namespace'),
        parameters=[
            LaunchConfiguration('params_file'),
            {'use_sim_time': _flag('use_sim_time'), 'autostart': _flag('autostart')},
            *parameters,
        ],
        remappings=[
            ('image', image), ('image/compressed', [image, '/compressed']),
            ('depth', LaunchConfiguration('depth')), ('camera_info', LaunchConfiguration('camera_info')),
        ],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
        respawn=LaunchConfiguration('respawn'), respawn_delay=2.0,
        sigterm_timeout='15',   # seconds: work on the last image may take 10
        output='screen', emulate_tty=True, condition=condition,
    )


def _with_backend(executable: str, *, condition: Condition, name: str | None = None,
                  parameters: tuple = ()) -> list[Node]:
    """Describe a process twice: with params_file's backend, and with the one that the argument names."""
    backend = {'backend': LaunchConfiguration('backend')}
    default, named = _both(condition, _is('backend', '')), _both(condition, _is_not('backend', ''))
    return [
        _node(executable, name=name, condition=default, parameters=parameters),
        _node(executable, name=name, condition=named, parameters=(*parameters, backend)),
    ]


def _fastdds_profile() -> list[SetEnvironmentVariable]:
    """Images go through shared memory, unless the user chose how they go."""
    if any(os.environ.get(name) for name in (*PROFILES, 'FASTDDS_BUILTIN_TRANSPORTS')):
        return []
    return [SetEnvironmentVariable(name, str(CONFIG / 'fastdds.xml')) for name in PROFILES]


def generate_launch_description() -> LaunchDescription:
    """Describe the stack."""
    separate, composed = _is('composed', 'false'), _is('composed', 'true')
    state = ({'state_directory': ParameterValue(LaunchConfiguration('state_directory'), value_type=str)},)
    return LaunchDescription([
        *ARGUMENTS,
        *_fastdds_profile(),
        _node('instruction_node', name='instruction_node', condition=separate, parameters=state),
        *_with_backend('attention_node', name='attention_node', condition=separate),
        _node('focus_node', name='focus_node', condition=separate),
        _node('moments_node', name='moments_node', condition=separate),
        _node('overlay_node', name='overlay_node', condition=separate),
        *_with_backend('attention_stack', condition=composed, parameters=state),
        Node(
            package='rviz2', executable='rviz2', name='rviz2', namespace=LaunchConfiguration('namespace'),
            arguments=['-d', str(CONFIG / 'attention.rviz')],
            parameters=[{'use_sim_time': _flag('use_sim_time')}],
            # the configuration names topics absolutely; these bring them into the namespace
            remappings=[(f'/{topic}', topic) for topic in SHOWN],
            output='screen', condition=IfCondition(LaunchConfiguration('rviz')),
        ),
    ])
