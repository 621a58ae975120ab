"""Levels of diagnostics by the documented thresholds, when they go out, and what a technician reads there."""

import threading
import time
from types import SimpleNamespace

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.serialization import deserialize_message, serialize_message

from vla_attention.ros import diagnostics, health
from vla_attention.ros.executor import PatientExecutor
from vla_attention.ros.health import ERROR, OK, STALE, WARN, Health, fingerprint


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(health.time, 'monotonic', lambda: now[0])
    return now


@pytest.fixture
def node(clock):
    made = Health('some_node')
    made.expect('image', 'image on /image', timeout=lambda: 3.0, missing='no image on /image yet')
    return made


def values(node):
    return {each.key: each.value for each in node.status().values}


def test_a_stream_is_awaited_then_ok_then_stale(node, clock):
    assert node.status().level == OK
    clock[0] += 3.1
    assert (node.status().level, node.status().message) == (WARN, 'no image on /image yet')
    node.came('image')
    assert (node.status().level, node.status().message) == (OK, 'working')
    clock[0] += 4.0
    assert (node.status().level, node.status().message) == (STALE, 'no image on /image for 4 s')
    assert values(node)['age of image on /image (s)'] == '4.0'


def test_a_problem_is_shown_for_ten_seconds_and_kept_as_the_last_one(node, clock):
    node.came('image')
    node.problem('depth', '/depth: encoding is rgb8; remap `depth`')
    node.problem('error', 'RuntimeError at look:12: out of memory', ERROR)
    status = node.status()
    assert status.level == ERROR and status.message.startswith('RuntimeError') and '/depth' in status.message
    clock[0] += 10.1
    node.came('image')
    assert node.status().level == OK
    assert values(node)['last problem'] == 'RuntimeError at look:12: out of memory'
    assert values(node)['since the last problem (s)'] == '10' and values(node)['problems'] == '2'


def test_a_problem_that_lasts_stays_until_it_is_taken_back(node, clock):
    node.standing('transition', 'cannot configure: no weights', ERROR)
    clock[0] += 100.0
    node.came('image')
    assert node.status().level == ERROR
    node.standing('transition', '')
    assert node.status().level == OK


def test_late_results_are_warned_of_above_the_limit(node, clock):
    node.latency_limit = lambda: 0.2
    for number in range(40):
        clock[0] += 0.1
        node.came('image')
        node.done(0.05 if number % 2 else 0.15)
    assert node.status().level == OK
    assert values(node)['rate (Hz)'] == '10.0' and values(node)['latency p95 (ms)'] == '150.0'
    for _ in range(5):
        node.done(0.31)
    assert node.status().level == WARN and 'results are 310 ms old (p95), latency_limit is 200 ms' in (
        node.status().message)
    node.latency_limit = lambda: 0.0
    assert node.status().level == OK


def test_what_time_alone_will_change_is_known(node, clock):
    before = node.gist()
    assert node.next_change() == pytest.approx(1003.0, abs=0.01)
    clock[0] = node.next_change()
    assert node.gist() != before and node.next_change() == float('inf')
    node.came('image')
    node.problem('depth', 'no depth')
    before, clock[0] = node.gist(), node.next_change()      # the image again, before the problem is over
    assert node.gist() != before and 'no image' in node.status().message
    before, clock[0] = node.gist(), clock[0] + 1.0
    assert node.gist() == before                            # only for how long it has not come is another
    clock[0] = node.next_change()
    assert 'no depth' not in node.status().message


def test_a_change_goes_out_at_once_and_a_flood_of_them_does_not(monkeypatch):
    monkeypatch.setattr(diagnostics, 'PERIOD', 1e6)         # what comes by the second does not come here
    monkeypatch.setattr(diagnostics, 'LEAST', 0.0)
    context = Context()
    rclpy.init(context=context, domain_id=39)
    node, executor = rclpy.create_node('some_node', context=context), PatientExecutor(context=context)
    got = []
    made = Health('some_node')
    sender = diagnostics.Diagnostics(node, made, lambda: None)
    sender._publisher = SimpleNamespace(publish=lambda array: got.append(array.status[0].message))
    executor.add_node(node)

    def told(message):
        end = time.monotonic() + 20
        while got[-1:] != [message] and time.monotonic() < end:
            executor.spin_once(timeout_sec=end - time.monotonic())      # asleep, until the change wakes it
        assert got[-1:] == [message]
        got.clear()
    told('working')
    thread = threading.Thread(target=made.standing, args=('pool', 'the pool is away'))
    thread.start()
    told('the pool is away')
    made.standing('pool', '')
    told('working')
    made.expect('image', 'image on /image', timeout=lambda: 0.01, missing='no image yet')
    told('no image yet')        # though nothing has happened
    made.came('image')
    told('no image on /image for 0 s')
    monkeypatch.setattr(diagnostics, 'LEAST', 1e6)
    for number in range(100):
        made.problem('image', f'step is {number}')
        executor.spin_once(timeout_sec=0)
    assert not got
    sender.close()
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_stamps_of_another_clock_are_no_latency(node):
    node.latency_limit = lambda: 0.2
    node.came('image')
    node.done(1e9)
    assert node.status().level == OK and 'use_sim_time' in values(node)['latency']


def test_a_node_that_is_not_active_says_so_and_is_not_late(node, clock):
    node.latency_limit = lambda: 0.2
    node.done(1.0)
    node.came('image')
    assert node.status().level == WARN
    node.state = 'inactive'
    assert (node.status().level, node.status().message) == (OK, 'inactive: not at work')


def test_of_a_configuration_that_is_gone_only_what_went_wrong_is_told(node):
    node.came('image')
    node.hardware_id = 'remote on http://pool'
    node.fact('answered by', 'the pool')
    node.problem('image', '/image: encoding is rgb9')
    node.standing('backend', 'the pool is away')
    node.standing('transition', 'cannot configure: no weights', ERROR)
    node.forget()
    assert 'the pool is away' not in node.status().message and 'no weights' in node.status().message
    assert 'answered by' not in values(node) and node.status().hardware_id == ''
    assert values(node)['last problem'] == '/image: encoding is rgb9'


def test_the_fingerprint_of_weights_tells_files_apart(tmp_path):
    file = tmp_path / 'a.safetensors'
    file.write_bytes(b'one')
    one = fingerprint(file)
    file.write_bytes(b'two')
    assert one.startswith('a.safetensors, sha256 7692c3ad3540bb80') and fingerprint(file) != one
    assert fingerprint('google/owlv2') == 'google/owlv2'


def test_what_others_say_is_cut_to_what_a_message_carries(node):
    node.fact('backend', 'surrogate \ud800 ' + 'x' * 5000)
    node.problem('pool', 'y' * 5000)
    node.standing('link', 'z' * 5000)
    status = node.status()
    assert len(values(node)['backend']) <= 500 and len(status.message) < 1100
    assert deserialize_message(serialize_message(status), DiagnosticStatus).values == status.values
