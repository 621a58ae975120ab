"""Which topic of a bag is the camera's, its depth's, and so on."""

from __future__ import annotations

import pytest

pytest.importorskip('rosbags', reason='the extra [bag] is not installed')
pytest.importorskip('mcap', reason='the extra [bag] is not installed')

from vla_attention.bag import messages
from vla_attention.bag.reader import BagError, choose_topics

REALSENSE = {
    '/camera/color/image_raw': messages.IMAGE, '/camera/color/image_raw/compressed': messages.COMPRESSED,
    '/camera/depth/image_rect_raw': messages.IMAGE, '/camera/infra1/image_rect_raw': messages.IMAGE,
    '/camera/aligned_depth_to_color/image_raw': messages.IMAGE,
    '/camera/color/camera_info': messages.CAMERA_INFO, '/camera/depth/camera_info': messages.CAMERA_INFO,
    '/vla/instruction': messages.STRING, '/rosout': 'rcl_interfaces/msg/Log'}


def test_topics_are_chosen_by_type_and_name():
    chosen = choose_topics(REALSENSE, {'depth': '/camera/aligned_depth_to_color/image_raw'}, 'bag')
    assert chosen.image == '/camera/color/image_raw'
    assert chosen.camera_info == '/camera/color/camera_info'
    assert chosen.instruction == '/vla/instruction'
    assert chosen.depth == '/camera/aligned_depth_to_color/image_raw'


@pytest.mark.parametrize(('types', 'named', 'says'), [
    ({'/a/image': messages.IMAGE, '/b/image': messages.IMAGE}, {}, r'2 image topics \(/a/image, /b/image\)'),
    ({'/depth': messages.IMAGE}, {}, 'no image topics'),
    (REALSENSE, {'image': '/other'}, r'no topic /other \(image\)'),
    (REALSENSE, {'image': '/rosout'}, r'/rosout \(image\) is a rcl_interfaces/msg/Log'),
    (REALSENSE, {'depth': '/rosout'}, r'/rosout \(depth\) is a rcl_interfaces/msg/Log'),
    (REALSENSE, {'camera_info': '/camera/color/image_raw'}, r'\(camera_info\) is a sensor_msgs/msg/Image'),
    (REALSENSE, {'instruction': '/rosout'}, r'\(instruction\) is a .* no std_msgs/msg/String'),
])
def test_topics_that_cannot_be_chosen_are_asked_for(types, named, says):
    with pytest.raises(BagError, match=says):
        choose_topics(types, named, 'bag')
