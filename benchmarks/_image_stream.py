"""The two ends of an image topic, a process each, for the transport benchmark; what they count is printed."""

from __future__ import annotations

import argparse
import json
import time
from array import array

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

PATIENCE = 30.0     # seconds to wait for the other end
SILENCE = 3.0       # seconds without an image after which the stream is over


def send(node: rclpy.node.Node, options: argparse.Namespace, profile: QoSProfile) -> dict[str, object]:
    """Publish at a steady rate once somebody takes it."""
    publisher = node.create_publisher(Image, 'image', profile)
    end = time.monotonic() + PATIENCE
    while not publisher.get_subscription_count() and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.05)
    time.sleep(0.5)     # the other end must have found this one, too
    message = Image(width=options.width, height=options.height, encoding='rgb8', step=3 * options.width,
                    data=array('B', bytes(3 * options.width * options.height)))
    begin = time.monotonic()
    for number in range(options.count):
        time.sleep(max(0.0, begin + number / options.rate - time.monotonic()))
        message.header.frame_id = str(number)
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
    passed = time.monotonic() - begin
    time.sleep(SILENCE / 2)
    return {'sent': options.count, 'rate': options.count / passed}


def take(node: rclpy.node.Node, options: argparse.Namespace, profile: QoSProfile) -> dict[str, object]:
    """Take images until none comes any more."""
    ages: list[float] = []
    last = time.monotonic() + PATIENCE

    def came(message: Image) -> None:
        nonlocal last
        last = time.monotonic()
        ages.append((time.time() - message.header.stamp.sec - message.header.stamp.nanosec * 1e-9) * 1e3)
    node.create_subscription(Image, 'image', came, profile)
    while time.monotonic() < last + SILENCE and len(ages) < options.count:
        rclpy.spin_once(node, timeout_sec=0.1)
    return {'came': len(ages), 'ages': ages}


def main() -> None:
    """Run one end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('end', choices=('send', 'take'))
    parser.add_argument('reliability', choices=('best_effort', 'reliable'))
    for name, value_type in (('width', int), ('height', int), ('count', int), ('rate', float)):
        parser.add_argument(name, type=value_type)
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node(f'image_{options.end}')
    profile = QoSProfile(depth=10, reliability=ReliabilityPolicy[options.reliability.upper()])
    result = (send if options.end == 'send' else take)(node, options, profile)
    print(json.dumps(result))
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
