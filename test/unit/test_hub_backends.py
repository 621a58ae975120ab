"""The transformers backends, on tiny random models of each architecture, through the real loading path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

transformers = pytest.importorskip('transformers')
PIL_Image = pytest.importorskip('PIL.Image')

import hub_models  # noqa: E402

from vla_attention.grounding import BackendError, hub_engine, make_backend  # noqa: E402
from vla_attention.grounding.attention_maps import HEADS  # noqa: E402

NAMES = tuple(hub_models.MAKERS)
PHRASES = ('red mug left of the laptop', '파란 접시 위', 'the left side', 'zorbly')
TEXT_ENCODER = {'clipseg': 'clip.text_model', 'owlv2': 'owlv2.text_model', 'siglip': 'text_model',
                'grounding_dino': 'model.text_backbone.encoder'}
VISION = {'clipseg': 'clip.vision_model.embeddings', 'owlv2': 'owlv2.vision_model',
          'siglip': 'vision_model.embeddings', 'grounding_dino': 'model.backbone'}


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    """Tiny models gain nothing from threads, which wait for each other where other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """Keep exported graphs out of the user's own cache, one folder for all tests."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.getbasetemp() / 'cache'))


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp('models')
    return {name: make(root / name) for name, make in hub_models.MAKERS.items()}


@pytest.fixture(scope='module')
def backends(folders):
    return {name: make_backend(name, model=str(folder), device='cpu', engine='torch')
            for name, folder in folders.items()}


@pytest.fixture(scope='module')
def image():
    """A smooth picture with two things in it; noise would make every resize look different."""
    rng = np.random.default_rng(0)
    small = rng.integers(40, 216, (6, 8, 3), dtype=np.uint8)
    picture = np.array(PIL_Image.fromarray(small).resize((160, 120), PIL_Image.BICUBIC))
    picture[40:80, 20:50] = (200, 20, 20)
    picture[50:90, 100:140] = (30, 30, 200)
    return picture


@pytest.mark.parametrize('name', NAMES)
def test_answers_in_the_shape_of_the_protocol(backends, image, name):
    backend = backends[name]
    maps = backend.attend(image, backend.encode(PHRASES))
    grid = (4, 30, 40)      # as the embedded model sees a 4:3 image
    assert backend.name == name and backend.device == 'cpu'
    assert maps.phrases == PHRASES and maps.image_size == (160, 120)
    assert set(HEADS) <= set(maps.heads)
    for array in (maps.maps, *maps.heads.values()):
        assert array.shape == grid and array.dtype == np.float32
        assert np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1
    assert maps.presence.shape == (4,) and maps.presence.dtype == np.float32
    assert ((maps.presence >= 0) & (maps.presence <= 1)).all()
    assert [len(words) for words in maps.words] == [len(texts) for texts in maps.word_texts]
    for words in maps.words:
        assert words.shape[1:] == grid[1:]


@pytest.mark.parametrize('name', NAMES)
def test_heads_say_what_the_phrase_asks(backends, image, name):
    backend = backends[name]
    maps = backend.attend(image, backend.encode(PHRASES))
    asks = {'colour': [True, True, False, False], 'space': [True, False, True, False], 'size': [False] * 4}
    for head, expected in asks.items():
        assert [bool((one != 1).any()) for one in maps.heads[head]] == expected, head
    red = maps.heads['colour'][0]
    assert red[12:18, 6:11].mean() > 0.9 > 0.1 > red[14:21, 27:33].mean()
    side = maps.heads['space'][2]
    assert side[:, 0].min() > side[:, 39].max()


@pytest.mark.parametrize('name', ['owlv2', 'grounding_dino'])
def test_boxes_are_in_the_image_and_best_first(backends, image, name):
    backend = backends[name]
    maps = backend.attend(image, backend.encode(PHRASES))
    assert len(maps.boxes) == 4 and len(maps.boxes[0]) > 0 and len(maps.boxes[2]) == 0
    for boxes in maps.boxes:
        assert boxes.dtype == np.float32 and boxes.shape[1] == 5
        assert (boxes[:, :4] >= 0).all() and (boxes[:, 2] <= 160).all() and (boxes[:, 3] <= 120).all()
        assert (np.diff(boxes[:, 4]) <= 0).all()


def test_backends_without_boxes_leave_regions_to_the_map(backends, image):
    for name in ('clipseg', 'siglip'):
        maps = backends[name].attend(image, backends[name].encode(PHRASES))
        assert maps.boxes == ()
    masks = backends['clipseg'].attend(image, backends['clipseg'].encode(PHRASES)).masks
    assert masks.shape == (4, 64, 64) and masks.dtype == np.float32


def test_two_decoder_layers_of_grounding_dino_are_heads(backends, image):
    backend = backends['grounding_dino']
    heads = backend.attend(image, backend.encode(PHRASES)).heads
    assert {'decoder_2', 'decoder_3'} == set(heads) - set(HEADS)
    assert heads['decoder_3'][0].max() > 0
    assert not np.array_equal(heads['decoder_2'][0], heads['decoder_3'][0])


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


@pytest.mark.parametrize('name', NAMES)
def test_all_phrases_share_one_pass_over_the_image(backends, image, name):
    backend = backends[name]
    calls = []
    handle = backend.model.get_submodule(VISION[name]).register_forward_hook(lambda *_: calls.append(1))
    backend.attend(image, backend.encode(PHRASES))
    handle.remove()
    assert len(calls) == 1


@pytest.mark.parametrize('name', NAMES)
def test_the_same_twice(folders, backends, image, name):
    again = make_backend(name, model=str(folders[name]), device='cpu', engine='torch')
    first = backends[name].attend(image, backends[name].encode(PHRASES))
    for backend in (backends[name], again):
        second = backend.attend(image, backend.encode(PHRASES))
        np.testing.assert_array_equal(first.maps, second.maps)
        np.testing.assert_array_equal(first.presence, second.presence)


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
@pytest.mark.parametrize('name', NAMES)
def test_half_precision(folders, backends, image, name, dtype):
    backend = make_backend(name, model=str(folders[name]), device='cpu', dtype=dtype, engine='torch')
    assert next(backend.model.parameters()).dtype == getattr(torch, dtype)
    maps = backend.attend(image, backend.encode(PHRASES))
    whole = backends[name].attend(image, backends[name].encode(PHRASES))
    assert maps.maps.dtype == np.float32 and np.isfinite(maps.maps).all()
    # siglip scales by the spread over the image, and with it the rounding
    tolerance = 0.25 if name == 'siglip' else 0.05
    np.testing.assert_allclose(maps.heads['kind'], whole.heads['kind'], atol=tolerance)


def direct(name, folder, image, texts):
    """Call transformers as its documentation does; pixels, logits, boxes."""
    kinds = {'clipseg': 'CLIPSegForImageSegmentation', 'owlv2': 'Owlv2ForObjectDetection',
             'grounding_dino': 'GroundingDinoForObjectDetection', 'siglip': 'SiglipModel'}
    model = getattr(transformers, kinds[name]).from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pixels = transformers.AutoImageProcessor.from_pretrained(folder, backend='pil')(
        images=PIL_Image.fromarray(image), return_tensors='pt')['pixel_values']
    with torch.inference_mode():
        if name == 'clipseg':
            output = model(**tokenizer(texts, padding=True, return_tensors='pt'),
                           pixel_values=pixels.repeat(len(texts), 1, 1, 1))
            return pixels, output.logits, None
        if name == 'owlv2':
            said = [f'a photo of a {text}' for text in texts]
            output = model(**tokenizer(said, padding='max_length', max_length=48, return_tensors='pt'),
                           pixel_values=pixels)
            return pixels, output.logits[0], output.pred_boxes[0]
        if name == 'siglip':
            said = [f'this is a photo of {text}.' for text in texts]
            tokens = tokenizer(said, padding='max_length', max_length=32, return_tensors='pt')
            output = model(input_ids=tokens['input_ids'], pixel_values=pixels)
            return pixels, output.logits_per_image[0], None
        output = model(**tokenizer('. '.join(texts) + '.', return_tensors='pt'), pixel_values=pixels)
        return pixels, output.logits[0], output.pred_boxes[0]


@pytest.mark.parametrize('name', NAMES)
def test_agrees_with_a_direct_call(folders, backends, image, name):
    """Given the same pixels, within 1e-4 of a logit and of the image's side."""
    texts = ['red mug', 'laptop']
    backend = backends[name]
    encoded = backend.encode(texts)
    asked = [encoded.tree.texts.index(text) for text in texts]
    pixels, wanted_logits, wanted_boxes = direct(name, folders[name], image, texts)
    boxes = None
    with torch.inference_mode():
        if name == 'clipseg':
            logits = backend.logits(pixels, encoded.features)
        elif name == 'owlv2':
            logits, boxes = backend.detect(pixels, encoded.features)
            logits = logits.reshape(-1, logits.shape[-1])[:, asked]
        elif name == 'siglip':
            logits = backend.similarity(pixels, encoded.features.texts)[1][asked]
        else:
            output = backend.detect(pixels, *encoded.features)
            logits, boxes = output.logits[0], output.pred_boxes[0]
    torch.testing.assert_close(logits, wanted_logits, atol=1e-4, rtol=1e-4)
    if wanted_boxes is not None:
        torch.testing.assert_close(boxes, wanted_boxes, atol=1e-4, rtol=0)


@pytest.mark.parametrize('size', [(120, 160), (201, 133), (64, 64)])
@pytest.mark.parametrize('name', NAMES)
def test_prepares_images_as_the_model_s_own_processor(folders, backends, image, name, size):
    """Within two grey levels anywhere, and a tenth of one on the whole: the rounding of two resizes."""
    picture = np.array(PIL_Image.fromarray(image).resize(size[::-1], PIL_Image.BICUBIC))
    processor = transformers.AutoImageProcessor.from_pretrained(folders[name], backend='pil')
    wanted = processor(images=PIL_Image.fromarray(picture), return_tensors='pt')['pixel_values']
    pixels = backends[name].prepare(picture)
    levels = (pixels - wanted).abs() * torch.tensor(backends[name].transform.std).view(1, 3, 1, 1) * 255
    assert pixels.shape == wanted.shape and pixels.is_contiguous(memory_format=torch.channels_last)
    assert levels.max() < 2.01 and levels.mean() < 0.1


@pytest.mark.parametrize('name', NAMES)
def test_many_images_at_once_give_what_each_gives_alone(backends, image, name):
    """Each robot of a pool has its own picture and its own phrases."""
    backend = backends[name]
    images = [image, np.ascontiguousarray(image[:, ::-1]), image[:96, :100]]
    encoded = [backend.encode(phrases) for phrases in (PHRASES, ('mug',), ('the left side',))]
    passes = []
    hook = backend.model.get_submodule(VISION[name]).register_forward_hook(lambda *_: passes.append(1))
    together = backend.attend_many(images, encoded)
    hook.remove()
    assert len(passes) == (1 if backend.exports else sum(bool(each.tree.texts) for each in encoded))
    for maps, one, phrases in zip(together, images, encoded, strict=True):
        alone = backend.attend(one, phrases)
        assert maps.phrases == alone.phrases and maps.image_size == alone.image_size
        np.testing.assert_allclose(maps.maps, alone.maps, atol=1e-4)
        np.testing.assert_allclose(maps.presence, alone.presence, atol=1e-4)


@pytest.mark.parametrize('name', ['clipseg', 'owlv2'])
def test_openvino_agrees_with_torch(folders, backends, image, name):
    """Within 1e-4 in float32; with a bfloat16 image encoder within 0.05."""
    pytest.importorskip('openvino', reason='openvino is not installed')
    wanted = backends[name].attend(image, backends[name].encode(PHRASES))
    for precision, tolerance in (('f32', 1e-4), ('bf16', 0.05)):
        backend = make_backend(name, model=str(folders[name]), device='cpu', engine='openvino',
                               precision=precision)
        calls = []
        backend.model.get_submodule(VISION[name]).register_forward_hook(
            lambda *_, calls=calls: calls.append(1))
        maps = backend.attend(image, backend.encode(PHRASES))
        assert backend.engine == 'openvino' and not calls       # torch never runs the image encoder
        np.testing.assert_allclose(maps.heads['kind'], wanted.heads['kind'], atol=tolerance)
        np.testing.assert_allclose(maps.presence, wanted.presence, atol=tolerance)


def test_auto_takes_openvino_where_it_can(folders, monkeypatch):
    pytest.importorskip('openvino', reason='openvino is not installed')
    monkeypatch.setattr(torch, 'compile', lambda target: target)
    for name, options, engine in (('clipseg', {}, 'openvino'), ('owlv2', {'dtype': 'float32'}, 'openvino'),
                                  ('clipseg', {'dtype': 'bfloat16'}, 'openvino'), ('siglip', {}, 'torch'),
                                  ('clipseg', {'dtype': 'float16'}, 'torch'),
                                  ('owlv2', {'compile_model': True}, 'torch')):
        assert make_backend(name, model=str(folders[name]), device='cpu', **options).engine == engine


@pytest.mark.parametrize(('options', 'with_bf16', 'without'), [
    ({}, 'bf16', 'f32'), ({'dtype': 'float32'}, 'f32', 'f32'), ({'dtype': 'bfloat16'}, 'bf16', 'f32'),
    ({'precision': 'f32'}, 'f32', 'f32'), ({'precision': 'bf16'}, 'bf16', 'f32'),
    ({'engine': 'torch'}, '', '')])
def test_bf16_is_what_the_cpu_has(folders, monkeypatch, options, with_bf16, without):
    pytest.importorskip('openvino', reason='openvino is not installed')
    for capabilities, expected in ((['FP32', 'BF16'], with_bf16), (['FP32'], without)):
        monkeypatch.setattr(hub_engine, 'cpu_capabilities', lambda found=capabilities: found)
        backend = make_backend('clipseg', model=str(folders['clipseg']), device='cpu', **options)
        assert backend.precision == expected


@pytest.mark.parametrize(('name', 'options', 'reason'), [
    ('clipseg', {'engine': 'abacus'}, 'engine must be one of auto, torch, openvino'),
    ('siglip', {'engine': 'openvino'}, 'siglip does not have'),
    ('clipseg', {'engine': 'openvino', 'dtype': 'float16'}, 'not float16'),
    ('owlv2', {'engine': 'openvino', 'compile_model': True}, 'leave compile_model out'),
    ('clipseg', {'precision': 'int8'}, 'precision of a hub model must be one of auto, bf16, f32'),
    ('siglip', {'precision': 'bf16'}, 'for the engine openvino; torch computes in dtype'),
    ('clipseg', {'precision': 'bf16', 'dtype': 'float32'}, 'leave one of them out')])
def test_an_engine_that_cannot_be_had_is_refused(folders, name, options, reason):
    with pytest.raises(BackendError, match=reason):
        make_backend(name, model=str(folders[name]), device='cpu', **options)


def test_compiles_what_runs_for_each_image(folders, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, 'compile', lambda target: compiled.append(target) or target)
    for name in NAMES:
        make_backend(name, model=str(folders[name]), device='cpu', compile_model=True)
    assert len(compiled) == len(NAMES)


@pytest.mark.parametrize('bad', [np.zeros((120, 160), np.uint8), np.zeros((120, 160, 3), np.float32),
                                 np.zeros((8, 160, 3), np.uint8), None])
def test_refuses_what_is_no_image(backends, bad):
    encoded = backends['clipseg'].encode(['red mug'])
    with pytest.raises(ValueError, match='image must be'):
        backends['clipseg'].attend(bad, encoded)


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
