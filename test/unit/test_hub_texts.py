"""Texts on their way into the transformers backends: once each, whole where they fit, told where not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hub_fixtures import NAMES, PHRASES

from vla_attention.grounding import make_backend

pytest_plugins = ['hub_fixtures']
pytestmark = pytest.mark.usefixtures('one_thread', 'cache')

TEXT_ENCODER = {'clipseg': 'clip.text_model', 'owlv2': 'owlv2.text_model', 'siglip': 'text_model',
                'grounding_dino': 'model.text_backbone.encoder'}


@pytest.mark.parametrize('name', NAMES)
def test_texts_are_encoded_once_an_instruction(folders, image, name):
    backend = make_backend(name, model=str(folders[name]), device='cpu', engine='torch')
    calls = []
    encoder = backend.model.get_submodule(TEXT_ENCODER[name])
    encoder.register_forward_hook(lambda *_: calls.append(1))
    encoded = backend.encode(PHRASES[:2])
    for _ in range(2):
        backend.attend(image, encoded)
        backend.attend(255 - image, backend.encode(PHRASES[:2]))
    assert len(calls) == 1
    backend.attend(image, backend.encode(['green cup']))
    assert len(calls) == 2


def test_korean_alone_goes_without_the_template(backends):
    say = backends['siglip']._say
    assert say('café cup') == 'this is a photo of café cup.'
    assert say('빨간 컵') == '빨간 컵' and say('빨간 Cup') == '빨간 cup'


def test_a_prompt_too_long_goes_through_the_model_in_parts(backends, image, caplog):
    backend = backends['grounding_dino']
    things = ('mug', 'bowl', 'plate', 'laptop', 'spoon', 'fork', 'knife', 'bottle', 'book')
    phrases = [f'wonderful {thing}' for thing in things]
    encoded = backend.encode(phrases)
    assert len(encoded.features) > 1 and f'in {len(encoded.features)} passes' in caplog.text
    assert all(prompt.tokens['input_ids'].shape[1] <= 64 for prompt in encoded.features)
    maps = backend.attend(image, encoded)
    assert maps.phrases == tuple(phrases) and len(maps.boxes) == 9 and len(maps.heads['decoder_3']) == 9
    first = len(encoded.features[0].spans)
    alone = backend.attend(image, backend.encode(phrases[:first]))
    np.testing.assert_allclose(maps.maps[:first], alone.maps, atol=1e-5)
    np.testing.assert_allclose(maps.presence[:first], alone.presence, atol=1e-5)


@pytest.mark.parametrize('name', NAMES)
def test_the_end_of_a_text_too_long_is_cut_off_and_said(backends, image, caplog, name):
    backend = backends[name]
    phrase = 'extraordinary ' * 12 + 'mug'
    maps = backend.attend(image, backend.encode([phrase]))
    assert np.isfinite(maps.maps).all() and 'is cut off' in caplog.text
    caplog.clear()
    backend.encode(['red mug', 'laptop'])
    assert not caplog.records


@pytest.mark.parametrize('name', NAMES)
def test_upper_case_is_lower_case(backends, name):
    """SigLIP 2 and Grounding DINO were trained with lower case alone; not every tokenizer sees to it."""
    said = [backends[name]._say(text) for text in ('MUG', 'mug')]
    assert said[0] == said[1]


@pytest.mark.parametrize('name', ['clipseg', 'owlv2', 'siglip'])
def test_texts_are_padded_at_the_end_whatever_the_tokenizer_would(backends, name, monkeypatch):
    backend = backends[name]
    wanted = backend._tokens(['a mug', 'a photo of a red mug'], padding='max_length')['input_ids']
    monkeypatch.setattr(backend.tokenizer, 'padding_side', 'left')
    tokens = backend._tokens(['a mug', 'a photo of a red mug'], padding='max_length')['input_ids']
    assert torch.equal(tokens, wanted)
    assert tokens.shape[1] == backend.model.config.text_config.max_position_embeddings
    assert (tokens[0, -3:] == backend.tokenizer.pad_token_id).all()


def test_a_text_without_a_token_is_not_in_view(backends, image):
    backend = backends['grounding_dino']
    features = backend._encode(('\u200b', 'mug'))
    with torch.inference_mode():
        evidence = backend._look(image, features, 2)
    assert evidence.presence[0] == 0 and evidence.maps[0].max() < 1e-3 < evidence.maps[1].max()


def test_stops_inside_a_text_do_not_split_it(backends, image):
    backend = backends['grounding_dino']
    encoded = backend.encode(['mr. potato?', 'red mug'])
    assert len(encoded.features[0].spans) == 2
    assert backend.attend(image, encoded).maps.shape[0] == 2
