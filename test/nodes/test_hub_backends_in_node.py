"""A hub backend behind the node's topics: refused with a reason, then configured again, then at work."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from stack import Stack

pytest.importorskip('transformers')
torch = pytest.importorskip('torch')
sys.path.insert(0, str(Path(__file__).parents[1] / 'unit'))


def test_refused_models_leave_the_node_unconfigured_until_a_good_one_is_named(shared_graph, tmp_path,
                                                                              monkeypatch):
    import hub_models
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))       # the node inherits it
    stack = Stack(shared_graph)
    good = hub_models.clipseg(tmp_path / 'clipseg')
    pickled, speechless = (Path(shutil.copytree(good, tmp_path / name)) for name in ('pickled', 'speechless'))
    (pickled / 'model.safetensors').rename(pickled / 'pytorch_model.bin')
    (speechless / 'tokenizer.json').unlink()
    another = hub_models.siglip(tmp_path / 'siglip')
    shared_graph.start('instruction_node')
    node = shared_graph.start('attention_node', backend='clipseg', weights=str(pickled),
                              presence_threshold=0.0)

    def state():
        return shared_graph.call(GetState, 'attention_node/get_state').current_state.label

    def change(number):
        return shared_graph.transition('attention_node', number)

    def say(**strings):
        request = SetParameters.Request(parameters=[
            Parameter(name=name, value=ParameterValue(type=ParameterType.PARAMETER_STRING,
                                                      string_value=value))
            for name, value in strings.items()])
        return all(result.successful for result in
                   shared_graph.call(SetParameters, 'attention_node/set_parameters', request).results)

    shared_graph.wait(lambda: 'refused' in node.log)
    assert 'pickle (pytorch_model.bin)' in node.log and state() == 'unconfigured'
    refused = [(dict(weights=str(another)), "holds a model of type 'siglip'"),
               (dict(weights=str(speechless)), 'has no tokenizer'),
               (dict(weights='someone/model'), 'run: vla-attention fetch-weights someone/model'),
               (dict(weights=str(good), precision='int8'), 'precision of a hub model')]
    if not torch.cuda.is_available():
        refused.append((dict(precision='auto', device='cuda'), 'sees no CUDA device'))
    for strings, reason in refused:
        assert say(**strings) and not change(Transition.TRANSITION_CONFIGURE)
        shared_graph.wait(lambda reason=reason: reason in node.log)
        assert state() == 'unconfigured'

    assert say(precision='auto', device='auto', translate='always')
    assert change(Transition.TRANSITION_CONFIGURE) and change(Transition.TRANSITION_ACTIVATE)
    stack.say('빨간 컵을 집어줘')
    stack.found()
    assert stack.regions[-1].detections[0].results[0].hypothesis.class_id == '빨간 컵'
