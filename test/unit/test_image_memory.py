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


LEFT = '''
import numpy as np
from vla_attention.ros import memory
from vla_attention.ros.memory import Leftovers, keep_image_memory
def pages():
    return int(open("/proc/self/statm").read().split()[1])
assert keep_image_memory()
memory.EVERY = {every}
left = Leftovers()
held = [np.ones(921600, np.uint8) for _ in range(100)]
last = np.ones(921600, np.uint8)    # above them on the heap: what is free below is not the heap's end
before = pages()
del held
print(left.give_back(), before - pages())
'''


def _given_back(every: float) -> tuple[str, int]:
    ran = subprocess.run([sys.executable, '-c', LEFT.format(every=every)], check=True, capture_output=True,
                         text=True)
    answer, pages = ran.stdout.split()
    return answer, int(pages)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc alone can be told')
def test_what_a_burst_of_images_left_goes_back_to_the_system_after_a_while():
    assert _given_back(every=60.0) == ('False', 0)
    answer, pages = _given_back(every=0.0)
    assert answer == 'True'
    assert pages * os.sysconf('SC_PAGE_SIZE') > 80 * 921600
