"""All nodes in one process: the same topics as of separate nodes, handed over without the middleware."""

import numpy as np
from sensor_msgs.msg import Image
from stack import Stack
from vision_msgs.msg import Classification, Detection2DArray

NODES = ('instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node')


def test_the_stack_answers_as_separate_nodes_do(graph):
    stack = Stack(graph)
    overlays, phases = graph.collect(Image, 'overlay'), graph.collect(Classification, 'moments/phase')
    process = graph.start('attention_stack', '-p', 'attention_node:presence_threshold:=0.0',
                          forked=False)
    graph.wait(lambda: all(stack.state(name) == 'active' for name in NODES))
    assert stack.say('빨간 컵을 집어줘')['roles']['target'] == ['빨간 컵']
    stack.found()
    sent, overlay = stack.answer(overlays)
    assert (overlay.width, overlay.height, overlay.header) == (320, 240, sent.header)
    graph.wait(lambda: stack.send() and phases)
    names = {name for name, _ in graph.node.get_topic_names_and_types()}
    assert {'/focus/regions', '/focus/regions_3d', '/instruction/parsed', '/moments/phase'} <= names
    # what stays inside has no subscription in the middleware: attention -> focus and overlay
    inside = graph.node.get_subscriptions_info_by_topic('/focus/regions')
    assert {each.node_name for each in inside} == {'tester'}
    assert len(graph.node.get_subscriptions_info_by_topic('/image')) == 1   # taken once for all
    graph.node.create_publisher(Detection2DArray, 'focus/regions', 1)
    graph.wait(lambda: 'others publish /focus/regions too' in process.log)
    assert process.stop() == 0 and 'Traceback' not in process.log
    assert np.frombuffer(overlay.data, np.uint8).any()
