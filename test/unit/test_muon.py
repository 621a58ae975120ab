"""The optimizer of two: matrices by Muon, the rest by AdamW, and what it keeps for the next run."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from training.muon import MuonWithAdamW


def make(seed=0):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv1d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv1d(16, 4, 1))
    return network, MuonWithAdamW(network, 0.02, is_matrix=lambda name, parameter: name == '0.weight')


def steps(network, optimizer, count):
    inputs = torch.randn(4, 8, 10, generator=torch.Generator().manual_seed(1))
    losses = []
    for _ in range(count):
        loss = (network(inputs) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_both_kinds_of_parameters_learn():
    network, optimizer = make()
    before = [parameter.clone() for parameter in network.parameters()]
    losses = steps(network, optimizer, 60)
    assert losses[-1] < losses[0] / 10
    assert all((old != new).any() for old, new in zip(before, network.parameters(), strict=True))


def test_a_step_of_muon_goes_as_far_along_each_direction():
    network, optimizer = make()
    before = network[0].weight.detach().clone()
    steps(network, optimizer, 1)
    taken = torch.linalg.svdvals((network[0].weight.detach() - before).flatten(1))
    assert taken.min() > taken.max() / 3      # of a plain gradient they differ by orders of magnitude


def test_a_run_goes_on_where_it_stopped():
    network, optimizer = make()
    steps(network, optimizer, 3)
    again, other = make(seed=2)
    again.load_state_dict(network.state_dict())
    other.load_state_dict(deepcopy(optimizer.state_dict()))
    assert steps(again, other, 3) == steps(network, optimizer, 3)


def test_the_rate_is_that_of_both_and_what_has_no_gradient_stays():
    network, optimizer = make()
    optimizer.set_rate(0.0)
    before = [parameter.clone() for parameter in network.parameters()]
    steps(network, optimizer, 2)
    optimizer.set_rate(0.1)
    optimizer.zero_grad()
    optimizer.step()
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_matrices_decay_by_rate_times_decay_of_their_own():
    network, optimizer = make()
    network.requires_grad_(False)
    for parameter in network.parameters():
        parameter.fill_(1.0)
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    matrix, rest = (1 - float(network[number].weight.mean()) for number in (0, 2))
    assert rest == pytest.approx(0.02 * 0.01, rel=1e-3)
    assert matrix == pytest.approx(15 * rest, rel=1e-3)


def test_a_matrix_that_lies_otherwise_in_memory_is_refused():
    network = nn.Sequential(nn.Conv2d(4, 8, 3)).to(memory_format=torch.channels_last)
    with pytest.raises(ValueError, match=r'0\.weight \(8, 4, 3, 3\) is not contiguous'):
        MuonWithAdamW(network, 0.02, is_matrix=lambda name, parameter: True)


def test_a_transposed_matrix_is_changed_in_place():
    network = nn.Linear(3, 5, bias=False)
    network.weight = nn.Parameter(torch.ones(3, 5).t())
    optimizer = MuonWithAdamW(nn.Sequential(network, nn.LayerNorm(5)), 0.02,
                              is_matrix=lambda name, parameter: True)
    network.weight.grad = torch.randn(5, 3)
    optimizer.step()
    assert (network.weight != 1).all()
