"""The network and its losses: what has to be true of them before anything is learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_model import SMALL

from yaff.errors import ConfigError
from yaff.geometry.signed_distance import TorchSignedDistance
from yaff.hand import load_hand
from yaff.learning.batches import BatchMaker
from yaff.learning.config import LossConfig, ModelConfig
from yaff.learning.encoder import gathered
from yaff.learning.hand_space import HandSpace, angles_of, rotation_from_columns
from yaff.learning.losses import Losses
from yaff.learning.model import AffordanceModel, parameter_count
from yaff.objects import ObjectModel
from yaff.search.rig import farthest_points


@pytest.fixture(scope="module")
def space() -> HandSpace:
    return HandSpace(load_hand())


@pytest.fixture(scope="module")
def losses(space: HandSpace, boxes: list[ObjectModel]) -> Losses:
    hand = load_hand()
    distance = TorchSignedDistance([box.sdf for box in boxes])
    return Losses(LossConfig(hands=16), space, distance, farthest_points(hand.template, 64))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_vectors_are_hands(seed: int) -> None:
    """There and back; any vector whatever is a hand within its limits."""
    space, generator = HandSpace(load_hand()), torch.Generator().manual_seed(seed)
    rotation = rotation_from_columns(torch.randn((4, 6), generator=generator))
    eye = torch.eye(3).expand(4, 3, 3)
    assert torch.allclose(rotation @ rotation.transpose(1, 2), eye, atol=1e-5)
    assert (torch.linalg.det(rotation) > 0.0).all()
    origin = 0.3 * torch.randn((4, 3), generator=generator)
    dof = space.lower + (space.upper - space.lower) * torch.rand((4, len(space.lower)), generator=generator)
    for found, wanted in zip(space.decode(space.encode(rotation, origin, dof)), (rotation, origin, dof), strict=True):
        assert torch.allclose(found, wanted, atol=1e-5)
    _, _, anything = space.decode(3.0 * torch.randn((4, space.width), generator=generator))
    assert (anything >= space.lower - 1e-6).all()
    assert (anything <= space.upper + 1e-6).all()


def test_vertices_are_those_of_the_hand_model(space: HandSpace) -> None:
    hand, rng = load_hand(), np.random.default_rng(0)
    dof = rng.uniform(space.anatomy.lower, space.anatomy.upper, (3, len(space.anatomy)))
    wrist, translation = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    T = hand.wrist_transform(wrist, translation)
    expected = hand.vertices(space.anatomy.pose_from_dof(dof), wrist, translation)
    rotation, origin, angles = (torch.tensor(v, dtype=torch.float32) for v in (T[:, :3, :3], T[:, :3, 3], dof))
    assert np.abs(space.vertices(rotation, origin, angles).numpy() - expected).max() < 1e-5
    assert np.abs(angles_of(space.anatomy, space.anatomy.pose_from_dof(dof)) - dof).max() < 1e-6


def test_gathered_rows() -> None:
    values, rows = torch.arange(24.0).reshape(2, 4, 3), torch.tensor([[[0, 3]], [[2, 2]]])
    expected = torch.stack([values[0, [0, 3]], values[1, [2, 2]]])[:, None]
    assert torch.equal(gathered(values, rows), expected)


def test_the_default_model_is_small(space: HandSpace) -> None:
    assert parameter_count(AffordanceModel(ModelConfig(), space.width)) < 5_000_000


def test_neighbours_do_not_depend_on_the_rest_of_the_batch(maker: BatchMaker, space: HandSpace) -> None:
    torch.manual_seed(0)
    model = AffordanceModel(SMALL, space.width).eval()
    batch = maker.make(maker.table.rows[:6], (0,))
    with torch.no_grad():
        together, alone = model(batch.points), model(batch.points[2:3])
        # the order of the points after the centres does not matter
        order = torch.cat([torch.arange(12), 12 + torch.randperm(batch.points.shape[1] - 12)])
        shuffled = model(batch.points[:, order])
    for all_of_them, one, mixed in zip(together, alone, shuffled, strict=True):
        assert torch.allclose(all_of_them[2:3], one, atol=1e-5)
        assert torch.allclose(all_of_them, mixed, atol=1e-5)


def test_every_weight_is_taught(maker: BatchMaker, space: HandSpace, losses: Losses) -> None:
    torch.manual_seed(0)
    model = AffordanceModel(SMALL, space.width)
    for layer in model.flow.modulate:  # they start at zero, behind which nothing would be taught in the first step
        torch.nn.init.normal_(layer.weight, std=0.1)  # type: ignore[arg-type]
    values = losses(model, maker.make(maker.table.rows[:8], (0,)), torch.Generator().manual_seed(0))
    values["total"].backward()
    assert set(values) >= {"types", "places", "flow", "vertices", "contact", "penetration", "plane", "total"}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0.0, name


def test_the_true_hand_costs_nothing(maker: BatchMaker, space: HandSpace, losses: Losses) -> None:
    batch = maker.make(maker.table.rows[:4], (0,))
    rows = torch.arange(16)
    instance = torch.arange(4).repeat_interleave(4)
    truth = space.encode(batch.rotation.flatten(0, 1), batch.origin.flatten(0, 1), batch.dof.flatten(0, 1))
    right = losses._hands(truth, batch, instance, rows)
    assert float(right["vertices"]) < 1e-6
    assert float(right["contact"]) < 1e-6
    aside = truth.clone()
    aside[:, :3] += torch.tensor([0.0, 0.0, -3.0])  # 30 cm down
    wrong = losses._hands(aside, batch, instance, rows)
    assert float(wrong["vertices"]) > 1.0
    assert float(wrong["plane"]) > float(right["plane"])


def test_losses_are_drawn_by_the_generator(maker: BatchMaker, space: HandSpace, losses: Losses) -> None:
    torch.manual_seed(0)
    model, batch = AffordanceModel(SMALL, space.width).eval(), maker.make(maker.table.rows[:4], (0,))
    first, again, other = (
        float(losses(model, batch, torch.Generator().manual_seed(seed))["flow"].detach()) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_the_flow_learns_a_set_of_hands(space: HandSpace) -> None:
    """Two hands for one condition: what is drawn is the one or the other, and not what lies between them."""
    torch.manual_seed(0)
    model = AffordanceModel(replace(SMALL, flow_width=64), space.width)
    hands = torch.stack([torch.full((space.width,), 0.8), torch.full((space.width,), -0.8)])
    condition = torch.zeros(64, SMALL.width + SMALL.whole + 32)
    optimiser = torch.optim.Adam(model.flow.parameters(), lr=3e-3)
    for _ in range(200):
        target = hands[torch.randint(2, (64,))]
        noise, time = torch.randn_like(target), torch.rand(64)
        end = model.flow((1 - time[:, None]) * noise + time[:, None] * target, time, condition)
        loss = ((end - target) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    x = torch.randn(64, space.width)
    with torch.no_grad():
        for k in range(10):
            end = model.flow(x, torch.full((64,), k / 10), condition)
            x = x + (end - x) * 0.1 / (1.0 - k / 10)
    apart = (x[:, None] - hands).abs().mean(-1)
    assert apart.min(1).values.max() < 0.5  # half-way would be 0.8
    assert 8 < int((apart[:, 0] < apart[:, 1]).sum()) < 56


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (ModelConfig, {"width": 30}),
        (ModelConfig, {"flow_layers": 0}),
        (LossConfig, {"late": 1.0}),
        (LossConfig, {"place_spread": 0.0}),
    ],
)
def test_impossible_configurations(config: type, wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        config(**wrong)
