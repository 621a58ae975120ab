"""Start the stack with a camera that plays a photograph, a recording or a generated RGB-D scene.

    ros2 launch vla_attention demo.launch.py instruction:='컵을 집어줘'
    ros2 launch vla_attention demo.launch.py source:=scene
    ros2 launch vla_attention demo.launch.py source:=my_table.jpg instruction:='pick up the mug'

Every argument of attention.launch.py can be given too; use_sim_time, autostart and enclave are the stack's
alone, and source, rate and instruction win over what params_file says of scene_camera.
"""

import os
from pathlib import Path
from typing import List  # noqa: UP035 (launch does not know list[str])

from launch import LaunchContext, LaunchDescription, Substitution
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

HERE = Path(__file__).resolve().parent
FITTING = {'coffee': 'pick up the spoon'}   # what to begin with where no instruction is given
DISPLAY = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')


class Instruction(Substitution):
    """The instruction that is given, or one that fits what the camera shows."""

    def perform(self, context: LaunchContext) -> str:
        """Return it; '' leaves it to the camera."""
        given = LaunchConfiguration('instruction').perform(context)
        return given or FITTING.get(LaunchConfiguration('source').perform(context), '')


ARGUMENTS = (
    DeclareLaunchArgument(
        'source', default_value='coffee',
        description='What the camera shows: coffee (a photograph), scene (a generated RGB-D scene; needs '
                    '"python3 -m pip install embreex"), or the path of a photograph, a video or a folder of '
                    'frames.'),
    DeclareLaunchArgument('rate', default_value='10.0', description='Pictures a second (Hz).'),
    DeclareLaunchArgument(
        'instruction', default_value='',
        description='Instruction in Korean or English to begin with; empty: one that fits coffee or scene, '
                    'and for a path none: wait for one on the topic instruction.'),
    DeclareLaunchArgument(
        'rviz', default_value='true' if DISPLAY else 'false', choices=['true', 'false'],
        description='Open RViz with overlay, attention map, markers, clouds and frames, where it is '
                    'installed; by default where there is a display.'),
)


def _check_rate(context: LaunchContext) -> None:
    """Refuse what is no number before anything is started: launch would end and leave the stack behind."""
    rate = LaunchConfiguration('rate').perform(context)
    try:
        float(rate)
    except ValueError:
        raise RuntimeError(f'rate is {rate!r}; it must be a number (Hz)') from None


def generate_launch_description() -> LaunchDescription:
    """Describe the stack and its camera."""
    image = LaunchConfiguration('image')
    camera = Node(
        package='vla_attention', executable='scene_camera', name='scene_camera',
        namespace=LaunchConfiguration('namespace'),
        parameters=[
            LaunchConfiguration('params_file'),
            {'source': ParameterValue(LaunchConfiguration('source'), value_type=str),
             'rate': ParameterValue(LaunchConfiguration('rate'), value_type=float),
             # as text, whatever YAML would take it for: "pick up: the cup", "yes", nothing
             'instructions': ParameterValue([[Instruction()]], value_type=List[str])},  # noqa: UP006
        ],
        remappings=[
            ('image', image), ('image/compressed', [image, '/compressed']),
            ('depth', LaunchConfiguration('depth')), ('camera_info', LaunchConfiguration('camera_info')),
        ],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
        respawn=LaunchConfiguration('respawn'), respawn_delay=2.0, sigterm_timeout='15',
        output='screen', emulate_tty=True,
    )
    return LaunchDescription([
        *ARGUMENTS,
        OpaqueFunction(function=_check_rate),
        # the included file sees this file's arguments, and sets the environment that the camera needs too
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(HERE / 'attention.launch.py'))),
        camera,
    ])
