"""Messages that go into bags are the same as those of the nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data

pytest.importorskip('rosbags', reason='the extra [bag] is not installed')
pytest.importorskip('mcap', reason='the extra [bag] is not installed')

from rosbags.typesys import get_types_from_msg

from vla_attention.bag import messages
from vla_attention.focus import FocusRegion

ROOT = Path(__file__).parents[2]
COFFEE = skimage.data.coffee()


def test_the_definitions_are_those_of_the_interface_package():
    store = messages.type_store()
    for path in (ROOT / 'interfaces' / 'vision_msgs' / 'msg').glob('*.msg'):
        name = f'vision_msgs/msg/{path.stem}'
        if name in store.fielddefs:
            assert store.fielddefs[name] == get_types_from_msg(path.read_text(), name)[name]
    assert messages.DETECTIONS in store.fielddefs and messages.DETECTIONS_3D in store.fielddefs


def test_messages_are_field_for_field_those_of_the_nodes():
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    from builtin_interfaces.msg import Time
    from rclpy.serialization import serialize_message
    from std_msgs.msg import Header

    from vla_attention.focus import region_ids
    from vla_attention.ros.clouds import write_regions_3d
    from vla_attention.ros.detections import write_regions
    from vla_attention.ros.messages import write_image, write_jpeg
    stamp = {'sec': 1_700_000_000, 'nanosec': 250_000_000}
    ours = messages.make('std_msgs/msg/Header', frame_id='camera_optical',
                         stamp=messages.make('builtin_interfaces/msg/Time', **stamp))
    theirs = Header(frame_id='camera_optical', stamp=Time(**stamp))
    mask = np.zeros((400, 600), np.uint8)
    regions = [FocusRegion('target', '빨간 컵', 0.75, (10, 20, 30, 60), (20.5, 40), mask, track=3),
               FocusRegion('avoid', 'knife', 0.5, (1, 2, 3, 4), (2, 3), mask,
                           center=np.array([0.1, 0.2, 0.8]), size=np.array([0.05, 0.06, 0.07]),
                           orientation=np.array([0, 0, 0.6, 0.8]))]
    attention = np.random.default_rng(0).random((30, 40), np.float32)
    pairs = [
        (messages.detections(regions, ours), write_regions(regions, theirs)),
        (messages.detections([], ours), write_regions([], theirs)),
        (messages.detections_3d(regions, ours), write_regions_3d(regions, region_ids(regions), theirs)),
        (messages.image(attention, '32FC1', ours), write_image(attention, '32FC1', theirs)),
        (messages.image(COFFEE, 'rgb8', ours), write_image(COFFEE, 'rgb8', theirs)),
        (messages.jpeg(COFFEE, ours), write_jpeg(COFFEE, theirs)),
    ]
    for made, published in pairs:
        # read and written again: what Fast DDS leaves between fields is not defined
        theirs = messages.type_store().deserialize_cdr(serialize_message(published), made.__msgtype__)
        assert messages.serialize(made) == messages.serialize(theirs)
