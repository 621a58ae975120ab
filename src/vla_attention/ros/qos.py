"""Quality of service of every topic, by what the topic carries.

Each function makes a new profile, because rclpy writes ``qos_overrides`` parameters into the one it is given.
"""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions


def sensor() -> QoSProfile:
    """Take the newest one only, best effort: fits every publisher."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT,
                      durability=DurabilityPolicy.VOLATILE)


def stream() -> QoSProfile:
    """Take images: best effort, a few may wait their turn for the executor.

    Not one alone: with a depth of 1 and messages of different sizes from two publishers, Fast DDS of Jazzy
    keeps more memory with every message (`bench soak` shows it), and with 10 it does not.
    """
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT,
                      durability=DurabilityPolicy.VOLATILE)


def camera() -> QoSProfile:
    """Offer images as a camera: reliable, the newest one only. Fits every volatile subscriber."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.VOLATILE)


def result() -> QoSProfile:
    """Give results: reliable, the last five."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.VOLATILE)


def command() -> QoSProfile:
    """Take instructions: reliable, a burst kept whole; volatile, so that ``ros2 topic pub`` matches."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.VOLATILE)


def latched() -> QoSProfile:
    """Keep the last one for late subscribers (transient local)."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)


def overridable() -> QoSOverridingOptions:
    """Let ``qos_overrides`` parameters decide on history, depth and reliability."""
    return QoSOverridingOptions.with_default_policies()
