"""Instruction and attention node at work: what comes in goes out as promised, with stamp and frame."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters, SetParametersAtomically
from rclpy.duration import Duration
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from stack import Stack, picture
from std_msgs.msg import Float32MultiArray, Header, String
from std_srvs.srv import Trigger
from vision_msgs.msg import LabelInfo

from vla_attention.language import Instruction, Step
from vla_attention.ros.messages import read_array, read_floats, write_jpeg

OVERRIDDEN = 'qos_overrides./attention/words.publisher.reliability'


@pytest.fixture(scope='module')
def stack(shared_graph):
    running = Stack(shared_graph)
    shared_graph.start('instruction_node')
    shared_graph.start('attention_node', '-p', f'{OVERRIDDEN}:=best_effort', presence_threshold=0.0)
    return running


def parameter(name, value):
    """Return a parameter as a message."""
    kinds = {bool: ('bool_value', ParameterType.PARAMETER_BOOL),
             int: ('integer_value', ParameterType.PARAMETER_INTEGER),
             float: ('double_value', ParameterType.PARAMETER_DOUBLE),
             str: ('string_value', ParameterType.PARAMETER_STRING)}
    field, kind = kinds[type(value)]
    return Parameter(name=name, value=ParameterValue(type=kind, **{field: value}))


def set_parameter(graph, node, name, value):
    """Set one parameter; return whether it was taken and why not."""
    request = SetParameters.Request(parameters=[parameter(name, value)])
    result = graph.call(SetParameters, f'{node}/set_parameters', request).results[0]
    return SimpleNamespace(taken=result.successful, reason=result.reason)


def test_without_an_instruction_the_regions_are_empty_not_silent(stack):
    sent, regions = stack.answer(stack.regions)
    assert regions.detections == [] and regions.header == sent.header
    assert 'no instruction yet on /instruction/parsed' in stack.graph.wait(
        lambda: 'attention_node' in stack.diagnostics and stack.status('attention_node')['message'])


@pytest.mark.parametrize('text, language, target', [
    ('빨간 컵을 집어줘', 'ko', '빨간 컵'), ('pick up the red cup', 'en', 'red cup')])
def test_an_instruction_is_parsed_and_looked_for(stack, text, language, target):
    parse = stack.say(text)
    assert (parse['language'], parse['roles']['target']) == (language, [target])
    stack.found()
    stack.regions.clear()
    sent, regions = stack.answer(stack.regions)
    best = regions.detections[0]
    assert regions.header == sent.header and best.header == sent.header
    assert best.id.startswith('target/') and best.id.split('/')[1].isdigit()
    assert best.results[0].hypothesis.class_id == target
    assert 0 <= best.results[0].hypothesis.score <= 1
    assert 0 <= best.bbox.center.position.x <= 320 and 0 < best.bbox.size_x <= 320


def test_a_late_subscriber_still_gets_heads_and_heatmap(stack):
    stack.say('pick up the red cup')
    heads = stack.graph.collect(Float32MultiArray, 'instruction/heads', latched=True)
    drawn = stack.graph.collect(Image, 'instruction/heatmap', latched=True)
    message = stack.graph.wait(lambda: heads)[-1]
    assert [dim.label for dim in message.layout.dim] == ['head', 'query', 'key']
    tokens = json.loads(stack.parsed[-1].data)['tokens']
    values = read_floats(message)
    assert values.shape == (5, len(tokens), len(tokens))
    np.testing.assert_allclose(values.sum(axis=2), 1, atol=1e-4)
    heatmap = stack.graph.wait(lambda: drawn)[-1]
    assert heatmap.encoding == 'rgb8' and np.ptp(read_array(heatmap)) > 100


def test_maps_masks_and_labels_belong_to_the_image(stack):
    stack.say('빨간 컵을 파란 상자 위에 놓아줘')
    graph = stack.graph
    floats = {name: graph.collect(Image, f'attention/{name}')
              for name in ('saliency', 'target', 'destination', 'avoid')}
    masks = {role: graph.collect(Image, f'focus/{role}/mask') for role in ('target', 'destination')}
    labels = graph.collect(Image, 'focus/labels')
    info = graph.collect(LabelInfo, 'focus/label_info', latched=True)
    heads = graph.collect(Float32MultiArray, 'attention/heads')
    everything = (*floats.values(), *masks.values(), labels, heads)
    graph.wait(lambda: stack.send() and graph.spin(0.1) is None and all(everything))
    for name, got in floats.items():
        sent, message = stack.answer(got)
        values = read_array(message)
        assert message.header == sent.header and message.encoding == '32FC1', name
        assert values.shape == read_array(floats['saliency'][-1]).shape and values.ndim == 2
        assert values.min() >= 0 and values.max() <= 1
    assert read_array(floats['avoid'][-1]).max() == 0
    for got in masks.values():
        sent, message = stack.answer(got)
        assert (message.encoding, message.width, message.height) == ('mono8', 320, 240)
        assert set(np.unique(read_array(message))) <= {0, 255}
    sent, message = stack.answer(labels)
    regions = graph.wait(lambda: next((each for each in stack.regions if each.header == sent.header), None))
    values = set(np.unique(read_array(message))) - {0}
    assert message.encoding == 'mono16' and values and max(values) <= len(regions.detections)
    names = {item.class_id: item.class_name for item in info[-1].class_map}
    assert names == {number: detection.results[0].hypothesis.class_id
                     for number, detection in enumerate(regions.detections, 1)}
    assert [dim.label for dim in heads[-1].layout.dim] == ['head', 'phrase', 'row', 'column']
    assert [dim.size for dim in heads[-1].layout.dim][:2] == [4, 2]
    for threshold in (0.4, 0.0):        # what is kept for late subscribers follows the parameter too
        assert set_parameter(graph, 'attention_node', 'presence_threshold', threshold).taken
        graph.wait(lambda: stack.send() and graph.spin(0.1) is None
                   and info[-1].threshold == pytest.approx(threshold), 60.0)    # noqa: B023


def test_images_of_two_sizes_in_a_row(stack):
    stack.say('pick up the red cup')
    masks = stack.graph.collect(Image, 'focus/target/mask')
    for width, height in ((320, 240), (200, 150), (640, 480)):
        masks.clear()
        _, message = stack.answer(masks, picture(width, height))
        assert (message.width, message.height) == (width, height)


def test_the_step_says_which_target_is_shown(stack):
    graph = stack.graph
    stack.say('pick up the red cup')    # once instruction_node is there it takes up nothing any more
    parse = Instruction('take both', steps=(Step('take', 'red cup'), Step('take', 'blue box')))
    publisher = graph.node.create_publisher(String, 'instruction/parsed', stack.latched)
    graph.wait(publisher.get_subscription_count)
    publisher.publish(String(data=json.dumps(parse.to_dict())))
    graph.wait(lambda: 'take both' in stack.status('attention_node').get('instruction', ''))
    maps = graph.collect(Image, 'attention/target')
    shown = {}
    for step in (0, 1, -1):
        assert set_parameter(graph, 'attention_node', 'step', step).taken
        graph.wait(lambda: stack.send() and graph.spin(0.1) is None and maps)
        maps.clear()
        stack.answer(maps)  # one that was in work may still be of the step before
        maps.clear()
        shown[step] = read_array(stack.answer(maps)[1])
    assert np.abs(shown[0] - shown[1]).max() > 0.1
    both = np.maximum(shown[0], shown[1])
    np.testing.assert_allclose(shown[-1], both, atol=0.02)      # presence, over time, moves a little
    assert set_parameter(graph, 'attention_node', 'step', 0).taken
    graph.node.destroy_publisher(publisher)


def test_ground_answers_for_the_next_image(stack):
    stack.say('빨간 컵을 집어줘')
    graph = stack.graph
    client = graph.node.create_client(Trigger, 'ground')
    graph.wait(client.service_is_ready)
    before = graph.node.get_clock().now().nanoseconds
    asked = client.call_async(Trigger.Request())
    graph.spin(0.3)
    assert not asked.done()  # no image has come since
    graph.wait(lambda: stack.send() and graph.spin(0.1) is None and asked.done())
    answer = json.loads(asked.result().message)
    assert asked.result().success and answer['stamp'] * 1e9 >= before - 1e3
    assert answer['instruction'] == '빨간 컵을 집어줘' and answer['frame_id'] == 'some_camera'
    assert answer['target'][0]['phrase'] == '빨간 컵' and len(answer['target'][0]['box']) == 4


def test_ground_says_why_there_is_no_answer(stack):
    graph = stack.graph
    assert set_parameter(graph, 'attention_node', 'ground_timeout', 0.2).taken
    assert set_parameter(graph, 'attention_node', 'image_timeout', 0.1).taken
    answer = graph.call(Trigger, 'ground')
    assert not answer.success and 'no image on /image' in answer.message
    assert set_parameter(graph, 'attention_node', 'ground_timeout', 5.0).taken
    assert set_parameter(graph, 'attention_node', 'image_timeout', 3.0).taken


def test_ground_goes_by_an_image_that_cannot_be_looked_at(stack):
    graph = stack.graph
    stack.say('빨간 컵을 집어줘')
    stack.found()
    assert set_parameter(graph, 'attention_node', 'ground_timeout', 60.0).taken
    client = graph.node.create_client(Trigger, 'ground')
    graph.wait(client.service_is_ready)
    asked = client.call_async(Trigger.Request())

    def failed():
        stack.send(np.zeros((16, 16, 3), np.uint8))
        graph.spin(0.1)
        said = stack.complaint('attention_node')
        return 'image: image must be at least 32 pixels' in said and 'is left out' in said
    graph.wait(failed)
    assert not asked.done()
    graph.wait(lambda: stack.send() and graph.spin(0.1) is None and asked.done(), 60.0)
    assert asked.result().success
    assert set_parameter(graph, 'attention_node', 'ground_timeout', 5.0).taken


@pytest.mark.parametrize('name, value, said', [
    ('presence_threshold', 1.5, ('presence_threshold', '1.5')), ('max_regions', 0, ('max_regions', '0')),
    ('image_transport', 'theora', ('image_transport', 'theora', 'raw, compressed')),
    ('backend', 'clipseg', ('backend', 'unconfigured')), ('autostart', False, ('autostart',)),
    ('max_regions', 'many', ('max_regions', 'INTEGER', 'STRING')),
    ('smoothing', 1, ('smoothing', 'DOUBLE', 'INTEGER', 'decimal point')),
    ('max_region', 1, ('max_region is no parameter', 'max_regions is meant'))])
def test_a_wrong_parameter_is_refused_with_its_name_and_a_reason(stack, name, value, said):
    alone = set_parameter(stack.graph, 'attention_node', name, value)
    both = SetParametersAtomically.Request(parameters=[parameter('step', 7), parameter(name, value)])
    service = 'attention_node/set_parameters_atomically'
    result = stack.graph.call(SetParametersAtomically, service, both).result
    step = stack.graph.call(GetParameters, 'attention_node/get_parameters',
                            GetParameters.Request(names=['step'])).values[0].integer_value
    assert not alone.taken and not result.successful and step == 0
    for word in said:
        assert word in alone.reason and word in result.reason


def test_parameters_describe_themselves(stack):
    names = ['presence_threshold', 'step', 'backend', 'autostart', OVERRIDDEN]
    request = DescribeParameters.Request(names=names)
    service = 'attention_node/describe_parameters'
    described = stack.graph.call(DescribeParameters, service, request).descriptors
    assert all(each.description for each in described)
    threshold, step, backend, autostart, overridden = described
    words = stack.graph.node.get_publishers_info_by_topic('attention/words')[0].qos_profile
    assert words.reliability == ReliabilityPolicy.BEST_EFFORT and overridden.read_only
    allowed = threshold.floating_point_range[0]
    assert (allowed.from_value, allowed.to_value) == (0, 1)
    assert step.integer_range[0].from_value == -1
    assert 'embedded' in backend.additional_constraints and autostart.read_only


def test_lifecycle_and_compressed_images(stack):
    graph = stack.graph
    stack.say('빨간 컵을 집어줘')
    assert set_parameter(graph, 'attention_node', 'image_transport', 'compressed').taken
    assert graph.transition('attention_node', 4)      # deactivate
    assert graph.call(GetState, 'attention_node/get_state').current_state.label == 'inactive'
    assert not graph.transition('attention_node', 4, 60.0)    # refused, and answered
    graph.wait(lambda: 'deactivate was asked for and is refused' in stack.complaint('attention_node'))
    graph.spin(0.5)
    stack.regions.clear()
    stack.send()
    graph.spin(0.5)
    assert not stack.regions                           # inactive: silent
    assert graph.transition('attention_node', 2)      # cleanup
    assert graph.call(Trigger, 'ground', seconds=60.0).message == 'the node is unconfigured, not active'
    assert graph.transition('attention_node', 1)      # configure
    assert graph.transition('attention_node', 3)      # activate; the parse is kept for it
    publisher = graph.node.create_publisher(CompressedImage, 'image/compressed', 1)

    def answered():
        header = stack.send().header                   # nobody takes the raw one now
        publisher.publish(write_jpeg(picture(), header))
        graph.spin(0.1)
        return stack.regions and stack.regions[-1].detections
    assert graph.wait(answered)[0].results[0].hypothesis.class_id == '빨간 컵'
    publisher.publish(CompressedImage(format='jpeg', data=cv2.imencode('.jpg', picture())[1].tobytes()[:50]))
    graph.wait(lambda: '/image/compressed: data' in stack.status('attention_node')['message'])
    assert set_parameter(graph, 'attention_node', 'image_transport', 'raw').taken
    assert graph.transition('attention_node', 4) and graph.transition('attention_node', 3)
    stack.regions.clear()
    assert stack.answer(stack.regions)


def test_health_tells_rate_latency_backend_and_device(stack):
    stack.say('pick up the red cup')
    stack.answer(stack.regions)

    def told():
        stack.send()
        stack.graph.spin(0.05)
        status = stack.status('attention_node')
        new = status['instruction'] == 'pick up the red cup' and 'latency p95 (ms)' in status
        return status if new else None
    status = stack.graph.wait(told)
    assert (status['backend'], status['device'], status['state']) == ('embedded', 'cpu', 'active')
    assert 'sha256' in status['weights'] and status['engine']
    assert float(status['rate (Hz)']) > 0 and float(status['latency p50 (ms)']) > 0


def test_between_two_looks_regions_are_followed(stack):
    graph = stack.graph
    assert set_parameter(graph, 'attention_node', 'smoothing', 0.0).taken
    assert set_parameter(graph, 'attention_node', 'look_every', 60.0).taken
    heads = graph.collect(Float32MultiArray, 'attention/heads')
    maps = graph.collect(Image, 'attention/target')
    random = np.random.default_rng(0)
    scene = picture()
    ground = cv2.resize(random.integers(0, 50, (12, 16, 3), np.uint8), (320, 240))
    scene = np.where(scene > 60, scene - ground, scene)     # something on things that can be followed
    try:
        stack.say('pick up the red cup')
        stack.found(scene)
        graph.wait(lambda: heads)
        _, before = stack.answer(stack.regions, scene)
        heads.clear()
        maps.clear()
        sent, after = stack.answer(stack.regions, np.roll(scene, 12, 1))
        moved = (after.detections[0].bbox.center.position.x - before.detections[0].bbox.center.position.x)
        assert moved == pytest.approx(12, abs=1)
        assert after.detections[0].id == before.detections[0].id
        assert graph.wait(lambda: [each for each in maps if each.header == sent.header])
        assert not heads
        assert set_parameter(graph, 'attention_node', 'max_regions', 4).taken     # holds with the next image
        stack.answer(stack.regions, scene)
        graph.wait(lambda: heads)
        assert set_parameter(graph, 'attention_node', 'look_every', 0.0).taken
        stack.answer(stack.regions, scene)
        heads.clear()
        stack.answer(stack.regions, scene)
        graph.wait(lambda: heads)
    finally:
        set_parameter(graph, 'attention_node', 'max_regions', 5)
        set_parameter(graph, 'attention_node', 'look_every', 0.2)
        set_parameter(graph, 'attention_node', 'smoothing', 0.5)


def test_images_without_a_stamp_are_looked_at_anew(stack):
    stack.say('pick up the red cup')
    empty = np.full((240, 320, 3), 130, np.uint8)
    for pixels in (empty, picture()):   # nothing is seen at first, and what comes later is seen all the same
        stack.regions.clear()

        def seen(pixels=pixels):
            stack.send(pixels, header=Header(frame_id='some_camera'))
            stack.graph.spin(0.1)
            return stack.regions and (pixels is empty or stack.regions[-1].detections)
        stack.graph.wait(seen)
    stack.graph.wait(lambda: 'header.stamp is 0.000 s again' in stack.status('attention_node')['message'])


def test_a_stamp_that_comes_twice_is_the_same_moment(stack):
    stack.say('pick up the red cup')
    stack.found()
    began, found = stack.graph.node.get_clock().now(), []
    for seconds in (0.0, 0.1, 0.1, 0.2):
        stack.regions.clear()
        stamp = (began + Duration(seconds=seconds)).to_msg()
        stack.send(header=Header(stamp=stamp, frame_id='some_camera'))
        stack.graph.wait(lambda stamp=stamp: stack.regions and stack.regions[-1].header.stamp == stamp)
        found.append(stack.regions[-1].detections[0].id)
    assert len(set(found)) == 1     # the clock of arrival in between would have been a jump
