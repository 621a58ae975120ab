"""The remote backend behind the node's topics: the pool answers, dies, and comes back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stack import Stack, picture

pytest.importorskip('uvicorn', reason='the extra [serve] is not installed')
sys.path.insert(0, str(Path(__file__).parents[1] / 'unit'))


def test_the_stack_goes_on_while_the_pool_is_away_and_back_to_it_afterwards(shared_graph):
    from remote_pool import FakeBackend, pool
    stack = Stack(shared_graph)
    shared_graph.start('instruction_node')
    image = picture(640, 480)

    def answered_by() -> str:
        return stack.status('attention_node').get('answered by', '')

    with pool(FakeBackend()) as url:
        port = int(url.rpartition(':')[2])
        node = shared_graph.start('attention_node', backend='remote', remote_url=url, remote_timeout=5.0)
        shared_graph.wait(lambda: stack.state('attention_node') == 'active')
        stack.say('pick up the cup')
        regions = stack.found(image)
        assert regions.detections[0].results[0].hypothesis.class_id == 'cup'
        assert regions.detections[0].bbox.center.position.x == pytest.approx(160, abs=16)
        shared_graph.wait(lambda: answered_by() == f'fake on cpu at {url}')
        shared_graph.wait(lambda: stack.complaint('attention_node') == 'working')

    stack.say('접시를 집어줘')     # while nobody is there to tell it to
    shared_graph.wait(lambda: stack.answer(stack.regions, image)
                      and 'the pool is away' in stack.complaint('attention_node'))
    assert answered_by() == 'embedded on cpu (fall-back)'

    restarted = FakeBackend()
    with pool(restarted, port):
        shared_graph.wait(lambda: 'the pool is away' not in stack.complaint('attention_node'))
        # another complaint may have stood there for a moment: images go to the pool once it is back
        shared_graph.wait(lambda: stack.answer(stack.regions, image) and restarted.attended)
        _, regions = stack.answer(stack.regions, image)
        assert regions.detections[0].results[0].hypothesis.class_id == '접시'
        assert restarted.attended[-1] == ('접시',)
    assert 'the pool is away' in node.log and 'the backend answers again' in node.log
    assert shared_graph.transition('attention_node', 4) and shared_graph.transition('attention_node', 2)
    shared_graph.wait(lambda: 'answered by' not in stack.status('attention_node'))     # of the next backend


def test_a_node_without_a_url_says_what_to_set(shared_graph):
    stack = Stack(shared_graph)
    node = shared_graph.start('attention_node', '-r', '__node:=lost_node', backend='remote')
    shared_graph.wait(lambda: 'cannot configure' in stack.complaint('lost_node'))
    assert 'remote_url' in stack.complaint('lost_node') and 'remote_url' in node.log
