"""Late layers that differ a little: what they change and share, and that training computes what runs."""

import pytest
import torch

from vla_attention.grounding.crop_attention import CropHead
from vla_attention.vision.backbone import EfficientNetLite0
from vla_attention.vision.low_rank import LateChange, late_convolutions


@pytest.fixture(scope='module')
def backbone():
    torch.manual_seed(0)
    return EfficientNetLite0().eval()


@pytest.fixture
def changed(backbone):
    """A change of some size, and the backbone with it."""
    torch.manual_seed(1)
    change = LateChange(rank=3)
    with torch.no_grad():
        for part in change.parts.values():
            part.up.normal_(std=0.02)
            part.bias.normal_(std=0.02)
    return change, change.applied(backbone)


def test_nothing_changes_before_training(backbone):
    image = torch.rand(1, 3, 64, 64) * 255
    for before, after in zip(backbone(image), LateChange().applied(backbone)(image), strict=True):
        assert torch.allclose(before, after, atol=1e-6)


def test_only_late_layers_change_and_the_others_are_shared(backbone, changed):
    _, other = changed
    image = torch.rand(1, 3, 64, 64) * 255
    before, after = backbone(image), other(image)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert not torch.allclose(before[2], after[2], atol=1e-2)
    names = {name for name, _ in late_convolutions(backbone)}
    assert {'head', 'blocks.11.expand', 'blocks.15.project'} <= names
    own = dict(other.named_parameters())
    for name, parameter in backbone.named_parameters():
        late = name.rsplit('.', 1)[0] in names
        assert (own[name].data_ptr() == parameter.data_ptr()) is not late, name


def test_a_change_is_of_low_rank(backbone, changed):
    _, other = changed
    moved = (other.head.weight - backbone.head.weight).flatten(1)
    assert torch.linalg.matrix_rank(moved, rtol=1e-4) == 3


def test_training_computes_what_runs(backbone):
    training = pytest.importorskip('training.grounding.train_crops')
    torch.manual_seed(2)
    head = CropHead(2)
    with torch.no_grad():
        for part in head.late.parts.values():
            part.up.normal_(std=0.02)
    sixteenth = torch.rand(2, 112, 10, 10)
    expected = head.late.applied(backbone).late(sixteenth).flatten(2).transpose(1, 2)
    model = training.SecondLookTraining(backbone, head, None, torch.zeros(0, dtype=torch.long))
    found = model.late(sixteenth)
    assert (found - expected).pow(2).mean().sqrt() < 0.02 * expected.std()      # training is in bfloat16
    found.mean().backward()
    assert all(part.up.grad.abs().max() > 0 for part in head.late.parts.values())
    assert all(parameter.grad is None for parameter in backbone.parameters())
