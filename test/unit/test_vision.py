"""The image as the model sees it, saliency, and the backbone."""

import cv2
import numpy as np
import pytest
import torch

from vla_attention.vision import engine
from vla_attention.vision.backbone import EfficientNetLite0, SameConvolution, fold_batch_norm
from vla_attention.vision.engine import OpenVinoEngine, TorchEngine, make_engine
from vla_attention.vision.image import check_image, fit, model_size
from vla_attention.vision.saliency import saliency


@pytest.mark.parametrize(('size', 'seen'), [((640, 480), (640, 480)), ((320, 240), (640, 480)),
                                            ((1280, 720), (640, 352)), ((100, 400), (160, 640))])
def test_model_size(size, seen):
    assert model_size(*size) == seen


@pytest.mark.parametrize('image', [np.zeros((31, 64, 3), np.uint8), np.zeros((64, 64), np.uint8),
                                   np.zeros((64, 64, 3), np.float32), np.zeros((64, 64, 4), np.uint8), None])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match='image must be'):
        check_image(image)
    with pytest.raises(ValueError, match='image must be'):
        saliency(image)


def test_a_picture_that_fits_is_not_copied():
    image = np.zeros((480, 640, 3), np.uint8)
    assert fit(image) is image


def test_saliency_finds_what_stands_out():
    image = np.full((480, 640, 3), 120, np.uint8)
    image[200:260, 400:480] = (200, 30, 30)
    found = saliency(image)
    assert found.shape == (30, 40)
    assert found.dtype == np.float32
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert 200 <= row * 16 + 8 <= 260
    assert 400 <= column * 16 + 8 <= 480
    assert found.min() == 0 and found.max() == 1


@pytest.mark.parametrize('lab', [(146, 128, 128), (140, 170, 128)], ids=['faint', 'as light'])
def test_saliency_finds_what_differs_little_or_in_colour_alone(lab):
    image = np.full((480, 640, 3), (140, 128, 128), np.uint8)
    image[200:260, 400:480] = lab
    found = saliency(cv2.cvtColor(image, cv2.COLOR_LAB2RGB))
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert 200 <= row * 16 + 8 <= 260
    assert 400 <= column * 16 + 8 <= 480


def test_a_large_thing_stands_out_whole_and_what_is_far_from_it_does_not():
    image = np.full((480, 640, 3), 120, np.uint8)
    image[140:340, 220:420] = (200, 30, 30)
    found = saliency(image)
    assert found[15, 20] > 5 * found[:4].mean()


def test_saliency_of_one_colour_is_nowhere():
    assert not saliency(np.full((240, 320, 3), 77, np.uint8)).any()


def test_backbone_shapes_and_refusal():
    model = EfficientNetLite0().eval()
    with torch.no_grad():
        eighth, sixteenth, embedding = model(torch.zeros(1, 3, 64, 96))
    assert eighth.shape == (1, 40, 8, 12)
    assert sixteenth.shape == (1, 112, 4, 6)
    assert embedding.shape == (1, 1280, 2, 3)
    with pytest.raises(ValueError, match='multiples of 32'):
        model(torch.zeros(1, 3, 60, 96))


def test_folded_batch_norm_is_the_same():
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 5, 3, bias=False)
    norm = torch.nn.BatchNorm2d(5, eps=1e-3).eval()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        tensor.uniform_(0.5, 1.5)
    weight, bias = fold_batch_norm(convolution.weight, norm.weight, norm.bias, norm.running_mean,
                                   norm.running_var, 1e-3)
    image = torch.rand(1, 3, 8, 8)
    folded = torch.nn.functional.conv2d(image, weight, bias)
    assert torch.allclose(folded, norm(convolution(image)), atol=1e-5)


def test_engines_are_chosen_by_name():
    model = torch.nn.Identity()
    assert isinstance(make_engine(model, 'torch'), TorchEngine)
    with pytest.raises(ValueError, match='engine'):
        make_engine(model, 'tpu')
    with pytest.raises(ValueError, match='CPU'):
        make_engine(model, 'openvino', device='cuda')


def test_graphs_are_kept_after_code_and_weights_and_never_needed(tmp_path, monkeypatch):
    pytest.importorskip('openvino')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    torch.manual_seed(0)
    model = SameConvolution(3, 4, 3).eval()
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    right = TorchEngine(model)(image)
    run = [OpenVinoEngine(_Wrapped(model), 1)(image)[0] for _ in range(2)]
    graph, = (tmp_path / 'vla_attention' / 'embedded').glob('*.xml')
    graph.write_text('cut short')
    run.append(OpenVinoEngine(_Wrapped(model), 1)(image)[0])
    monkeypatch.setattr(engine.inspect, 'getfile', lambda _: str(tmp_path / 'code.py'))
    (tmp_path / 'code.py').write_text('another version')
    run.append(OpenVinoEngine(_Wrapped(model), 1)(image)[0])
    assert len(list((tmp_path / 'vla_attention' / 'embedded').glob('*.xml'))) == 2
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))        # cannot be written to
    run.append(OpenVinoEngine(_Wrapped(model), 1)(image)[0])
    for found in run:
        assert torch.allclose(found, right, atol=1e-2)


class _Wrapped(torch.nn.Module):
    """Returns a tuple, as engines expect."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        return (self.model(image),)
