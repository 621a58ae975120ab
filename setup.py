"""Build the ROS 2 package (ament_python) and the plain Python package alike."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = 'vla_attention'
# the scene generator goes along, for scene_camera and the demo; the rest of training/ stays in the checkout.
# "colcon build --symlink-install" runs this where the folder is not: there it is found in the checkout
SCENES = {f'{NAME}.scenes': 'training/scenes'} if Path('training/scenes').is_dir() else {}


def share(folder):
    """List the files of a folder for the package's share directory."""
    files = [str(path) for path in sorted(Path(folder).iterdir()) if path.is_file()]
    return f'share/{NAME}/{folder}', files


setup(
    name=NAME,
    version='0.1.0',
    packages=[*find_packages('src'), *SCENES],
    package_dir={'': 'src', **SCENES},
    package_data={NAME: ['weights/*', '*/*.yaml', '*/*.msg']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        share('launch'),
        share('config'),
        share('config/sros2'),
    ],
    install_requires=['setuptools'],
    extras_require={
        'test': ['pytest', 'pytest-timeout', 'hypothesis'],
        'hub': ['transformers>=5.20,<6', 'sentencepiece>=0.2'],
        'fast': ['openvino'],
        'serve': ['ray[serve]>=2.40', 'starlette', 'uvicorn'],
        'bag': ['rosbags>=0.10.10', 'mcap>=1.2'],
        'scenes': ['embreex'],
        'training': ['embreex', 'pybullet', 'matplotlib'],
    },
    zip_safe=False,
    maintainer='vla_attention developers',
    maintainer_email='vla-attention@users.noreply.github.com',
    description='Tells the arm where to look: attention maps and focus regions from images and instructions.',
    license='Apache-2.0',
    python_requires='>=3.10',
    entry_points={
        'console_scripts': [
            'vla-attention = vla_attention.cli:main',
            'instruction_node = vla_attention.ros.programs:instruction_node',
            'attention_node = vla_attention.ros.programs:attention_node',
            'focus_node = vla_attention.ros.programs:focus_node',
            'moments_node = vla_attention.ros.programs:moments_node',
            'overlay_node = vla_attention.ros.programs:overlay_node',
            'scene_camera = vla_attention.ros.programs:scene_camera',
            'attention_stack = vla_attention.ros.programs:attention_stack',
        ],
    },
)
