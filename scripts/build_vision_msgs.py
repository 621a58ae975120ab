"""Build vision_msgs into the virtual environment that runs this script.

There is no wheel of vision_msgs, so `interfaces/vision_msgs` is built with the rosidl generators that do
come as wheels.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy

SOURCE = Path(__file__).resolve().parents[1] / 'interfaces' / 'vision_msgs'
# the wheels' CMake files name the headers of the machine that the wheels were built on
FOREIGN_PYTHON = re.compile(r'/opt/python/cp\d+-cp\d+/include/python[\d.]+')
FOREIGN_NUMPY = re.compile(r'/opt/python/cp\d+-cp\d+/lib/python[\d.]+/site-packages/numpy/_?core/include')


def point_at_own_headers(prefix: Path) -> int:
    """Replace the headers' folders in the exported targets under `prefix`; return how many files changed."""
    changed = 0
    for path in prefix.glob('share/*/cmake/*rosidl_generator_pyExport.cmake'):
        text = path.read_text()
        own = FOREIGN_NUMPY.sub(numpy.get_include(), FOREIGN_PYTHON.sub(sysconfig.get_path('include'), text))
        if own != text:
            path.write_text(own)
            changed += 1
    return changed


def build(prefix: Path) -> None:
    """Configure, build and install vision_msgs under `prefix`.

    :raises subprocess.CalledProcessError: a step failed; its `stdout` says why.
    """
    site_packages = Path(sysconfig.get_path('purelib')).relative_to(prefix)
    environment = dict(os.environ, PATH=f'{prefix / "bin"}{os.pathsep}{os.environ["PATH"]}')
    # another ROS installation's packages must not mix with the wheels'
    for name in ('AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH', 'COLCON_PREFIX_PATH'):
        environment.pop(name, None)
    with tempfile.TemporaryDirectory(prefix='vision_msgs-') as folder:
        steps = [
            ['cmake', '-S', str(SOURCE), '-B', folder,
             f'-DCMAKE_INSTALL_PREFIX={prefix}', f'-DCMAKE_PREFIX_PATH={prefix}',
             f'-DPYTHON_INSTALL_DIR={site_packages}', f'-DPython3_EXECUTABLE={sys.executable}',
             '-DCMAKE_BUILD_TYPE=Release', '-DCMAKE_INSTALL_RPATH=$ORIGIN', '-DBUILD_TESTING=OFF'],
            ['cmake', '--build', folder, '--parallel', str(os.cpu_count() or 1)],
            ['cmake', '--install', folder],
        ]
        for step in steps:
            subprocess.run(step, check=True, env=environment, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main() -> int:
    """Build into this interpreter's environment; print what CMake said only when it failed."""
    prefix = Path(sys.prefix)
    point_at_own_headers(prefix)
    try:
        build(prefix)
    except subprocess.CalledProcessError as error:
        print(error.stdout, file=sys.stderr)
        print(f'vision_msgs could not be built: status {error.returncode} of {" ".join(error.cmd[:3])} ...',
              file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
