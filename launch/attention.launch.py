"""Start the stack: instruction, attention, focus, moments and overlay, and RViz where wanted.

ros2 launch vla_attention attention.launch.py image:=/camera/camera/color/image_raw \
        depth:=/camera/camera/aligned_depth_to_color/image_raw camera_info:=/camera/camera/color/camera_info
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription, Substitution
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.condition import Condition
from launch.conditions import IfCondition, UnlessCondition
from launch.logging import launch_config
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

CONFIG = Path(__file__).resolve().parents[1] / 'config'
NODES = ('instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node')
PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
# what config/attention.rviz shows, by the names that it has without a namespace
SHOWN = ('overlay', 'attention/target', 'focus/markers', 'focus/target/points', 'focus/destination/points',
         'focus/target/pose', 'focus/destination/pose')


def _given(context: LaunchContext, argument: str) -> str:
    return LaunchConfiguration(argument).perform(context)


def _flags(context: LaunchContext, *names: str) -> dict[str, bool]:
    """Return those of the arguments that are given: true or false."""
    return {name: _given(context, name) == 'true' for name in names if _given(context, name)}


def _says(tree: Any, parameter: str) -> bool:
    """Tell whether a params_file, as YAML has it, gives a parameter a value that is not empty."""
    return isinstance(tree, dict) and any(
        bool(value) if name == parameter else _says(value, parameter) for name, value in tree.items())


def _state_directory(context: LaunchContext) -> dict[str, str]:
    """Return the folder that is given; else that of the log, unless params_file names one."""
    folder = _given(context, 'state_directory')
    if not folder:
        with suppress(OSError, yaml.YAMLError):     # the nodes say what is wrong with its text
            if _says(yaml.safe_load(Path(_given(context, 'params_file')).read_bytes()), 'state_directory'):
                return {}
        folder = str(launch_config.log_dir)
    return {'state_directory': folder}


class Overrides(Substitution):
    """A file of the parameters that win over params_file."""

    def describe(self) -> str:
        """Say it in words."""
        return 'the parameters that the launch arguments give'

    def perform(self, context: LaunchContext) -> str:
        """Write it to the folder of the log and return its path."""
        sections: dict[str, dict[str, Any]] = {
            name: _flags(context, 'use_sim_time', 'autostart') for name in NODES}
        sections['instruction_node'].update(_state_directory(context))
        if _given(context, 'backend'):
            sections['attention_node']['backend'] = _given(context, 'backend')
        with NamedTemporaryFile('w', prefix='overrides_', suffix='.yaml', dir=launch_config.log_dir,
                                delete=False) as file:
            # of the sections that fit a node the one named last wins, and no params_file names these
            yaml.safe_dump({f'/**/**/{name}': {'ros__parameters': parameters}
                            for name, parameters in sections.items() if parameters}, file)
        return file.name


class Enclave(Substitution):
    """The SROS 2 enclave of a process."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def describe(self) -> str:
        """Say it in words."""
        return f'the enclave of {self._name}'

    def perform(self, context: LaunchContext) -> str:
        """Return its path: / where none is asked for, as without the option."""
        prefix = _given(context, 'enclave').strip('/')
        return f'/{prefix}/{self._name}' if prefix else '/'


ARGUMENTS = (
    DeclareLaunchArgument('namespace', default_value='', description='Namespace of all nodes and topics.'),
    DeclareLaunchArgument(
        'params_file', default_value=str(CONFIG / 'attention.yaml'),
        description='Parameters of the nodes; copy config/attention.yaml and change it.'),
    DeclareLaunchArgument(
        'use_sim_time', default_value='', choices=['', 'true', 'false'],
        description='Take the time from /clock, as with a simulator or a recording; empty: as params_file '
                    'says.'),
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
        'tf', default_value='/tf',
        description='Topic of the transforms that the parameter target_frame and RViz need; tf, without '
                    "slash: the namespace's own."),
    DeclareLaunchArgument(
        'tf_static', default_value='/tf_static', description='Topic of the transforms that do not change.'),
    DeclareLaunchArgument(
        'backend', default_value='',
        description='What finds phrases in images: embedded, clipseg, owlv2, grounding_dino, siglip or '
                    'remote (a pool, whose remote_url params_file says); empty: as params_file says.'),
    DeclareLaunchArgument(
        'composed', default_value='true', choices=['true', 'false'],
        description='All nodes in one process, where they hand each other images as they are: half of the '
                    'memory, lower latency. false: a process each, so that one that ends takes no other '
                    'with it.'),
    DeclareLaunchArgument(
        'autostart', default_value='', choices=['', 'true', 'false'],
        description='Configure and activate the nodes; false leaves both to a lifecycle manager; empty: as '
                    'params_file says.'),
    DeclareLaunchArgument(
        'respawn', default_value='false', choices=['true', 'false'],
        description='Start a node again 2 s after it has ended; it goes on with the last instruction.'),
    DeclareLaunchArgument(
        'state_directory', default_value='',
        description='Folder where the last instruction outlives a crash of its node; empty: as params_file '
                    'says, or, where that names none, that of the log, which respawned nodes find and the '
                    'next launch does not.'),
    DeclareLaunchArgument(
        'enclave', default_value='',
        description='SROS 2: where the enclaves of the processes lie, like /vla_attention; each has the one '
                    'of its name there (attention_stack, or one for each node with composed:=false); empty: '
                    'all have /.'),
    DeclareLaunchArgument(
        'log_level', default_value='info', choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='What the nodes log, from this level on.'),
    DeclareLaunchArgument(
        'rviz', default_value='false', choices=['true', 'false'],
        description='Open RViz with overlay, attention map, markers, clouds and frames, where it is '
                    'installed.'),
    DeclareLaunchArgument(
        'rviz_frame', default_value='',
        description='Fixed frame of RViz; empty: as config/attention.rviz says, camera_color_optical_frame. '
                    'In a frame whose z points up, untick Invert Z Axis under Views.'),
)
TF = [(f'/{name}', LaunchConfiguration(name)) for name in ('tf', 'tf_static')]


def _node(executable: str, *, condition: Condition, name: str | None = None) -> Node:
    """Describe one process of the stack; without a name its nodes keep their own."""
    image = LaunchConfiguration('image')
    return Node(
        package='vla_attention', executable=executable, name=name, namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('params_file'), Overrides()],
        remappings=[
            ('image', image), ('image/compressed', [image, '/compressed']),
            ('depth', LaunchConfiguration('depth')), ('camera_info', LaunchConfiguration('camera_info')), *TF,
        ],
        ros_arguments=['--log-level', LaunchConfiguration('log_level'), '--enclave', Enclave(executable)],
        respawn=LaunchConfiguration('respawn'), respawn_delay=2.0,
        sigterm_timeout='15',   # seconds: work on the last image may take 10
        output='screen', emulate_tty=True, condition=condition,
    )


def _find_params_file(context: LaunchContext) -> None:
    """Take ~ for the home folder, as no shell does here, and refuse what is no file.

    launch_ros warns of a file that is missing, and starts nodes with parameters that nobody has asked for.
    """
    path = Path(_given(context, 'params_file')).expanduser()
    if not path.is_file():
        raise RuntimeError(f'params_file: {path} is no file')
    context.launch_configurations['params_file'] = str(path)


def _rviz(context: LaunchContext) -> list[Node | LogInfo]:
    """Describe RViz, or say why it does not open: the stack works without."""
    try:
        get_package_prefix('rviz2')
    except PackageNotFoundError:
        return [LogInfo(msg='rviz2 is not installed: the stack starts without RViz')]
    frame, flags = _given(context, 'rviz_frame'), _flags(context, 'use_sim_time')
    return [Node(
        package='rviz2', executable='rviz2', name='rviz2', namespace=LaunchConfiguration('namespace'),
        arguments=['-d', str(CONFIG / 'attention.rviz'), *(['-f', frame] if frame else [])],
        parameters=[LaunchConfiguration('params_file'), *([flags] if flags else [])],
        ros_arguments=['--enclave', Enclave('rviz2')],
        # the configuration names topics absolutely; these bring them into the namespace
        remappings=[*((f'/{topic}', topic) for topic in SHOWN), *TF],
        output='screen',
    )]


def _fastdds_profile() -> list[SetEnvironmentVariable]:
    """Images go through shared memory, unless the user chose how they go."""
    if any(os.environ.get(name) for name in (*PROFILES, 'FASTDDS_BUILTIN_TRANSPORTS')):
        return []
    return [SetEnvironmentVariable(name, str(CONFIG / 'fastdds.xml')) for name in PROFILES]


def generate_launch_description() -> LaunchDescription:
    """Describe the stack."""
    composed = LaunchConfiguration('composed')
    return LaunchDescription([
        *ARGUMENTS,
        OpaqueFunction(function=_find_params_file),
        *_fastdds_profile(),
        *(_node(name, name=name, condition=UnlessCondition(composed)) for name in NODES),
        _node('attention_stack', condition=IfCondition(composed)),
        OpaqueFunction(function=_rviz, condition=IfCondition(LaunchConfiguration('rviz'))),
    ])
