"""A bare rclpy node that publishes each image again as it comes: the least that any Python node takes."""

from __future__ import annotations

import rclpy
from rclpy.executors import ExternalShutdownException
from sensor_msgs.msg import Image

from vla_attention.ros import qos


def main() -> None:
    """Run the node until Ctrl-C."""
    rclpy.init()
    node = rclpy.create_node('echo')
    publisher = node.create_publisher(Image, 'echo', qos.result())
    node.create_subscription(Image, 'image', publisher.publish, qos.sensor())
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
