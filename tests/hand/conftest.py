"""A hand made of noise on the contract's skeleton: every blend shape is at work, nothing is special."""

from __future__ import annotations

import numpy as np
import pytest

from yaff.hand.model import FINGER_JOINTS, PARENTS, HandModel

ROOT = np.array([0.0957, 0.0064, 0.0062])
BASES = {  # first joint from the wrist, lengths of the first two bones and of the rest to the tip, direction
    "index": ((-0.088, -0.005, 0.021), (0.033, 0.022, 0.024), (-1.0, 0.0, 0.12)),
    "middle": ((-0.095, -0.001, -0.003), (0.032, 0.023, 0.025), (-1.0, 0.0, 0.0)),
    "ring": ((-0.082, -0.004, -0.027), (0.029, 0.025, 0.024), (-1.0, 0.0, -0.1)),
    "pinky": ((-0.069, -0.010, -0.043), (0.021, 0.019, 0.020), (-1.0, 0.0, -0.25)),
    "thumb": ((-0.024, -0.016, 0.026), (0.031, 0.027, 0.026), (-0.75, -0.05, 0.66)),
}


def skeleton() -> tuple[np.ndarray, np.ndarray]:
    """Joints (16, 3) and fingertips (5, 3) of the contract."""
    joints, tips = np.zeros((16, 3)), np.zeros((5, 3))
    joints[0] = ROOT
    for k, (finger, chain) in enumerate(FINGER_JOINTS.items()):
        base, lengths, direction = BASES[finger]
        unit = np.array(direction) / np.linalg.norm(direction)
        joints[chain[0]] = ROOT + base
        joints[chain[1]] = joints[chain[0]] + lengths[0] * unit
        joints[chain[2]] = joints[chain[1]] + lengths[1] * unit
        tips[k] = joints[chain[2]] + lengths[2] * unit
    return joints, tips


def make_synthetic_model() -> HandModel:
    rng = np.random.default_rng(7)
    joints, tips = skeleton()
    template = np.empty((778, 3))
    weights = np.zeros((778, 16))
    regressor = np.zeros((16, 778))
    ends = {chain[2]: tip for chain, tip in zip(FINGER_JOINTS.values(), tips, strict=True)}
    for v in range(778):
        bone = v % 16
        children = [j for j in range(16) if PARENTS[j] == bone]
        end = ends[bone] if bone in ends else joints[children[(v // 16) % len(children)]]
        template[v] = joints[bone] + rng.uniform(0, 1) * (end - joints[bone]) + rng.normal(0, 0.004, 3)
        weights[v] = rng.dirichlet(np.full(16, 0.05)) * 0.2
        weights[v, bone] += 0.8
    for j in range(16):  # affine combinations of five vertices that give exactly the joint
        rows = np.arange(j, 778, 16)[:12]
        system = np.vstack([template[rows].T, np.ones(12)])
        regressor[j, rows] = np.linalg.lstsq(system, np.append(joints[j], 1.0), rcond=None)[0]
    return HandModel(
        name="synthetic",
        side="right",
        template=template,
        faces=rng.integers(0, 778, (1538, 3)),
        weights=weights,
        shape_directions=rng.normal(0, 1e-3, (778, 3, 10)),
        pose_directions=rng.normal(0, 1e-3, (778, 3, 135)),
        joint_regressor=regressor,
        parents=np.array(PARENTS),
    )


@pytest.fixture(scope="session")
def synthetic() -> HandModel:
    return make_synthetic_model()
