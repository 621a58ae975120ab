"""The transformers backends give what the library itself gives, on tiny random models."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

transformers = pytest.importorskip('transformers')
PIL_Image = pytest.importorskip('PIL.Image')

from hub_fixtures import NAMES  # noqa: E402

from vla_attention.grounding import make_backend  # noqa: E402
from vla_attention.grounding.assemble import calibrate  # noqa: E402
from vla_attention.grounding.hub_backend import to_grid  # noqa: E402
from vla_attention.grounding.image_transform import ImageTransform  # noqa: E402

pytest_plugins = ['hub_fixtures']
pytestmark = pytest.mark.usefixtures('one_thread', 'cache')


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


@pytest.mark.parametrize(('size', 'grid'), [((60, 60), (30, 40)), ((45, 60), (30, 40)), ((90, 80), (30, 40))])
def test_the_whole_of_a_map_is_pooled_as_torch_does(size, grid):
    maps = torch.rand(2, *size, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.adaptive_avg_pool2d(maps, grid).numpy()
    np.testing.assert_allclose(to_grid(maps, grid), wanted, atol=1e-6)


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


@pytest.mark.parametrize(('shortest', 'longest'), [(800, 1333), (96, 160)])
def test_output_sizes_are_those_of_the_library(shortest, longest):
    from transformers.image_transforms import get_size_with_aspect_ratio
    transform = ImageTransform((0,), (1,), shortest=shortest, longest=longest)
    sides = [*range(32, 200), *range(200, 3000, 37), 799, 800, 801, 1333, 1334]
    for height in sides:
        for width in sides:
            wanted = get_size_with_aspect_ratio((height, width), shortest, longest)
            assert transform.output_size(height, width) == wanted, (height, width)


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
