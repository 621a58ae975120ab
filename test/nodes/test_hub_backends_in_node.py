"""A hub backend behind the node's topics: refused with a reason, then configured again, then at work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from stack import Stack

pytest.importorskip('transformers')
sys.path.insert(0, str(Path(__file__).parents[1] / 'unit'))


def test_a_refused_model_leaves_the_node_unconfigured_until_a_good_one_is_named(shared_graph, tmp_path):
    import hub_models
    stack = Stack(shared_graph)
    folder = hub_models.clipseg(tmp_path / 'clipseg')
    weights = (folder / 'model.safetensors').rename(folder / 'pytorch_model.bin')
    shared_graph.start('instruction_node')
    node = shared_graph.start('attention_node', backend='clipseg', weights=str(folder),
                              presence_threshold=0.0)

    def state():
        return shared_graph.call(GetState, 'attention_node/get_state').current_state.label

    def change(number):
        return shared_graph.transition('attention_node', number)

    shared_graph.wait(lambda: 'refused' in node.log)
    assert 'pickle (pytorch_model.bin)' in node.log and state() == 'unconfigured'
    assert not change(Transition.TRANSITION_CONFIGURE) and state() == 'unconfigured'

    weights.rename(folder / 'model.safetensors')
    request = SetParameters.Request(parameters=[Parameter(name='translate', value=ParameterValue(
        type=ParameterType.PARAMETER_STRING, string_value='always'))])
    assert shared_graph.call(SetParameters, 'attention_node/set_parameters', request).results[0].successful
    assert change(Transition.TRANSITION_CONFIGURE) and change(Transition.TRANSITION_ACTIVATE)
    stack.say('빨간 컵을 집어줘')
    shared_graph.wait(lambda: stack.answer(stack.regions)[1].detections)
    assert stack.regions[-1].detections[0].results[0].hypothesis.class_id == '빨간 컵'
