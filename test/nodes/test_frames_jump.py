import types

import pytest

pytest.importorskip('rclpy')

from geometry_msgs.msg import TransformStamped
from rclpy.clock import ROSClock
from rclpy.time import Time
from std_msgs.msg import Header

from vla_attention.ros import frames


class Buffer:
    def __init__(self):
        self.cleared = 0
        self.taken = []

    def clear(self):
        self.cleared += 1

    def set_transform(self, transform, authority):
        self.taken.append(transform.header.stamp.sec)


class Listener:
    def __init__(self, buffer, node):
        self.unregistered = False

    def unregister(self):
        self.unregistered = True


def test_transforms_of_a_bag_that_starts_over_are_forgotten(monkeypatch):
    buffer = Buffer()
    monkeypatch.setattr(frames, 'tf2_ros', types.SimpleNamespace(
        Buffer=lambda: buffer, TransformListener=Listener, TransformException=RuntimeError))
    clock = ROSClock()
    clock._set_ros_time_is_active(True)     # what use_sim_time does
    clock.set_ros_time_override(Time(seconds=100, clock_type=clock.clock_type))
    listening = frames.Frames(types.SimpleNamespace(get_clock=lambda: clock))
    clock.set_ros_time_override(Time(seconds=101, clock_type=clock.clock_type))
    assert buffer.cleared == 0
    clock.set_ros_time_override(Time(seconds=5, clock_type=clock.clock_type))
    assert buffer.cleared == 1
    for seconds in (5, 9, 100, 6):      # one of before the jump comes late
        stamp = Time(seconds=seconds).to_msg()
        listening.set_transform(TransformStamped(header=Header(stamp=stamp)), 'test')
    assert buffer.taken == [5, 9, 6]
    listening.close()
    clock.set_ros_time_override(Time(seconds=1, clock_type=clock.clock_type))
    assert buffer.cleared == 1


def test_in_real_time_clocks_may_differ(monkeypatch):
    buffer = Buffer()
    monkeypatch.setattr(frames, 'tf2_ros', types.SimpleNamespace(
        Buffer=lambda: buffer, TransformListener=Listener, TransformException=RuntimeError))
    clock = ROSClock()
    listening = frames.Frames(types.SimpleNamespace(get_clock=lambda: clock))
    ahead = clock.now().to_msg()
    ahead.sec += 100
    listening.set_transform(TransformStamped(header=Header(stamp=ahead)), 'test')
    assert buffer.taken == [ahead.sec]
    listening.close()


def test_without_tf2_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(frames, 'tf2_ros', None)
    with pytest.raises(frames.FrameError, match='apt install'):
        frames.Frames(types.SimpleNamespace())
