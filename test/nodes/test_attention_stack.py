"""All nodes in one process: the same topics as of separate nodes, handed over without the middleware."""

import re
import threading
import time

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from stack import Stack
from std_msgs.msg import String
from vision_msgs.msg import Classification, Detection2DArray

from vla_attention.ros import qos
from vla_attention.ros.focus_node import FocusNode
from vla_attention.ros.moments_node import MomentsNode
from vla_attention.ros.overlay_node import OverlayNode
from vla_attention.ros.topics import Input, Output, Topics

NODES = ('instruction_node', 'attention_node', 'focus_node', 'moments_node', 'overlay_node')


def test_the_stack_answers_as_separate_nodes_do(graph):
    stack = Stack(graph)
    overlays, phases = graph.collect(Image, 'overlay'), graph.collect(Classification, 'moments/phase')
    process = graph.start('attention_stack', '-p', 'attention_node:presence_threshold:=0.0',
                          forked=False)
    graph.wait(lambda: all(stack.state(name) == 'active' for name in NODES))
    active = {name: re.findall(rf'\[{name}\]: active: (.*)', process.log) for name in NODES}
    assert all(len(lines) == 1 and ' gives /' in lines[0] for lines in active.values())
    assert active['attention_node'][0].startswith('takes /instruction/parsed, /image; gives /attention/')
    assert 'backend embedded, engine ' in active['attention_node'][0]
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
    first = r"\[attention_node\]: first answer: regions \d+, for '빨간 컵을 집어줘', \d+ ms after the image"
    assert len(re.findall(first, process.log)) == 1
    assert np.frombuffer(overlay.data, np.uint8).any()


def test_what_others_keep_for_late_subscribers_reaches_each_node_of_the_stack():
    context = Context()
    rclpy.init(context=context, domain_id=39)
    node = rclpy.create_node('tester', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.create_publisher(String, 'parsed', qos.latched()).publish(String(data='kept'))
    topics = Topics(shared=True)
    for _ in range(2):      # the second one finds that the first has a subscription already
        got = []
        topics.subscribe(Input(node, String, 'parsed', got.append, qos.latched(), print))
        end = time.monotonic() + 20
        while not got and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
        assert [message.data for message in got] == ['kept']
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize('make', [FocusNode, MomentsNode, OverlayNode])
def test_what_is_taken_on_demand_is_what_was_said(monkeypatch, make):
    context = Context()
    rclpy.init(context=context, domain_id=39)
    node = make(context=context)
    node.start()
    now = {entry.topic for entry in node._inputs}
    monkeypatch.setattr(Output, 'wanted', True)
    node.tick()
    assert {entry.topic for entry in node._inputs} - now == set(node.on_demand()) != set()
    node.close()
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_the_overlay_may_be_closed_while_results_come():
    context = Context()
    rclpy.init(context=context, domain_id=39)
    node = OverlayNode(topics=Topics(shared=True), context=context)
    node.start()
    with node._callback_lock:       # one is on its way, in another node's thread
        node._parts[1, 0] = {}
        closing = threading.Thread(target=node.deactivate)
        closing.start()
        closing.join(0.1)
        assert node._parts
    closing.join()
    assert not node._parts
    node.close()
    node.destroy_node()
    rclpy.shutdown(context=context)
