"""Images take their memory from what earlier ones left."""

import os
import subprocess
import sys

import pytest

COUNT = '''
import resource
import numpy as np
from vla_attention.ros.memory import keep_image_memory
if {keep}:
    assert keep_image_memory()
def images(count):
    for _ in range(count):
        held = [np.ones(921600, np.uint8) for _ in range(4)]
        del held
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
images(5)
before = faults()
images(50)
print(faults() - before)
'''


def _faults(keep: bool) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith('MALLOC_')}
    ran = subprocess.run([sys.executable, '-c', COUNT.format(keep=keep)], env=environment, check=True,
                         capture_output=True, text=True)
    return int(ran.stdout)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc alone can be told')
def test_pages_of_an_image_are_not_asked_for_again():
    assert _faults(keep=True) * 10 < _faults(keep=False)
