"""What the tests of focus_node share: a table in front of a camera, and what is found on it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray
from visualization_msgs.msg import MarkerArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks._tabletop import Thing, d435, render
from vla_attention.focus import FocusRegion
from vla_attention.ros.detections import draw_labels, write_regions
from vla_attention.ros.messages import write_image

WIDTH, HEIGHT, FOCAL = 320, 240, 307.0
FRAME = 'camera_color_optical_frame'
CUP = Thing('cylinder', np.array([-0.08, 0.0, 0.05]), np.array([0.08, 0.08, 0.1]))
BLOCK = Thing('box', np.array([0.1, 0.05, 0.03]), np.array([0.12, 0.06, 0.06]), 0.5)
KNIFE = Thing('box', np.array([0.05, -0.12, 0.02]), np.array([0.14, 0.03, 0.04]), 0.1)
TOPICS = {'focus/regions_3d': Detection3DArray, 'focus/target/points': PointCloud2,
          'focus/destination/points': PointCloud2, 'focus/target/depth': Image,
          'focus/target/camera_info': CameraInfo, 'focus/target/pose': PoseStamped,
          'focus/destination/pose': PoseStamped, 'focus/markers': MarkerArray}


def stamp(nanoseconds):
    return Time(sec=nanoseconds // 10 ** 9, nanosec=nanoseconds % 10 ** 9)


def header_of(message):
    return message.header if hasattr(message, 'header') else message.markers[0].header


class Bench:
    """A camera and an attention node as the test wants them, and what focus_node says."""

    def __init__(self, graph, topics=tuple(TOPICS), **parameters) -> None:
        self.graph = graph
        self.process = graph.start('focus_node', **parameters)
        self.scene = render((CUP, BLOCK, KNIFE), np.array([0.0, -0.45, 0.5]), FOCAL, (WIDTH, HEIGHT))
        self.depth = d435(self.scene.depth, np.random.default_rng(0), FOCAL)
        self.regions = [self.region(0, 'target', 'red cup', 7),
                        self.region(1, 'destination', 'on the block', 8),
                        self.region(2, 'avoid', 'knife', 9)]
        make = graph.node.create_publisher
        self.publish = {
            'focus/regions': make(Detection2DArray, 'focus/regions', 5), 'depth': make(Image, 'depth', 5),
            'camera_info': make(CameraInfo, 'camera_info', 5), 'image': make(Image, 'image', 5),
            'image/compressed': make(CompressedImage, 'image/compressed', 5),
            'focus/target/mask': make(Image, 'focus/target/mask', 5),
            'focus/destination/mask': make(Image, 'focus/destination/mask', 5),
            'focus/labels': make(Image, 'focus/labels', 5)}
        self.got = {topic: graph.collect(TOPICS[topic], topic) for topic in topics}
        self.diagnostics: list = []
        graph.node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnosed, 20)
        colour = f'image{"/compressed" * (parameters.get("image_transport") == "compressed")}'
        graph.wait(lambda: all(each.get_subscription_count() for topic, each in self.publish.items()
                               if topic == colour or not topic.startswith('image')))
        self.nanoseconds = graph.node.get_clock().now().nanoseconds

    def _diagnosed(self, message):
        self.diagnostics += [each for each in message.status if 'focus' in each.name]

    def region(self, index, role, phrase, track):
        visible = self.scene.instances == 2 + index
        rows, columns = np.nonzero(visible)
        box = (float(columns.min()), float(rows.min()), columns.max() + 1.0, rows.max() + 1.0)
        return FocusRegion(role, phrase, 0.9, box, (float(columns.mean()), float(rows.mean())),
                           visible * np.uint8(255), track)

    def messages(self, encoding='32FC1'):
        """Return one image's messages by topic, all of one new stamp."""
        self.nanoseconds += 33_000_000
        header = Header(stamp=stamp(self.nanoseconds), frame_id=FRAME)
        depth = self.depth if encoding == '32FC1' else (np.nan_to_num(self.depth) * 1000).astype(np.uint16)
        info = CameraInfo(header=header, width=WIDTH, height=HEIGHT)
        info.k = [FOCAL, 0.0, (WIDTH - 1) / 2, 0.0, FOCAL, (HEIGHT - 1) / 2, 0.0, 0.0, 1.0]
        by_role = {role: next((each.mask for each in self.regions if each.role == role),
                              np.zeros((HEIGHT, WIDTH), np.uint8)) for role in ('target', 'destination')}
        return {'camera_info': info,
                'image': write_image(np.full((HEIGHT, WIDTH, 3), (200, 30, 10), np.uint8), 'rgb8', header),
                'depth': write_image(depth, encoding, header),
                'focus/target/mask': write_image(by_role['target'], 'mono8', header),
                'focus/destination/mask': write_image(by_role['destination'], 'mono8', header),
                'focus/labels': write_image(draw_labels(self.regions, (WIDTH, HEIGHT)), 'mono16', header),
                'focus/regions': write_regions(self.regions, header)}

    def send(self, messages):
        for topic, message in messages.items():
            self.publish[topic].publish(message)

    def answer(self, topic, change=None, encoding='32FC1'):
        """Send images until one of them has an answer on the topic; return the answer and its header."""
        sent = {}

        def answered():
            messages = self.messages(encoding)
            if change is not None:
                change(messages)
            header = messages['focus/regions'].header
            sent[header.stamp.sec, header.stamp.nanosec] = header
            self.send(messages)
            return self.graph.wait(answer, 0.1, needed=False)

        def answer():
            for message in self.got[topic]:
                have = header_of(message).stamp
                if (have.sec, have.nanosec) in sent:
                    return message, sent[have.sec, have.nanosec]
            return None
        self.got[topic].clear()
        return self.graph.wait(answered)

    def complaint(self, words, change, encoding='32FC1'):
        """Send bad images until diagnostics say so; return the status."""
        def complained():
            messages = self.messages(encoding)
            change(messages)
            self.send(messages)
            return self.graph.wait(told, 0.1, needed=False)

        def told():
            return next((each for each in reversed(self.diagnostics) if words in each.message), None)
        self.diagnostics.clear()
        return self.graph.wait(complained)

    def answered(self, change):
        """Send a few more bad images; return how many of them are answered."""
        sent = set()
        for _ in range(3):
            messages = self.messages()
            change(messages)
            header = messages['focus/regions'].header
            sent.add((header.stamp.sec, header.stamp.nanosec))
            self.send(messages)
            self.graph.spin(0.15)
        return sum((each.header.stamp.sec, each.header.stamp.nanosec) in sent
                   for each in self.got['focus/regions_3d'])
