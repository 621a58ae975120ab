"""Eight-bit convolutions: what is rounded, what stays, and how far answers move."""

import numpy as np
import pytest
import torch

from vla_attention.grounding.embedded_model import load_model
from vla_attention.grounding.second_look import cut
from vla_attention.vision.backbone import EfficientNetLite0, SameConvolution
from vla_attention.vision.engine import OpenVinoEngine, as_tensor
from vla_attention.vision.int8 import Int8Convolution, convolutions, in_int8


@torch.no_grad()
@pytest.mark.parametrize('stride', [1, 2])
def test_a_rounded_convolution_is_near_the_exact_one(stride):
    torch.manual_seed(0)
    exact = SameConvolution(8, 16, 3, stride)
    rounded = Int8Convolution(exact, -2.0, 4.0)
    tokens = torch.rand(1, 8, 16, 16) * 6 - 2
    error = rounded(tokens) - exact(tokens)
    assert 0 < error.abs().max() < 0.03
    # an input beyond the range is cut off at its end, and 0 stays 0
    assert torch.equal(rounded(torch.full((1, 8, 8, 8), 50.0)), rounded(torch.full((1, 8, 8, 8), 4.0)))
    assert rounded(torch.zeros(1, 8, 4, 4))[0, :, 0, 0].tolist() == pytest.approx(exact.bias.tolist())


def test_ranges_say_which_convolutions_are_rounded():
    model = EfficientNetLite0()
    ranges = torch.tensor([[-1.0, 6.0]]).repeat(len(convolutions(model)), 1)
    ranges[:2] = torch.nan
    rounded = in_int8(model, ranges)
    assert isinstance(rounded.stem, SameConvolution)
    found = [module for module in rounded.modules() if isinstance(module, Int8Convolution)]
    assert len(found) == len(ranges) - 2
    assert not [module for module in model.modules() if isinstance(module, Int8Convolution)]
    with pytest.raises(ValueError, match=rf'ranges must be \({len(ranges)}, 2\)'):
        in_int8(model, ranges[1:])


@pytest.mark.parametrize('look', ['first', 'second'])
def test_the_backbones_of_the_package_keep_their_features_in_eight_bits(look):
    skimage_data = pytest.importorskip('skimage.data')
    pytest.importorskip('openvino')
    model = load_model()
    image = np.ascontiguousarray(skimage_data.coffee()[:384, :576])
    backbone, ranges = model.sight.backbone, model.ranges
    if look == 'second':
        backbone, ranges = model.second.sight.backbone, model.second.ranges
        image = cut(image, np.array([[210, 80, 400, 300]], np.float32))
    assert ranges is not None
    with torch.no_grad():
        exact = backbone(as_tensor(image))
    rounded = OpenVinoEngine(backbone, 1, precision='int8', ranges=ranges)(image)
    for right, found in zip(exact, rounded, strict=True):
        assert float((found - right).pow(2).mean().sqrt() / right.std()) < 0.25


def test_a_precision_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="'int8' needs the ranges"):
        OpenVinoEngine(torch.nn.Identity(), precision='int8')
    with pytest.raises(ValueError, match="one of auto, int8, bf16, f32, got 'fp4'"):
        OpenVinoEngine(torch.nn.Identity(), precision='fp4')
