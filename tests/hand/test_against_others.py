"""The written hand as others load it: smplx itself, and what manopth asks of the file.

smplx is in the ``dev`` extra. manopth is on no package index and needs chumpy, which does not import under NumPy 2; it
is not run here. Its reading of the file (keys, types, slices) is repeated step by step instead.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from yaff.grasp.natural_poses import with_natural_components
from yaff.hand import HandModel, load_hand
from yaff.hand.mano_files import MANO_FILES, mano_pickle


@pytest.fixture(scope="module")
def models() -> dict[str, HandModel]:
    return {side: with_natural_components(load_hand(side)) for side in ("right", "left")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, models) -> Path:
    path = tmp_path_factory.mktemp("mano")
    for side, name in MANO_FILES.items():
        (path / name).write_bytes(mano_pickle(models[side]))
    return path


def random_hands(n: int, seed: int):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(0, 0.5, (n, 45)),
        rng.normal(0, 1.5, (n, 3)),
        rng.normal(0, 0.5, (n, 3)),
        rng.normal(0, 1, (n, 10)),
    )


@pytest.mark.parametrize("flat_hand_mean", [False, True])
@pytest.mark.parametrize("count", [None, 6, 15, 44], ids=["axis-angle", "6", "15", "44"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_smplx_computes_our_vertices(folder, models, side, count, flat_hand_mean):
    """1,000 hands of either side in axis-angle, with the mean pose and without; fewer with components."""
    smplx = pytest.importorskip("smplx", reason="smplx is not installed: pip install -e .[dev]")
    model = models[side]
    n = 100 if count else 1000
    pose, wrist, translation, shape = random_hands(n, seed=n + (count or 0))
    layer = smplx.create(
        str(folder / MANO_FILES[side]),
        model_type="mano",
        is_rhand=side == "right",
        use_pca=count is not None,
        num_pca_comps=count or 45,
        flat_hand_mean=flat_hand_mean,
        batch_size=n,
        dtype=torch.float64,
    )
    hand_pose = pose
    if count:
        hand_pose = pose[:, :count] * 2.0
        pose = model.components.pose(hand_pose, flat_hand_mean=flat_hand_mean)
    elif not flat_hand_mean:
        hand_pose = pose - model.components.mean
    with torch.no_grad():
        theirs = layer(
            betas=torch.tensor(shape),
            global_orient=torch.tensor(wrist),
            hand_pose=torch.tensor(hand_pose),
            transl=torch.tensor(translation),
        )
    ours = model.vertices(pose, wrist, translation, shape)
    assert np.abs(theirs.vertices.numpy() - ours).max() < 1e-6
    assert np.abs(theirs.joints.numpy() - model.joints(pose, wrist, translation, shape)).max() < 1e-6


@pytest.mark.parametrize("side", ["right", "left"])
def test_manopth_finds_what_it_reads(folder, models, side):
    """Keys, types and slices of manopth's ``ready_arguments`` and ``ManoLayer``, and of MANO's own ``load_model``."""
    with (folder / MANO_FILES[side]).open("rb") as file:
        data = pickle.load(file, encoding="latin1")
    assert type(data) is dict
    assert not {"pose", "trans", "betas", "J"} & data.keys()  # made by ready_arguments where they are missing
    for key in ("v_template", "weights", "posedirs", "shapedirs"):  # handed to chumpy.array
        assert type(data[key]) is np.ndarray
        assert data[key].dtype == np.float64
    assert data["bs_type"] == "lrotmin"
    assert data["bs_style"] == "lbs"
    assert data["kintree_table"].shape[1] * 3 == 48
    assert data["kintree_table"][0].tolist()[1:] == models[side].parents[1:].tolist()
    assert isinstance(data["J_regressor"], sparse.csc_matrix)  # MatVecMult wants a sparse matrix, the layer .toarray()
    assert np.array(data["J_regressor"].toarray()).shape == (16, 778)
    assert data["f"].astype(np.int32).min() >= 0
    assert data["f"].shape == (1538, 3)
    shaped = data["shapedirs"].dot(np.zeros(10)) + data["v_template"]
    np.testing.assert_array_equal(shaped, models[side].template)
    joints = np.stack([data["J_regressor"] @ shaped[:, axis] for axis in range(3)], 1)
    np.testing.assert_allclose(joints, models[side].rest_joints, atol=1e-15)
    assert data["posedirs"].dot(np.zeros(135)).shape == (778, 3)
    for count in (6, 45):
        assert data["hands_components"][:count].shape == (count, 45)
        assert data["hands_coeffs"][:, :count].shape == (1, count)
    assert data["hands_mean"].copy().shape == (45,)
    np.testing.assert_array_equal(data["hands_components"], models[side].components.components)
    np.testing.assert_array_equal(data["hands_mean"], models[side].components.mean)


def test_components_travel_with_the_hand(folder, models):
    hand = load_hand("right", folder)
    assert hand.name == "mano"
    np.testing.assert_array_equal(hand.components.components, models["right"].components.components)
    np.testing.assert_array_equal(hand.mirrored().components.mean, models["left"].components.mean)
    assert with_natural_components(hand) is hand
    assert hand.digest == replace(hand, components=None).digest == load_hand("right").digest
