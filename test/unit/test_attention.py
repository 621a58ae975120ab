"""The mechanism against torch's own layer, its gradients, its masks and its errors."""

import pytest
import torch

from vla_attention.attention import (
    CrossAttention,
    MaskError,
    MultiHeadAttention,
    SelfAttention,
    ShapeError,
    scaled_dot_product_attention,
)

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 3e-2}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(7)


def torch_twin(layer: MultiHeadAttention) -> torch.nn.MultiheadAttention:
    """torch's layer with the same parameters."""
    separate = layer.key_dim != layer.hidden_dim
    dims = {'kdim': layer.key_dim, 'vdim': layer.key_dim} if separate else {}
    twin = torch.nn.MultiheadAttention(layer.hidden_dim, layer.heads, batch_first=True, **dims)
    parts = (layer.query, layer.key, layer.value)
    with torch.no_grad():
        if separate:
            twin.q_proj_weight.copy_(layer.query.weight)
            twin.k_proj_weight.copy_(layer.key.weight)
            twin.v_proj_weight.copy_(layer.value.weight)
        else:
            twin.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        for part in (*parts, layer.output):
            torch.nn.init.normal_(part.bias)
        twin.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        twin.out_proj.weight.copy_(layer.output.weight)
        twin.out_proj.bias.copy_(layer.output.bias)
    return twin.to(layer.query.weight.dtype)


def test_the_guides_example():
    output, weights = SelfAttention(hidden_dim=256)(torch.randn(1, 10, 256))
    assert output.shape == (1, 10, 256)
    assert weights.shape == (1, 10, 10)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 10))


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('key_dim', [None, 24])
def test_agrees_with_torch(dtype, key_dim):
    layer = MultiHeadAttention(32, 4, key_dim=key_dim)
    twin = torch_twin(layer).to(dtype)
    layer = layer.to(dtype)
    query = torch.randn(3, 5, 32, dtype=dtype)
    key = torch.randn(3, 7, layer.key_dim, dtype=dtype)
    mask = torch.rand(5, 7) > 0.3
    mask[:, 0] = True
    output, weights = layer(query, key, mask=mask, need_weights=True)
    want, want_weights = twin(query, key, key, attn_mask=~mask, average_attn_weights=False)
    tolerance = {'atol': TOLERANCE[dtype], 'rtol': TOLERANCE[dtype]}
    torch.testing.assert_close(output, want, **tolerance)
    torch.testing.assert_close(weights, want_weights, **tolerance)


@pytest.mark.parametrize('mask', [
    None,
    torch.tensor([True, True, False, True, True, False, True]).expand(5, 7),
    torch.zeros(5, 7).masked_fill(torch.eye(5, 7, dtype=torch.bool), float('-inf')),
    torch.ones(2, 1, 7, dtype=torch.bool),
    torch.ones(2, 5, 7, dtype=torch.bool),
    torch.ones(2, 4, 5, 7, dtype=torch.bool),
], ids=['none', 'bool', 'additive', 'keys', 'batch', 'heads'])
def test_the_fused_path_gives_the_same(mask):
    layer = MultiHeadAttention(32, 4)
    query, key = torch.randn(2, 5, 32), torch.randn(2, 7, 32)
    shown, weights = layer(query, key, mask=mask, need_weights=True)
    fused, none = layer(query, key, mask=mask)
    assert none is None
    torch.testing.assert_close(fused, shown)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 5))


@pytest.mark.parametrize('need_weights', [True, False])
def test_a_mask_that_blocks_nothing_need_not_be_searched(need_weights):
    torch.manual_seed(0)
    layer, tokens, bias = MultiHeadAttention(16, 4), torch.randn(2, 5, 16), torch.randn(1, 4, 5, 5)
    searched = layer(tokens, mask=bias, need_weights=need_weights)
    taken = layer(tokens, mask=bias, need_weights=need_weights, finite=True)
    torch.testing.assert_close(taken[0], searched[0])
    assert (taken[1] is None) == (not need_weights)
    if need_weights:
        torch.testing.assert_close(taken[1], searched[1])


def test_fused_path_calls_the_kernel(monkeypatch):
    called = []
    kernel = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr('vla_attention.attention.functional.scaled_dot_product_attention',
                        lambda *args, **kwargs: called.append(1) or kernel(*args, **kwargs))
    layer = MultiHeadAttention(16, 2)
    layer(torch.randn(1, 3, 16), need_weights=True)
    assert not called
    layer(torch.randn(1, 3, 16))
    assert called


def test_a_masked_key_gets_no_weight_and_a_blocked_query_gets_zeros():
    query, key = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[:, 2] = False
    mask[1] = False
    for need_weights in (True, False):
        output, weights = scaled_dot_product_attention(query, key, key, mask, need_weights=need_weights)
        assert torch.isfinite(output).all()
        assert not output[0, 1].any()
    output, weights = scaled_dot_product_attention(query, key, key, mask)
    assert not weights[..., 2].any()
    assert not weights[0, 1].any()
    torch.testing.assert_close(weights[0, [0, 2]].sum(-1), torch.ones(2))


@pytest.mark.parametrize('need_weights', [True, False])
@pytest.mark.parametrize('kind', ['bool', 'additive'])
def test_a_blocked_query_leaves_the_gradients_finite(need_weights, kind):
    tokens = torch.randn(1, 3, 8, requires_grad=True)
    mask = torch.ones(3, 3, dtype=torch.bool)
    mask[1] = False
    if kind == 'additive':
        mask = torch.zeros(3, 3).masked_fill(~mask, float('-inf'))
    output, _ = scaled_dot_product_attention(tokens, tokens, tokens, mask, need_weights=need_weights)
    output.sum().backward()
    assert torch.isfinite(tokens.grad).all()


def test_gradients():
    inputs = [torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    mask = torch.ones(3, 3, dtype=torch.bool).tril()
    assert torch.autograd.gradcheck(lambda *args: scaled_dot_product_attention(*args, mask), inputs)
    layer = CrossAttention(8, 2, key_dim=6, dtype=torch.float64)
    words = torch.randn(1, 2, 8, dtype=torch.float64, requires_grad=True)
    patches = torch.randn(1, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (words, patches))


def test_dropout_only_in_training():
    layer = MultiHeadAttention(16, 2, dropout=0.5)
    tokens = torch.randn(1, 9, 16)
    assert not torch.equal(layer(tokens, need_weights=True)[0], layer(tokens, need_weights=True)[0])
    layer.eval()
    torch.testing.assert_close(layer(tokens, need_weights=True)[0], layer(tokens)[0])


def test_state_survives_a_round_trip():
    layer, other = CrossAttention(16, 4, key_dim=12), CrossAttention(16, 4, key_dim=12)
    other.load_state_dict(layer.state_dict())
    words, patches = torch.randn(1, 3, 16), torch.randn(1, 6, 12)
    torch.testing.assert_close(layer(words, patches)[0], other(words, patches)[0])


@pytest.mark.parametrize(('query', 'key', 'value', 'says'), [
    ((3,), (3, 4), (3, 4), 'query must be'),
    ((2, 3, 4), (2, 3, 5), (2, 3, 5), 'same channels'),
    ((2, 3, 4), (2, 5, 4), (2, 6, 4), 'same length'),
    ((2, 3, 4), (3, 5, 4), (3, 5, 4), 'broadcast'),
])
def test_shapes_that_do_not_fit(query, key, value, says):
    with pytest.raises(ShapeError, match=says):
        scaled_dot_product_attention(torch.zeros(query), torch.zeros(key), torch.zeros(value))


def test_layers_name_the_shape_they_want():
    with pytest.raises(ShapeError, match='multiple of heads, got 10 and 3'):
        MultiHeadAttention(10, 3)
    with pytest.raises(ShapeError, match=r'query must be \(B, T, 16\), got \(3, 16\)'):
        MultiHeadAttention(16, 2)(torch.zeros(3, 16))
    with pytest.raises(ShapeError, match=r'key must be \(B, T, 12\), got \(1, 3, 16\)'):
        CrossAttention(16, 2, key_dim=12)(torch.zeros(1, 2, 16), torch.zeros(1, 3, 16))


@pytest.mark.parametrize(('mask', 'says'), [
    (torch.ones(3, 3, dtype=torch.int64), 'bool or torch.float32, got torch.int64'),
    (torch.ones(3, 4, dtype=torch.bool), r'broadcast to \(1, 3, 3\), got \(3, 4\)'),
    (torch.ones(2, 3, 3, dtype=torch.bool), r'broadcast to \(1, 3, 3\), got \(2, 3, 3\)'),
])
def test_masks_that_do_not_fit(mask, says):
    tokens = torch.zeros(1, 3, 4)
    with pytest.raises(MaskError, match=says):
        scaled_dot_product_attention(tokens, tokens, tokens, mask)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_half_precision_on_the_gpu():
    layer = MultiHeadAttention(64, 4, device='cuda', dtype=torch.float16)
    tokens = torch.randn(2, 9, 64, device='cuda', dtype=torch.float16)
    torch.testing.assert_close(layer(tokens)[0], layer(tokens, need_weights=True)[0], atol=2e-3, rtol=2e-3)


def test_half_precision_does_not_overflow_before_it_is_scaled():
    query = torch.full((1, 2, 64), 40.0, dtype=torch.float16)
    output, weights = scaled_dot_product_attention(query, query, query)
    fused, _ = scaled_dot_product_attention(query, query, query, need_weights=False)
    assert torch.isfinite(weights).all()
    torch.testing.assert_close(output, fused)


def test_a_mask_of_full_precision_is_taken_under_autocast():
    layer = MultiHeadAttention(16, 2).eval()
    tokens, mask = torch.randn(1, 3, 16), torch.zeros(3, 3)
    with torch.autocast('cpu', torch.bfloat16):
        output, _ = layer(tokens, mask=mask)
    torch.testing.assert_close(output.float(), layer(tokens, mask=mask)[0], atol=0.05, rtol=0.05)
