"""The SROS 2 policy grants each node what it opens, and nothing that it does not open."""

import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
import rclpy
from rclpy.context import Context
from sensor_msgs.msg import Image, PointCloud2

from vla_attention.ros.attention_node import AttentionNode
from vla_attention.ros.focus_node import FocusNode
from vla_attention.ros.instruction_node import InstructionNode
from vla_attention.ros.moments_node import MomentsNode
from vla_attention.ros.overlay_node import OverlayNode
from vla_attention.ros.scene_camera import SceneCamera

FOLDER = Path(__file__).parents[2] / 'config' / 'sros2'
INCLUDE = '{http://www.w3.org/2001/XInclude}include'
# granted for what a parameter, an installation or another distribution asks for: compressed images, simulated
# time, tf2, and what Jazzy's rclpy began to serve or to listen to
OPTIONAL = {'/image/compressed', '/clock', '/tf', '/tf_static', '~/get_type_description', '/parameter_events'}
NODES = {'instruction_node': InstructionNode, 'attention_node': AttentionNode, 'focus_node': FocusNode,
         'moments_node': MomentsNode, 'overlay_node': OverlayNode, 'scene_camera': SceneCamera}


def granted(node):
    """Return what the policy grants: (publish, subscribe, reply) sets of full names."""
    profile = ElementTree.parse(FOLDER / 'policy.xml').getroot().find(
        f"enclaves/enclave[@path='/vla_attention/{node}']/profiles/profile")
    rules = [rule for rule in profile if rule.tag != INCLUDE]
    for include in profile.iter(INCLUDE):
        rules += list(ElementTree.parse(FOLDER / include.get('href')).getroot())
    sets = {'publish': set(), 'subscribe': set(), 'reply': set()}
    for rule in rules:
        for verb, value in rule.items():
            assert value == 'ALLOW' and verb in sets
            sets[verb] |= {full(each.text, node) for each in rule}
    return sets


def full(name, node):
    """Return a name as SROS 2 expands it in the root namespace."""
    return name if name.startswith('/') else f'/{node}{name[1:]}' if name.startswith('~') else f'/{name}'


@pytest.fixture(scope='module')
def opened():
    """Run every node in this process, with somebody who looks, and return what each has opened."""
    pytest.importorskip('skimage', reason='scene_camera shows a photograph of scikit-image')
    context = Context()
    rclpy.init(context=context, domain_id=39)
    looking = rclpy.create_node('looking', context=context)
    looking.create_subscription(Image, 'overlay', lambda message: None, 1)
    looking.create_subscription(PointCloud2, 'focus/target/points', lambda message: None, 1)
    nodes = {name: make(context=context) for name, make in NODES.items()}
    found = {}
    try:
        for node in nodes.values():
            node.trigger_configure()
            node.trigger_activate()
        overlay, points = nodes['overlay_node']._overlay, nodes['focus_node']._points['target']
        end = time.monotonic() + 60
        while not (overlay.wanted and points.wanted) and time.monotonic() < end:
            time.sleep(0.01)
        for name, node in nodes.items():
            assert node.state == 'active', name
            node.tick()
            topics = node.get_publisher_names_and_types_by_node, node.get_subscriber_names_and_types_by_node
            published, subscribed = ({topic for topic, _ in ask(name, '/')} for ask in topics)
            services = {service for service, _ in node.get_service_names_and_types_by_node(name, '/')}
            found[name] = {'publish': published, 'subscribe': subscribed, 'reply': services}
        yield found
    finally:
        for node in (*nodes.values(), looking):
            if node is not looking:
                node.close()
            node.destroy_node()
        rclpy.shutdown(context=context)


@pytest.mark.parametrize('node', NODES)
@pytest.mark.parametrize('verb', ['publish', 'subscribe', 'reply'])
def test_each_node_is_granted_what_it_opens_and_no_more(opened, node, verb):
    allowed, used = granted(node)[verb], opened[node][verb]
    assert opened[node]['publish'], 'the node is not in the graph'
    assert used <= allowed, f'config/sros2 does not grant {sorted(used - allowed)}'
    unused = allowed - used - {full(name, node) for name in OPTIONAL}
    assert not unused, f'config/sros2 grants what nobody opens: {sorted(unused)}'


def test_every_node_has_an_enclave_of_its_own():
    enclaves = ElementTree.parse(FOLDER / 'policy.xml').getroot().findall('enclaves/enclave')
    assert {each.get('path') for each in enclaves} == {f'/vla_attention/{node}' for node in NODES}
    for each in enclaves:
        assert [profile.get('node') for profile in each.iter('profile')] == [each.get('path').split('/')[-1]]
