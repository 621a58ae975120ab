"""The transformers backends, on tiny random models of each architecture, through the real loading path."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

transformers = pytest.importorskip('transformers')
PIL_Image = pytest.importorskip('PIL.Image')

import hub_models  # noqa: E402

from vla_attention.grounding import BackendError, hub_engine, make_backend  # noqa: E402
from vla_attention.grounding.assemble import calibrate  # noqa: E402
from vla_attention.grounding.attention_maps import HEADS  # noqa: E402
from vla_attention.grounding.hub_backend import to_grid  # noqa: E402
from vla_attention.grounding.image_transform import ImageTransform  # noqa: E402

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


def library_boxes(name, backend, folder, image, phrases):
    """Return what the library's post-processing makes of the model's output, (N, 5) a phrase, best first."""
    height, width = image.shape[:2]
    pixels = backend.prepare(image)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = []
    with torch.inference_mode():
        if name == 'owlv2':
            said = [f'a photo of a {text}' for text in phrases]
            tokens = tokenizer(said, padding='max_length', max_length=48, return_tensors='pt')
            output = backend.model(**tokens, pixel_values=pixels)
            processor = transformers.Owlv2ImageProcessorPil.from_pretrained(folder)
            for index in range(len(phrases)):
                one = SimpleNamespace(logits=output.logits[..., [index]], pred_boxes=output.pred_boxes)
                found += processor.post_process_object_detection(one, threshold=0,
                                                                 target_sizes=[(height, width)])
        else:
            tokens = tokenizer('. '.join(phrases) + '.', return_tensors='pt')
            output = backend.model(**tokens, pixel_values=pixels)
            image_processor = transformers.GroundingDinoImageProcessorPil.from_pretrained(folder)
            processor = transformers.GroundingDinoProcessor(image_processor, tokenizer)
            first = 1
            for text in phrases:
                last = first + len(tokenizer(text, add_special_tokens=False)['input_ids'])
                logits = torch.full_like(output.logits, -torch.inf)
                logits[..., first:last] = output.logits[..., first:last]
                one = SimpleNamespace(logits=logits, pred_boxes=output.pred_boxes)
                result, = processor.post_process_grounded_object_detection(
                    one, tokens['input_ids'], threshold=0, text_threshold=0, target_sizes=[(height, width)])
                assert set(result['text_labels']) == {text}
                found.append(result)
                first = last + 1        # the full stop
    rows = [np.column_stack([part['boxes'].numpy(), part['scores'].numpy()]) for part in found]
    return [row[np.argsort(-row[:, 4])] for row in rows]


LOUD = {'owlv2': {'class_head.logit_scale': 0.1, 'class_head.logit_shift': 0.1},
        'grounding_dino': {'model.decoder.layer_norm': 0.3}}


def logit(score):
    return np.log(score / (1 - score))


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('name', ['owlv2', 'grounding_dino'])
def test_boxes_are_those_of_the_library(folders, image, name, turned):
    """Of an image that is no square, of each of several texts, the same boxes with the same scores."""
    picture = np.ascontiguousarray(image.transpose(1, 0, 2)) if turned else image
    backend = make_backend(name, model=str(folders[name]), device='cpu', engine='torch')
    for part, less in LOUD[name].items():       # random weights are so sure that no score differs
        backend.model.get_submodule(part).weight.mul_(less)
    phrases = ['laptop', 'zorbly thing', 'plate']
    maps, best = backend.attend(picture, backend.encode(phrases)), []
    limits = np.array([picture.shape[1], picture.shape[0]] * 2)
    for ours, wanted in zip(maps.boxes, library_boxes(name, backend, folders[name], picture, phrases),
                            strict=True):
        wanted[:, :4] = wanted[:, :4].clip(0, limits)
        wanted[:, 4] = calibrate(wanted[:, 4], backend.threshold)
        wanted = wanted[(wanted[:, 2:4] - wanted[:, :2] > 1).all(axis=1)]
        ours = ours.copy()
        ours[:, 4], wanted[:, 4] = logit(ours[:, 4]), logit(wanted[:, 4])
        assert ours[0, 4] == pytest.approx(wanted[:, 4].max(), abs=0.01)
        for box in ours:
            assert np.abs(wanted - box).max(axis=1).min() < 0.01
        best.append(ours[0, 4])
    assert np.diff(sorted(best)).min() > 0.03       # texts that were exchanged would show


@pytest.mark.parametrize('shape', [(120, 160), (160, 120), (90, 160), (160, 160)])
def test_the_padding_is_cut_off_owlv2_s_map(backends, image, shape, monkeypatch):
    """One hot patch is where it lies in the picture, and what lies in the padding is nowhere."""
    backend = backends['owlv2']
    picture = np.zeros((*shape, 3), np.uint8)
    rows, cols = backend.grid(picture)
    for row, column in ((0, 0), (2, 1), (1, 2), (5, 1), (1, 5), (5, 5)):
        logits = torch.full((6, 6, 1), -9.0)
        logits[row, column] = 9
        monkeypatch.setattr(backend, '_detect', lambda *_, found=logits: (found, torch.full((36, 4), 0.5)))
        found = backend._look_at(picture, (), None, 1).maps[0]
        y, x = (row + 0.5) * 160 / 6, (column + 0.5) * 160 / 6
        if y - 14 >= shape[0] or x - 14 >= shape[1]:
            assert found.max() < 0.01, (row, column)
        elif y < shape[0] and x < shape[1]:
            high = np.argwhere(found > 0.9 * found.max()).mean(axis=0)
            at = (high + 0.5) * (shape[0] / rows, shape[1] / cols)
            np.testing.assert_allclose(at, (y, x), atol=5, err_msg=f'{row} {column}')


@pytest.mark.parametrize(('size', 'grid', 'extent', 'share'), [
    ((60, 60), (30, 40), (0.75, 1.0), 1 / 4),       # OWLv2, 960 pixels, 640x480
    ((60, 60), (40, 30), (1.0, 0.75), 1 / 4),
    ((60, 60), (22, 40), (0.5625, 1.0), 1 / 6),     # 1280x720
    ((45, 60), (30, 40), (1.0, 1.0), 1 / 4),
    ((22, 22), (20, 20), (1.0, 1.0), 1 / 9)])
def test_a_single_bright_patch_keeps_its_share_wherever_it_lies(size, grid, extent, share):
    valid = [int(np.ceil(side * part)) for side, part in zip(size, extent, strict=True)]
    hot = torch.eye(size[0] * size[1]).view(-1, *size)
    cells = to_grid(hot, grid, extent)
    peaks = cells.max(axis=(1, 2)).reshape(size)
    assert peaks[:valid[0], :valid[1]].min() >= share - 1e-6
    assert peaks[valid[0]:].max(initial=0) == 0 == peaks[:, valid[1]:].max(initial=0)
    np.testing.assert_allclose(cells.sum(axis=0), 1, atol=1e-5)      # means


@pytest.mark.parametrize(('size', 'grid'), [((60, 60), (30, 40)), ((45, 60), (30, 40)), ((90, 80), (30, 40))])
def test_the_whole_of_a_map_is_pooled_as_torch_does(size, grid):
    maps = torch.rand(2, *size, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.adaptive_avg_pool2d(maps, grid).numpy()
    np.testing.assert_allclose(to_grid(maps, grid), wanted, atol=1e-6)


def test_a_coarse_map_is_interpolated_without_its_padding():
    maps = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.interpolate(maps[:, None], (30, 40), mode='bilinear', align_corners=False)
    np.testing.assert_allclose(to_grid(maps, (30, 40)), wanted[:, 0], atol=1e-5)
    cut = torch.nn.functional.interpolate(maps[:, None, :3], (30, 40), mode='bilinear', align_corners=False)
    maps[:, 3:] = 100
    np.testing.assert_allclose(to_grid(maps, (30, 40), (0.5, 1.0)), cut[:, 0], atol=1e-5)


def test_siglip_s_patches_are_compared_as_the_papers_say(folders, backends, image):
    """Self-self attention head by head, and the library's own pooling of each patch as if it were all."""
    backend = backends['siglip']
    pixels, features = backend.prepare(image), backend.encode(['laptop', 'mug']).features.texts
    model = transformers.SiglipModel.from_pretrained(folders['siglip']).eval()
    vision = model.vision_model
    with torch.inference_mode():
        cosines, _ = backend.similarity(pixels, features)
        last, reached = vision.encoder.layers[-1], []
        last.register_forward_pre_hook(lambda _, inputs: reached.append(inputs[0]))
        vision(pixels)
        states, = reached
        normed, attention = last.layer_norm1(states)[0], last.self_attn
        width = attention.head_dim
        mixed = []
        for head in range(attention.num_heads):
            part = slice(head * width, (head + 1) * width)
            query, key, value = (project(normed)[:, part]
                                 for project in (attention.q_proj, attention.k_proj, attention.v_proj))
            alike = sum(torch.softmax(one @ one.T / width ** 0.5, dim=-1) for one in (query, key))
            mixed.append(alike @ value)
        states = states[0] + attention.out_proj(torch.cat(mixed, dim=1))
        states = vision.post_layernorm(states + last.mlp(last.layer_norm2(states)))
        patches = torch.cat([vision.head(patch[None, None]) for patch in states])
        wanted = torch.nn.functional.cosine_similarity(features[:, None], patches[None], dim=-1)
    torch.testing.assert_close(cosines.flatten(1), wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('name', NAMES)
def test_no_phrases(backends, image, name):
    maps = backends[name].attend(image, backends[name].encode([]))
    assert maps.phrases == () and maps.maps.shape == (0, 30, 40) and maps.presence.shape == (0,)
    assert all(head.shape == (0, 30, 40) for head in maps.heads.values())


@pytest.mark.parametrize(('shortest', 'longest'), [(800, 1333), (96, 160)])
def test_output_sizes_are_those_of_the_library(shortest, longest):
    from transformers.image_transforms import get_size_with_aspect_ratio
    transform = ImageTransform((0,), (1,), shortest=shortest, longest=longest)
    sides = [*range(32, 200), *range(200, 3000, 37), 799, 800, 801, 1333, 1334]
    for height in sides:
        for width in sides:
            wanted = get_size_with_aspect_ratio((height, width), shortest, longest)
            assert transform.output_size(height, width) == wanted, (height, width)


def test_korean_alone_goes_without_the_template(backends):
    say = backends['siglip']._say
    assert say('café cup') == 'this is a photo of café cup.'
    assert say('빨간 컵') == '빨간 컵' and say('빨간 Cup') == '빨간 cup'


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
