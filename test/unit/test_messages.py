"""Images, multi-arrays and regions to messages and back, and what is refused."""

from array import array
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('sensor_msgs.msg', reason='the ROS 2 messages are not installed')

from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from vla_attention.ros.messages import (
    ImageError,
    read_array,
    read_depth,
    read_floats,
    read_rgb,
    seconds,
    write_floats,
    write_image,
    write_jpeg,
)

ENCODINGS = ['rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16', 'rgb16', 'bgr16', 'bgra16', '8UC1', '8UC3',
             '8UC4', '16UC1', '32FC1', 'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg16', 'yuv422',
             'yuv422_yuy2', 'uyvy', 'yuyv', 'nv12', 'nv21']


def message(pixels, encoding, *, padding=0, big=False, width=None, height=None):
    """Return an image message built by hand, row by row, as a driver would."""
    row = pixels.reshape(pixels.shape[0], -1)
    if big:
        row = row.astype(row.dtype.newbyteorder('>'))
    data = b''.join(line.tobytes() + b'\xee' * padding for line in row)
    return Image(header=Header(frame_id='camera'), height=height or pixels.shape[0],
                 width=width or pixels.shape[1], encoding=encoding, is_bigendian=int(big),
                 step=row.shape[1] * row.itemsize + padding, data=array('B', data))


@pytest.fixture
def rgb():
    return np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8)


@pytest.mark.parametrize('padding', [0, 1, 5, 16])
@pytest.mark.parametrize('encoding, order', [('rgb8', [0, 1, 2]), ('bgr8', [2, 1, 0]), ('8UC3', [2, 1, 0])])
def test_colour_order_and_padding(rgb, encoding, order, padding):
    np.testing.assert_array_equal(read_rgb(message(rgb[..., order], encoding, padding=padding)), rgb)


@pytest.mark.parametrize('encoding, order', [('rgba8', [0, 1, 2]), ('bgra8', [2, 1, 0])])
def test_alpha_is_dropped(rgb, encoding, order):
    alpha = np.full((6, 8, 1), 77, np.uint8)
    sent = message(np.concatenate([rgb[..., order], alpha], axis=2), encoding)
    np.testing.assert_array_equal(read_rgb(sent), rgb)


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('padding', [0, 2, 3])
@pytest.mark.parametrize('dtype, encoding', [(np.uint16, '16UC1'), (np.uint16, 'mono16'),
                                             (np.float32, '32FC1'), (np.float64, '64FC1')])
def test_byte_order_and_padding_of_wide_pixels(dtype, encoding, padding, big):
    pixels = (np.arange(30).reshape(5, 6) * 1234).astype(dtype)
    read = read_array(message(pixels, encoding, padding=padding, big=big))
    np.testing.assert_array_equal(read, pixels)
    assert read.dtype == dtype and read.dtype.isnative


def test_16_bit_colour_keeps_its_upper_bits(rgb):
    wide = rgb.astype(np.uint16) * 256 + 99
    np.testing.assert_array_equal(read_rgb(message(wide, 'rgb16', big=True)), rgb)
    grey = np.repeat(rgb[..., :1], 3, axis=2)
    np.testing.assert_array_equal(read_rgb(message(wide[..., 0], 'mono16')), grey)


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('bits', [8, 16])
def test_bayer_pattern_starts_at_the_origin(pattern, bits):
    colour = {'r': 200, 'g': 120, 'b': 40}
    tile = np.array([[colour[pattern[0]], colour[pattern[1]]], [colour[pattern[2]], colour[pattern[3]]]])
    mosaic = np.tile(tile, (8, 8)).astype(np.uint8 if bits == 8 else np.uint16)
    if bits == 16:
        mosaic *= 256
    read = read_rgb(message(mosaic, f'bayer_{pattern}{bits}'))
    np.testing.assert_array_equal(read[4:-4, 4:-4], np.broadcast_to([200, 120, 40], (8, 8, 3)))


@pytest.mark.parametrize('encoding, order', [
    ('yuv422', 'uyvy'), ('uyvy', 'uyvy'), ('yuv422_yuy2', 'yuyv'), ('yuyv', 'yuyv')])
def test_yuv422(encoding, order):
    y, u, v = 82, 90, 240  # red in ITU-R BT.601 studio range
    four = {'uyvy': [u, y, v, y], 'yuyv': [y, u, y, v]}[order]
    pixels = np.tile(np.array(four, np.uint8).reshape(1, 2, 2), (4, 4, 1))
    read = read_rgb(message(pixels, encoding, padding=4))
    assert read.shape == (4, 8, 3)
    np.testing.assert_allclose(read, np.broadcast_to([255, 0, 0], read.shape), atol=4)


@pytest.mark.parametrize('encoding, chroma', [('nv12', (90, 240)), ('nv21', (240, 90))])
def test_nv12(encoding, chroma):
    planes = np.vstack([np.full((4, 8), 82, np.uint8), np.tile(np.array(chroma, np.uint8), (2, 4))])
    read = read_rgb(message(planes, encoding, height=4))
    np.testing.assert_allclose(read, np.broadcast_to([255, 0, 0], (4, 8, 3)), atol=4)


def test_depth_in_metres_whatever_the_encoding():
    millimetres = np.array([[0, 500], [1500, 65535]], np.uint16)
    expected = np.array([[np.nan, 0.5], [1.5, 65.535]], np.float32)
    np.testing.assert_allclose(read_depth(message(millimetres, '16UC1', big=True)), expected)
    metres = np.array([[np.nan, 0.5], [np.inf, -1]], np.float32)
    np.testing.assert_array_equal(read_depth(message(metres, '32FC1')), [[np.nan, 0.5], [np.nan, np.nan]])


@pytest.mark.parametrize('field, change', [
    ('encoding', {'encoding': 'jpeg'}), ('encoding', {'encoding': ''}), ('encoding', {'encoding': '16UC1'}),
    ('width', {'width': 0}), ('height', {'height': 0}), ('step', {'step': 23}), ('step', {'step': 0}),
    ('data', {'data': array('B', bytes(8 * 6 * 3 - 1))}), ('data', {'data': array('B')}),
    ('data', {'height': 7}), ('data', {'height': 2**32 - 1}), ('step', {'width': 2**32 - 1}),
])
def test_what_does_not_fit_is_refused_by_field_and_value(rgb, field, change):
    sent = message(rgb, 'rgb8')
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(ImageError) as refusal:
        read_rgb(sent)
    value = len(sent.data) if field == 'data' else getattr(sent, field)
    assert field in str(refusal.value) and str(value) in str(refusal.value)


def test_the_last_row_may_lack_its_padding(rgb):
    sent = message(rgb, 'rgb8', padding=8)
    sent.data = sent.data[:-8]
    np.testing.assert_array_equal(read_rgb(sent), rgb)


@settings(max_examples=400, deadline=None)
@given(encoding=st.sampled_from(ENCODINGS) | st.text(max_size=12), width=st.integers(0, 40),
       height=st.integers(0, 40), step=st.integers(0, 400), big=st.integers(0, 255),
       data=st.binary(max_size=3000))
def test_any_fields_give_a_picture_or_a_refusal(encoding, width, height, step, big, data):
    sent = Image(encoding=encoding, width=width, height=height, step=step, is_bigendian=big,
                 data=array('B', data))
    try:
        read = read_rgb(sent)
    except ImageError:
        return
    assert read.shape == (height, width, 3) and read.dtype == np.uint8


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=400), form=st.text(max_size=10))
def test_any_compressed_bytes_give_a_picture_or_a_refusal(data, form):
    with pytest.raises(ImageError, match='data'):
        read_rgb(CompressedImage(format=form, data=array('B', data)))


def test_jpeg_there_and_back():
    ramp = np.tile(np.arange(0, 128, 2, dtype=np.uint8), (48, 1))
    smooth = np.dstack([ramp, ramp, np.full((48, 64), 30, np.uint8)])
    sent = write_jpeg(smooth, Header(frame_id='camera'), quality=95)
    assert sent.header.frame_id == 'camera'
    assert np.abs(read_rgb(sent).astype(int) - smooth).mean() < 3
    assert len(write_jpeg(smooth, Header(), quality=20).data) < len(sent.data)
    sent.data = sent.data[:100]
    with pytest.raises(ImageError, match='data'):
        read_rgb(sent)


def test_a_stamp_in_seconds():
    assert seconds(Header(stamp=Time(sec=1_700_000_000, nanosec=250_000_000))) == 1_700_000_000.25


@pytest.mark.parametrize('dtype, encoding, shape', [
    (np.uint8, 'rgb8', (5, 7, 3)), (np.uint8, 'mono8', (5, 7)), (np.uint16, 'mono16', (5, 7)),
    (np.float32, '32FC1', (5, 7))])
def test_images_there_and_back(dtype, encoding, shape):
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    sent = write_image(pixels[::-1], encoding, Header(frame_id='camera'))  # not contiguous
    assert (sent.height, sent.width, sent.encoding, sent.header.frame_id) == (5, 7, encoding, 'camera')
    assert sent.step * sent.height == len(sent.data)
    np.testing.assert_array_equal(read_array(sent), pixels[::-1])


@pytest.mark.parametrize('shape, encoding', [((5, 7), 'rgb8'), ((5, 7, 3), 'mono8'), ((7,), 'mono8'),
                                             ((5, 7), '32FC1')])
def test_an_array_that_is_no_such_image_is_refused(shape, encoding):
    with pytest.raises(ImageError, match=encoding):
        write_image(np.zeros(shape, np.uint8), encoding, Header())


def test_multi_array_tells_its_dimensions():
    values = np.random.default_rng(0).random((2, 3, 4), np.float32)
    sent = write_floats(values.transpose(1, 0, 2), ('head', 'query', 'key'))
    assert [(dim.label, dim.size, dim.stride) for dim in sent.layout.dim] == [
        ('head', 3, 24), ('query', 2, 8), ('key', 4, 4)]
    np.testing.assert_array_equal(read_floats(sent), values.transpose(1, 0, 2))
    sent.data, sent.layout.data_offset = array('f', [7, 7]) + sent.data, 2
    np.testing.assert_array_equal(read_floats(sent), values.transpose(1, 0, 2))
    sent.layout.dim[0].size = 4
    with pytest.raises(ValueError, match='layout'):
        read_floats(sent)
    with pytest.raises(ValueError, match='labels'):
        write_floats(values, ('head',))


def test_regions_there_and_back():
    pytest.importorskip('vision_msgs.msg', reason='vision_msgs is not installed')
    from vla_attention.focus import FocusRegion
    from vla_attention.ros.detections import draw_labels, read_regions, write_label_info, write_regions

    def region(role, phrase, box, track=-1):
        mask = np.zeros((20, 30), np.uint8)
        mask[box[1]:box[3], box[0]:box[2]] = 255
        point = (box[0] + 1.0, box[1] + 2.0)
        return FocusRegion(role, phrase, 0.75, tuple(map(float, box)), point, mask, track)

    regions = [region('target', '빨간 컵', (2, 3, 12, 9), track=7),
               region('target', '빨간 컵', (10, 3, 20, 9)),
               region('avoid', 'knife', (1, 12, 29, 18))]
    header = Header(frame_id='camera')
    labels = draw_labels(regions, (30, 20))
    sent = write_regions(regions, header)
    assert [detection.id for detection in sent.detections] == ['target/7', 'target/1', 'avoid/0']
    assert all(detection.header == header for detection in sent.detections)
    back = read_regions(sent, labels)
    for have, want in zip(back, regions, strict=True):
        assert (have.role, have.phrase, have.score) == (want.role, want.phrase, want.score)
        assert have.box == want.box and have.point == want.point
    np.testing.assert_array_equal(back[0].mask, regions[0].mask)   # the better one keeps the overlap
    assert back[1].mask[5, 11] == 0 and back[1].mask[5, 15] == 255
    names = {item.class_id: item.class_name for item in write_label_info(regions, header, 0.5).class_map}
    assert names == {1: '빨간 컵', 2: '빨간 컵', 3: 'knife'}
    assert write_label_info(regions, header, 0.25).threshold == 0.25
    assert [region.mask.shape for region in read_regions(sent)] == [(0, 0)] * 3
    for name in ('nonsense', '/3', 'target/', 'target/x'):
        sent.detections[0].id = name
        with pytest.raises(ValueError, match=rf'detections\[0\].id.*{name}'):
            read_regions(sent)
    sent.detections[0].id, sent.detections[0].results = 'target/7', []
    with pytest.raises(ValueError, match=r'detections\[0\].results'):
        read_regions(sent)


def square(role, phrase, box):
    from vla_attention.focus import FocusRegion
    mask = np.zeros((60, 80), np.uint8)
    mask[box[1]:box[3], box[0]:box[2]] = 255
    point = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return FocusRegion(role, phrase, 0.75, tuple(map(float, box)), point, mask)


def sent_and_read(regions):
    pytest.importorskip('vision_msgs.msg', reason='vision_msgs is not installed')
    from vla_attention.ros.detections import draw_labels, read_regions, write_regions
    return read_regions(write_regions(regions, Header()), draw_labels(regions, (80, 60)))


def test_a_thing_that_two_phrases_mean_has_its_outline_twice():
    # "put the cup on the plate, then put the plate in the sink"; boxes are smoothed each by itself
    regions = [square('target', 'cup', (30, 20, 40, 30)), square('target', 'plate', (20, 10, 60, 40)),
               square('destination', 'on the plate', (21, 10, 61, 40))]
    cup, plate, goal = sent_and_read(regions)
    np.testing.assert_array_equal(cup.mask, regions[0].mask)
    for back, region in ((plate, regions[1]), (goal, regions[2])):
        # the cup is seen on it, and each side is a column off
        assert np.count_nonzero(back.mask != region.mask) <= 100 + 2 * 30


def test_what_comes_after_a_thing_that_is_there_twice_keeps_its_own_outline():
    regions = [square('target', 'plate', (20, 10, 60, 40)), square('destination', 'plate', (20, 10, 60, 40)),
               square('avoid', 'knife', (2, 44, 30, 50))]
    for back, region in zip(sent_and_read(regions), regions, strict=True):
        np.testing.assert_array_equal(back.mask, region.mask)


def test_what_must_not_be_touched_is_seen_on_what_is_taken():
    regions = [square('target', 'plate', (10, 10, 70, 50)), square('avoid', 'knife', (30, 20, 50, 26))]
    plate, knife = sent_and_read(regions)
    np.testing.assert_array_equal(knife.mask, regions[1].mask)
    assert np.count_nonzero(plate.mask) == 60 * 40 - 20 * 6


def test_points_and_colours_there_and_back():
    pytest.importorskip('visualization_msgs.msg', reason='visualization_msgs is not installed')
    from sensor_msgs.msg import PointField

    from vla_attention.ros.clouds import GREY, read_cloud, write_cloud
    points = np.arange(9, dtype=np.float32).reshape(3, 3) / 4
    colours = np.array([[255, 10, 20], [30, 40, 50], [0, 0, 255]], np.uint8)
    sent = write_cloud(points, colours, Header(frame_id='camera'))
    assert (sent.width, sent.height, sent.point_step, sent.row_step) == (3, 1, 16, 48)
    assert {field.name: field.offset for field in sent.fields} == {'x': 0, 'y': 4, 'z': 8, 'rgb': 12}
    assert bytes(sent.data[12:16]) == bytes([20, 10, 255, 0])       # as PCL packs it: blue first
    for have, want in zip(read_cloud(sent), (points, colours), strict=True):
        np.testing.assert_array_equal(have, want)
    np.testing.assert_array_equal(read_cloud(write_cloud(points, None, Header()))[1], GREY.repeat(3, axis=0))
    swapped = write_cloud(points, colours, Header())
    swapped.data = array('B', np.frombuffer(sent.data, '<u4').astype('>u4').tobytes())
    swapped.is_bigendian = True
    np.testing.assert_array_equal(read_cloud(swapped)[0], points)
    np.testing.assert_array_equal(read_cloud(swapped)[1], colours)
    swapped.height = 2
    with pytest.raises(ValueError, match='data has 48 bytes; 6 points'):
        read_cloud(swapped)
    sent.fields[1].datatype = PointField.FLOAT64
    with pytest.raises(ValueError, match='fields lack y'):
        read_cloud(sent)


def test_markers_stand_at_the_things_and_say_what_they_are():
    pytest.importorskip('visualization_msgs.msg', reason='visualization_msgs is not installed')
    from visualization_msgs.msg import Marker

    from vla_attention.ros.clouds import LETTERS, write_markers
    lying = np.array([0.0, np.sqrt(0.5), 0.0, np.sqrt(0.5)])        # its z axis points along x
    cup, cap, knife = (
        replace(square(role, name, (0, 0, 9, 9)), center=np.array([x, 0.0, 1.0]),
                size=np.array([0.1, 0.2, 0.4]), orientation=lying)
        for role, name, x in (('target', 'cup', 0.0), ('target', 'cap', 0.5), ('avoid', 'knife', 1.0)))
    first, *rest = write_markers([cup, cap, knife], {'target': None, 'destination': None}, Header()).markers
    assert first.action == Marker.DELETEALL
    cubes, labels = rest[::2], rest[1::2]
    assert len({(each.ns, each.id) for each in rest}) == 6       # RViz shows one of each namespace and id
    assert [each.text for each in labels] == ['cup 0.75', 'cap 0.75', 'avoid: knife']
    assert [each.pose.position.x for each in cubes] == [0.0, 0.5, 1.0]
    for cube, label in zip(cubes, labels, strict=True):
        assert label.pose.position.x == pytest.approx(cube.pose.position.x + 0.2 + LETTERS)
        assert (cube.scale.x, cube.scale.y, cube.scale.z) == (0.1, 0.2, 0.4) and 0 < cube.color.a < 1
    assert cubes[0].color.g > cubes[0].color.r and cubes[2].color.r > cubes[2].color.g


def test_the_arrow_goes_from_the_target_to_the_destination_of_the_step():
    pytest.importorskip('visualization_msgs.msg', reason='visualization_msgs is not installed')
    from vla_attention.ros.clouds import write_markers
    names = (('target', 'cup'), ('target', 'plate'), ('destination', 'tray'), ('destination', 'sink'))
    regions = [replace(square(*name, (0, 0, 9, 9)), center=np.array([0.1 * number, 0.0, 1.0]),
                       size=np.full(3, 0.1), orientation=np.array([0.0, 0.0, 0.0, 1.0]))
               for number, name in enumerate(names)]
    regions[2] = replace(regions[2], center=None)       # too little depth

    def arrow(target, destination):
        markers = write_markers(regions, {'target': target, 'destination': destination}, Header()).markers
        return [[round(point.x, 3) for point in each.points] for each in markers if each.ns == 'arrow']

    assert arrow(1, 3) == [[0.1, 0.3]]
    assert arrow(0, 2) == arrow(0, None) == arrow(None, 3) == []
