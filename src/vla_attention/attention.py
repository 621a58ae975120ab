"""The mechanism itself: query-key-value attention that can show its weights.

Scaled dot-product and multi-head attention as in Vaswani et al., "Attention Is All You Need" (2017),
section 3.2. Each layer has two paths with equal results: where the weights are asked for, the softmax is
written out and returned; otherwise torch's fused kernel runs, which never stores them.

Example::

    >>> import torch
    >>> attention = SelfAttention(hidden_dim=256)
    >>> output, weights = attention(torch.zeros(1, 10, 256), need_weights=True)
    >>> output.shape, weights.shape
    (torch.Size([1, 10, 256]), torch.Size([1, 10, 10]))
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class ShapeError(ValueError):
    """A tensor's shape does not fit; the message gives the shape that is expected and the one that came."""


class MaskError(ValueError):
    """A mask is of another dtype than bool or the query's, or its shape does not broadcast."""


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *,
                                 need_weights: bool = True, dropout: float = 0.0, finite: bool = False,
                                 ) -> tuple[Tensor, Tensor | None]:
    """Attend from each query to all keys: softmax(Q K^T / sqrt(d)) V.

    :param query: (..., Tq, d), any floating dtype and device.
    :param key: (..., Tk, d).
    :param value: (..., Tk, dv).
    :param mask: broadcasts to (..., Tq, Tk). Bool: True may be attended to; floating: added to the scores.
        A query that may attend to nothing gets zeros, in output and weights alike.
    :param need_weights: False takes torch's fused kernel and returns None for the weights.
    :param dropout: probability with which a weight is dropped (pass 0 outside training).
    :param finite: the mask is floating and blocks nothing, and is not searched for queries that it blocks.
    :returns: output (..., Tq, dv) and weights (..., Tq, Tk) whose rows sum to 1 (before dropout).
    :raises ShapeError: the shapes do not fit one another.
    :raises MaskError: the mask does not fit.
    """
    _check_shapes(query, key, value)
    blocked = None
    if mask is not None:
        _check_mask(mask, query, key)
        if not finite:
            mask, blocked = _unblock(mask)
    if not need_weights:
        output = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return (output if blocked is None else output.masked_fill(blocked, 0.0)), None
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)     # first: half ends at 65,504
    if mask is not None:
        scores = scores.masked_fill(~mask, float('-inf')) if mask.dtype == torch.bool else scores + mask
    weights = scores.softmax(dim=-1)
    if blocked is not None:
        weights = weights.masked_fill(blocked, 0.0)
    kept = functional.dropout(weights, dropout) if dropout else weights
    return kept @ value, weights


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each over its own share of the channels.

    Same parameters and results as :class:`torch.nn.MultiheadAttention` with ``batch_first=True``, but
    weights come back head by head, so that a head can be given a meaning, supervised and drawn.
    """

    def __init__(self, hidden_dim: int, heads: int, *, key_dim: int | None = None, bias: bool = True,
                 dropout: float = 0.0, device: torch.device | str | None = None,
                 dtype: torch.dtype | None = None) -> None:
        """Make the layer.

        :param hidden_dim: channels of query and output; a multiple of ``heads``.
        :param key_dim: channels of key and value; ``hidden_dim`` when None.
        :raises ShapeError: ``hidden_dim`` is no multiple of ``heads``.
        """
        super().__init__()
        if heads < 1 or hidden_dim % heads:
            raise ShapeError(f'hidden_dim must be a multiple of heads, got {hidden_dim} and {heads}')
        self.hidden_dim = hidden_dim
        self.heads = heads
        self.key_dim = hidden_dim if key_dim is None else key_dim
        self.dropout = dropout
        self.query = nn.Linear(hidden_dim, hidden_dim, bias=bias, device=device, dtype=dtype)
        self.key = nn.Linear(self.key_dim, hidden_dim, bias=bias, device=device, dtype=dtype)
        self.value = nn.Linear(self.key_dim, hidden_dim, bias=bias, device=device, dtype=dtype)
        self.output = nn.Linear(hidden_dim, hidden_dim, bias=bias, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start from Xavier-uniform projections and zero biases, as torch's layer does."""
        for layer in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, query: Tensor, key: Tensor | None = None, value: Tensor | None = None,
                mask: Tensor | None = None, need_weights: bool = False, *,
                finite: bool = False) -> tuple[Tensor, Tensor | None]:
        """Attend from ``query`` to ``key``.

        :param query: (B, Tq, hidden_dim).
        :param key: (B, Tk, key_dim); ``query`` when None (self-attention).
        :param value: (B, Tk, key_dim); ``key`` when None.
        :param mask: bool (True may be attended to) or floating (added), of shape (Tq, Tk), (B, 1, Tk),
            (B, Tq, Tk) or (B, heads, Tq, Tk).
        :param finite: the mask is floating and blocks nothing.
        :returns: output (B, Tq, hidden_dim), and weights (B, heads, Tq, Tk) or None.
        :raises ShapeError: a tensor's shape does not fit.
        :raises MaskError: the mask does not fit.
        """
        key = query if key is None else key
        value = key if value is None else value
        for name, tensor, channels in (('query', query, self.hidden_dim), ('key', key, self.key_dim),
                                       ('value', value, self.key_dim)):
            if tensor.dim() != 3 or tensor.shape[-1] != channels:
                raise ShapeError(f'{name} must be (B, T, {channels}), got {tuple(tensor.shape)}')
        if mask is not None and mask.dim() == 3:
            mask = mask.unsqueeze(1)
        queries = self._split(self.query(query))
        if mask is not None and mask.dtype != queries.dtype and torch.is_autocast_enabled(query.device.type):
            mask = mask if mask.dtype == torch.bool else mask.to(queries.dtype)
        attended, weights = scaled_dot_product_attention(
            queries, self._split(self.key(key)), self._split(self.value(value)), mask,
            need_weights=need_weights, dropout=self.dropout if self.training else 0.0, finite=finite)
        return self.output(attended.transpose(1, 2).flatten(2)), weights

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, T, hidden_dim) -> (B, heads, T, hidden_dim / heads)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class SelfAttention(nn.Module):
    """One-head attention of a sequence to itself."""

    def __init__(self, hidden_dim: int = 256, *, dropout: float = 0.0,
                 device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(hidden_dim, 1, dropout=dropout, device=device, dtype=dtype)

    def forward(self, tokens: Tensor, mask: Tensor | None = None,
                need_weights: bool = True) -> tuple[Tensor, Tensor | None]:
        """Attend.

        :param tokens: (B, T, hidden_dim).
        :param mask: as in :meth:`MultiHeadAttention.forward`.
        :returns: output (B, T, hidden_dim), and weights (B, T, T) whose rows sum to 1, or None.
        :raises ShapeError: ``tokens`` is of another shape.
        """
        output, weights = self.attention(tokens, mask=mask, need_weights=need_weights)
        return output, None if weights is None else weights.squeeze(1)


class CrossAttention(nn.Module):
    """Multi-head attention from one sequence (the words) to another (the patches of the image)."""

    def __init__(self, hidden_dim: int = 256, heads: int = 8, *, key_dim: int | None = None,
                 dropout: float = 0.0, device: torch.device | str | None = None,
                 dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(hidden_dim, heads, key_dim=key_dim, dropout=dropout,
                                            device=device, dtype=dtype)

    def forward(self, words: Tensor, patches: Tensor, mask: Tensor | None = None,
                need_weights: bool = True) -> tuple[Tensor, Tensor | None]:
        """Attend from words to patches.

        :param words: (B, W, hidden_dim).
        :param patches: (B, P, key_dim).
        :param mask: as in :meth:`MultiHeadAttention.forward`.
        :returns: output (B, W, hidden_dim), and weights (B, heads, W, P) whose rows sum to 1, or None.
        :raises ShapeError: a tensor is of another shape.
        """
        return self.attention(words, patches, mask=mask, need_weights=need_weights)


def _check_shapes(query: Tensor, key: Tensor, value: Tensor) -> None:
    for name, tensor in (('query', query), ('key', key), ('value', value)):
        if tensor.dim() < 2:
            raise ShapeError(f'{name} must be (..., T, d), got {tuple(tensor.shape)}')
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError('query and key must have the same channels, '
                         f'got {query.shape[-1]} and {key.shape[-1]}')
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError('key and value must be of the same length, '
                         f'got {key.shape[-2]} and {value.shape[-2]}')
    if query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        return
    try:
        torch.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except RuntimeError:
        raise ShapeError('query, key and value must have batch dimensions that broadcast, got '
                         f'{tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}') from None


def _check_mask(mask: Tensor, query: Tensor, key: Tensor) -> None:
    if mask.dtype != torch.bool and mask.dtype != query.dtype:
        raise MaskError(f'mask must be bool or {query.dtype}, got {mask.dtype}')
    if mask.shape == (*query.shape[:-1], key.shape[-2]) and query.shape[:-2] == key.shape[:-2]:
        return      # the usual case, without the cost of broadcasting
    scores = (*torch.broadcast_shapes(query.shape[:-2], key.shape[:-2]), query.shape[-2], key.shape[-2])
    try:
        fits = torch.broadcast_shapes(mask.shape, scores) == torch.Size(scores)
    except RuntimeError:
        fits = False
    if not fits:
        raise MaskError(f'mask must broadcast to {tuple(scores)}, got {tuple(mask.shape)}')


def _unblock(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Open the rows that allow nothing, and return them as (..., Tq or 1, 1) bool.

    The softmax of such a row is NaN, and so are its gradients; open, it is finite and can be set to zero.
    """
    if mask.dtype == torch.bool:
        blocked = ~mask.any(dim=-1, keepdim=True)
        return mask | blocked, blocked
    blocked = (mask == float('-inf')).all(dim=-1, keepdim=True)
    return mask.masked_fill(blocked, 0.0), blocked
