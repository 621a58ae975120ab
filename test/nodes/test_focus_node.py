"""focus_node at work: regions and depth in, things in space out; what is bad is refused in clear words."""

import os
from array import array
from dataclasses import replace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import PointCloud2, RegionOfInterest
from stack import Stack
from std_msgs.msg import Header
from tabletop_bench import BLOCK, FOCAL, FRAME, HEIGHT, WIDTH, Bench
from visualization_msgs.msg import Marker

from vla_attention.focus import FocusRegion
from vla_attention.focus.pose import rotation
from vla_attention.ros.clouds import GREY, read_cloud
from vla_attention.ros.focus_node import _current
from vla_attention.ros.messages import read_array, write_image, write_jpeg


@pytest.fixture(scope='module')
def bench(shared_graph):
    return Bench(shared_graph)


@pytest.mark.parametrize('encoding', ['32FC1', '16UC1'])
def test_boxes_are_where_the_things_are(bench, encoding):
    message, header = bench.answer('focus/regions_3d', encoding=encoding)
    assert message.header == header
    assert [(each.id, each.results[0].hypothesis.class_id) for each in message.detections] == [
        ('target/7', 'red cup'), ('destination/8', 'on the block'), ('avoid/9', 'knife')]
    for index, detection in enumerate(message.detections):
        assert detection.header == header
        box = detection.bbox
        center = [box.center.position.x, box.center.position.y, box.center.position.z]
        np.testing.assert_allclose(center, bench.scene.center(index), atol=0.012)
        size = [box.size.x, box.size.y, box.size.z]
        np.testing.assert_allclose(size, bench.scene.things[index].size, atol=0.012)
    turn = message.detections[1].bbox.center.orientation
    along = rotation(np.array([turn.x, turn.y, turn.z, turn.w]))[:, 0]
    assert abs(along @ bench.scene.axes(1)[:, 0]) > np.cos(np.radians(8))


def test_the_cloud_is_dense_coloured_and_on_the_thing(bench):
    def coloured():
        message, header = bench.answer('focus/target/points')
        points, colors = read_cloud(message)
        return (message, header, points, colors) if (colors != GREY).all() else None
    message, header, points, colors = bench.graph.wait(coloured)    # colour is taken once points are
    assert message.header == header and message.is_dense and message.height == 1
    assert np.isfinite(points).all() and len(points) > 300
    assert (colors == (200, 30, 10)).all()
    columns = np.round(points[:, 0] / points[:, 2] * FOCAL + (WIDTH - 1) / 2).astype(int)
    rows = np.round(points[:, 1] / points[:, 2] * FOCAL + (HEIGHT - 1) / 2).astype(int)
    assert (bench.scene.instances[rows, columns] == 2).mean() > 0.95


def test_the_pose_approaches_against_the_table(bench):
    message, header = bench.answer('focus/target/pose')
    assert message.header == header
    turn = message.pose.orientation
    axes = rotation(np.array([turn.x, turn.y, turn.z, turn.w]))
    down = bench.scene.rotation @ np.array([0, 0, -1])
    assert axes[:, 2] @ down > np.cos(np.radians(5))
    place, _ = bench.answer('focus/destination/pose')
    np.testing.assert_allclose([place.pose.position.x, place.pose.position.y, place.pose.position.z],
                               bench.scene.center(1), atol=0.012)


def test_the_pose_is_at_the_very_place_of_its_detection(bench):
    pose, header = bench.answer('focus/target/pose')
    boxes = bench.graph.wait(lambda: next((each for each in bench.got['focus/regions_3d']
                                           if each.header == header), None))
    place = pose.pose.position
    assert [each.id for each in boxes.detections if each.bbox.center.position == place] == ['target/7']


def test_masked_depth_comes_with_its_camera(bench):
    message, header = bench.answer('focus/target/depth')
    info, _ = bench.answer('focus/target/camera_info')
    depth = read_array(message)
    assert message.header == header and message.encoding == '32FC1' and depth.shape == (HEIGHT, WIDTH)
    shown = np.isfinite(depth)
    assert shown.sum() > 300 and (bench.scene.instances[shown] == 2).mean() > 0.9
    assert (info.header.frame_id, info.width, info.k[0]) == (FRAME, WIDTH, FOCAL)


def test_markers_show_boxes_labels_and_the_way(bench):
    message, header = bench.answer('focus/markers')
    assert message.markers[0].action == Marker.DELETEALL
    kinds = {each.ns: each for each in message.markers[1:]}
    assert set(kinds) == {'target/box', 'target/label', 'destination/box', 'destination/label', 'avoid/box',
                          'avoid/label', 'arrow'}
    assert all(each.header == header for each in message.markers)
    red = kinds['avoid/box'].color
    assert red.r > 0.9 and red.g < 0.2 and kinds['avoid/label'].text == 'avoid: knife'
    assert len(kinds['arrow'].points) == 2


def test_markers_are_taken_away_where_no_more_answers_come(graph):
    bench = Bench(graph, ('focus/markers',), depth_timeout=0.5)

    def taken_away():
        messages = bench.messages()
        del messages['depth']
        bench.send(messages)
        graph.spin(0.1)
        return bench.got['focus/markers'] and len(bench.got['focus/markers'][-1].markers) == 1
    assert len(bench.answer('focus/markers')[0].markers) > 1
    graph.wait(taken_away)
    assert len(bench.answer('focus/markers')[0].markers) > 1
    assert graph.transition('focus_node', 4)        # deactivate
    graph.wait(lambda: len(bench.got['focus/markers'][-1].markers) == 1)
    assert graph.transition('focus_node', 3)        # activate
    assert len(bench.answer('focus/markers')[0].markers) > 1
    assert bench.process.stop() == 0, bench.process.log     # when nothing can be published any more


def test_nothing_in_view_is_said_too(bench):
    def empty(messages):
        messages['focus/regions'].detections = []
    assert bench.answer('focus/regions_3d', empty)[0].detections == []
    cloud, _ = bench.answer('focus/target/points', empty)
    assert cloud.width == 0 and [field.name for field in cloud.fields][:3] == ['x', 'y', 'z']


def test_depth_a_little_late_and_no_colour(bench):
    def change(messages):
        del messages['image']
        stamp = messages['depth'].header.stamp
        later = Time(sec=stamp.sec, nanosec=stamp.nanosec + 1000)
        messages['depth'].header = Header(frame_id=FRAME, stamp=later)
    message, header = bench.answer('focus/regions_3d', change)
    assert message.header == header and len(message.detections) == 3


def shrink(messages):
    messages['depth'] = write_image(np.ones((120, 160), np.float32), '32FC1', messages['depth'].header)


def other_frame(messages):
    messages['depth'].header = Header(stamp=messages['depth'].header.stamp, frame_id='depth_optical_frame')


def without_focal_length(messages):
    messages['camera_info'].k = [0.0] * 9


def of_another_size(messages):
    messages['camera_info'].width = 1280


def of_the_depth_camera(messages):
    messages['camera_info'].header = Header(frame_id='camera_depth_optical_frame')


def as_colour(messages):
    messages['depth'].encoding = 'rgb8'


def cut_short(messages):
    messages['depth'].data = array('B', bytes(100))


def from_the_past(messages):
    stamp = messages['depth'].header.stamp
    messages['depth'].header = Header(frame_id=FRAME, stamp=Time(sec=stamp.sec - 100, nanosec=stamp.nanosec))


def without_number(messages):
    messages['focus/regions'].detections[0].id = 'cup'


@pytest.mark.parametrize('change, words', [
    (shrink, 'depth is 160x120, the image 320x240: remap `depth`'),
    (other_frame, "depth is in frame 'depth_optical_frame', the image in 'camera_color_optical_frame'"),
    (without_focal_length, 'camera_info: intrinsics: the focal length fx is 0.0'),
    (of_another_size, 'camera_info is of 1280x240 pixels'),
    (of_the_depth_camera, "camera_info is in frame 'camera_depth_optical_frame', the image in "
     "'camera_color_optical_frame': remap `camera_info`"),
    (as_colour, 'depth: '),
    (cut_short, 'depth: data has 100 bytes'),
    (from_the_past, '/depth does not fit the image in time: the nearest stamp is 9'),
    (without_number, "detections[0].id is 'cup'")])
def test_bad_input_is_refused_with_one_clear_word(bench, change, words):
    status = bench.complaint(words, change)
    assert status.level != b'\0'
    if change is from_the_past:     # what belongs to no image is never worked on
        assert bench.answered(change) == 0
    else:       # not silence: whoever keeps the last answer would act on it
        assert bench.answer('focus/regions_3d', change)[0].detections == []
        assert bench.answer('focus/target/points', change)[0].width == 0
    assert bench.process.popen.poll() is None
    assert bench.answer('focus/regions_3d')[0].detections       # and it works again


def test_depth_without_a_reading_leaves_2d_and_says_why(bench):
    def nothing(messages):
        zeros = np.zeros((HEIGHT, WIDTH), np.float32)
        messages['depth'] = write_image(zeros, '32FC1', messages['depth'].header)
    bench.complaint('target/7 (red cup) stays in 2-D: 0 of', nothing)
    assert bench.answer('focus/regions_3d', nothing)[0].detections == []
    assert bench.answer('focus/target/points', nothing)[0].width == 0


def test_a_thing_of_one_pixel_stays_in_2d_and_the_others_are_answered(bench):
    def one_pixel(messages):
        labels = read_array(messages['focus/labels']).copy()
        row, column = np.argwhere(labels == 1)[0]
        labels[labels == 1] = 0
        labels[row, column] = 1
        messages['focus/labels'] = write_image(labels, 'mono16', messages['focus/labels'].header)
    bench.complaint('target/7 (red cup) stays in 2-D: 1 of 1 pixels have a depth reading; 30 are needed',
                    one_pixel)
    ids = [each.id for each in bench.answer('focus/regions_3d', one_pixel)[0].detections]
    assert ids == ['destination/8', 'avoid/9']


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_boxes_are_the_same_whoever_takes_points(graph, transport):
    bench = Bench(graph, ('focus/regions_3d',), image_transport=transport)
    bench.regions = [bench.region(1, 'target', 'block', 1)]
    half = bench.regions[0].mask.copy()
    half[:, :int(bench.regions[0].point[0])] = 0
    bench.regions = [replace(bench.regions[0], mask=half)]
    pixels = np.full((HEIGHT, WIDTH, 3), (180, 170, 160), np.uint8)
    pixels[bench.scene.instances == 3] = (30, 60, 200)

    def paint(messages):        # colour tells that the block goes on beyond the half that the outline has
        header = messages.pop('image').header
        regions = messages.pop('focus/regions')
        messages |= ({'image': write_image(pixels, 'rgb8', header)} if transport == 'raw' else
                     {'image/compressed': write_jpeg(pixels, header, quality=95)})
        messages['focus/regions'] = regions     # comes last, as of attention_node

    def size():
        return [[each.bbox.size.x, each.bbox.size.y, each.bbox.size.z]
                for each in bench.answer('focus/regions_3d', paint)[0].detections]
    alone = size()
    np.testing.assert_allclose(alone, [BLOCK.size], atol=0.012)     # the very first has colour
    bench.got['focus/target/points'] = graph.collect(PointCloud2, 'focus/target/points')
    cloud, _ = bench.answer('focus/target/points', paint)
    colors = read_cloud(cloud)[1]
    np.testing.assert_allclose(np.median(colors, axis=0), (30, 60, 200), atol=4)
    np.testing.assert_allclose(size(), alone, atol=1e-4)


def test_stamps_that_start_over_do_not_silence_it(bench):
    bench.answer('focus/regions_3d')
    bench.nanoseconds -= 3600 * 10 ** 9
    assert bench.answer('focus/regions_3d')[0].detections


TF2 = """
import types

class TransformException(Exception):
    pass

class ExtrapolationException(TransformException):
    pass

class TransformListener:
    def __init__(self, buffer, node):
        pass

    def unregister(self):
        pass

class Buffer:
    def get_latest_common_time(self, target, source):
        raise TransformException('not asked for here')

    def lookup_transform(self, target, source, time):
        if target != 'base_link':
            raise TransformException(f'"{target}" does not exist')
        assert source == 'camera_color_optical_frame' and time.nanoseconds > 10 ** 18
        turn = types.SimpleNamespace(x=1.0, y=0.0, z=0.0, w=0.0)
        move = types.SimpleNamespace(x=0.5, y=0.0, z=1.0)
        return types.SimpleNamespace(transform=types.SimpleNamespace(rotation=turn, translation=move))
"""


def test_another_frame_through_tf2_or_the_camera_frame(graph, tmp_path, monkeypatch):
    (tmp_path / 'tf2_ros.py').write_text(TF2)      # test_target_frame.py has the real one, where it is
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    bench = Bench(graph, target_frame='base_link', forked=False)
    message, header = bench.answer('focus/regions_3d')
    assert (message.header.frame_id, message.header.stamp) == ('base_link', header.stamp)
    place = message.detections[0].bbox.center.position
    expected = np.diag([1, -1, -1]) @ bench.scene.center(0) + [0.5, 0, 1]      # half a turn about x
    np.testing.assert_allclose([place.x, place.y, place.z], expected, atol=0.012)
    cloud, _ = bench.answer('focus/target/points')
    np.testing.assert_allclose(read_cloud(cloud)[0].mean(axis=0), expected, atol=0.06)
    assert bench.answer('focus/target/depth')[0].header.frame_id == FRAME

    request = SetParameters.Request(parameters=[Parameter(name='target_frame', value=ParameterValue(
        type=ParameterType.PARAMETER_STRING, string_value='nowhere'))])
    assert graph.call(SetParameters, 'focus_node/set_parameters', request).results[0].successful
    bench.complaint('"nowhere" does not exist; everything stays in', lambda messages: None)
    assert bench.answer('focus/regions_3d')[0].header.frame_id == FRAME


def test_without_camera_info_it_says_so(graph):
    bench = Bench(graph)
    bench.complaint('no camera_info on /camera_info yet', lambda messages: messages.pop('camera_info'))
    assert not any(message.detections for message in bench.got['focus/regions_3d'])


def test_nothing_is_taken_while_nobody_takes_what_comes_of_it(graph):
    stack = Stack(graph)
    graph.start('focus_node')
    graph.wait(lambda: stack.state('focus_node') == 'active')
    assert stack.status('focus_node')['watched'].startswith('no')
    assert not graph.node.count_subscribers('depth')
    taken = graph.node.create_subscription(PointCloud2, 'focus/target/points', print, 1)
    graph.wait(lambda: graph.node.count_subscribers('depth'))
    graph.wait(lambda: stack.status('focus_node')['watched'] == 'yes')
    assert graph.transition('focus_node', 4)
    graph.wait(lambda: stack.status('focus_node')['watched'].startswith('no'))
    assert graph.transition('focus_node', 3)
    graph.wait(lambda: graph.node.count_subscribers('depth'))
    graph.node.destroy_subscription(taken)
    graph.wait(lambda: not graph.node.count_subscribers('depth'))


def test_a_region_that_the_mask_only_touches_is_not_handed_over():
    shown = np.zeros((20, 20), np.uint8)
    shown[:, 10:] = 255
    beside = np.zeros_like(shown)
    beside[:, :11] = 255
    regions = [FocusRegion('target', 'plate', 0.9, (0, 0, 11, 20), (5.0, 10.0), beside),
               FocusRegion('target', 'apple', 0.4, (10, 0, 20, 20), (15.0, 10.0), shown)]
    assert _current(regions, 'target', {'focus/target/mask': write_image(shown, 'mono8', Header())}) == 1
    assert _current(regions, 'target', {}) == 0


def of_a_part(messages):
    info = messages['camera_info']      # of 1600x1200; the image shows 640x480 of it, two by two
    info.width, info.height, info.binning_x, info.binning_y = 1600, 1200, 2, 2
    info.roi = RegionOfInterest(x_offset=300, y_offset=200, width=2 * WIDTH, height=2 * HEIGHT)
    info.k = [2 * FOCAL, 0.0, 300.0 + WIDTH - 1, 0.0, 2 * FOCAL, 200.0 + HEIGHT - 1, 0.0, 0.0, 1.0]


def without_a_frame(messages):
    messages['camera_info'].header = Header()


@pytest.mark.parametrize('change', [of_a_part, without_a_frame])
def test_what_camera_info_may_say_as_well(bench, change):
    center = bench.answer('focus/regions_3d', change)[0].detections[1].bbox.center.position
    np.testing.assert_allclose([center.x, center.y, center.z], bench.scene.center(1), atol=0.012)


@pytest.mark.parametrize(('d', 'rectified', 'said'), [
    ([-0.3, 0.1, 0.0, 0.0, 0.0], False, '3-D takes that into account'),
    ([-0.3, 0.1, 0.0, 0.0, 0.0], True, ''),
    ([0.1] * 3, False, 'd is [0.1, 0.1, 0.1]')], ids=['raw', 'rectified', 'unreadable'])
def test_a_lens_that_bends_is_told_unless_that_is_done(graph, d, rectified, said):
    bench = Bench(graph, rectified=rectified)

    def bent(messages):
        messages['camera_info'].d = d
        messages['camera_info'].distortion_model = 'plumb_bob'
    bench.answer('focus/regions_3d', bent)
    assert said in bench.process.log and ('the lens' in bench.process.log) is bool(said)
