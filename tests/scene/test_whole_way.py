"""Real object models and the real hand through the whole room: drop, read, group, plane, feasibility, projection."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from yaff.geometry.transforms import apply
from yaff.grasp.batch import Grasps
from yaff.hand import HandModel
from yaff.objects import StandInSource, load_object
from yaff.scene import (
    Infeasible,
    SceneConfig,
    YcbVideoReader,
    compose_wrist_pairs,
    generate_scenes,
    group_arrangements,
    refine_with_depth,
    support_plane,
    viewpoints,
)
from yaff.scene.feasibility import feasibility


def test_from_meshes_to_hands_in_the_camera_frame(hand: HandModel, cache_dir: Path, tmp_path: Path) -> None:
    models = [load_object(name, StandInSource(), cache_dir) for name in ("009_gelatin_box", "061_foam_brick")]
    by_index = {m.index: m for m in models}
    config = SceneConfig(n_scenes=1, n_frames=6, min_objects=2, max_objects=2, image_every=3, supersample=1)
    generate_scenes(tmp_path / "scenes", models, 3, config)

    reader = YcbVideoReader(tmp_path / "scenes")
    table, bad = reader.read(0)
    assert bad == ()
    arrangements = group_arrangements(table)
    assert len(arrangements) == 1
    row = int(arrangements.representative[0])
    here = table.instances(row)
    Ts, index = table.Ts_camera_object[here], table.object_index[here]
    points = [np.asarray(by_index[int(i)].solid.vertices) for i in index]
    plane = support_plane(
        Ts,
        points,
        masses=[by_index[int(i)].mass for i in index],
        centres_of_mass=[by_index[int(i)].centre_of_mass for i in index],
        Ts_camera_view=viewpoints(table, arrangements, 0),
    )
    depth = reader.depth(0, int(table.frames[row]))
    assert depth is not None
    plane = refine_with_depth(plane, depth, table.intrinsics[row], Ts, points)
    assert plane.source == "depth"
    assert all(abs(plane.height(apply(T, p)).min()) < 0.003 for T, p in zip(Ts, points, strict=True))

    # hands all round each object: some from above are free, those from below are in the table
    rng = np.random.default_rng(0)
    n = 60
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    grasps = {
        m.index: Grasps.make(
            m.name,
            rng.normal(size=(n, 45)) * 0.1,
            rng.normal(size=(n, 3)),
            0.2 * direction - hand.root(),
            np.full(n, 9),
            pregrasp_translation=(0.3 * direction - hand.root()).astype(np.float32),
        )
        for m in models
    }
    verdicts = feasibility(hand, by_index, Ts, index, plane, grasps)
    for T, i, (code, clearance) in zip(Ts, index, verdicts, strict=True):
        assert {Infeasible.FEASIBLE, Infeasible.TABLE} <= set(code.tolist())
        skin = apply(np.repeat(T[None], n, 0), hand.vertices(grasps[int(i)]))
        lowest = plane.height(skin).min(axis=1)
        assert (code[lowest < -0.003] != Infeasible.FEASIBLE).all()
        assert (clearance <= lowest + 1e-6).all()

        # every hand in every frame, composed, stands where its object carries it
        instances = np.flatnonzero(table.object_index == i)
        instance, grasp = np.repeat(instances, n), np.tile(np.arange(n), len(instances))
        batch = grasps[int(i)]
        rotation, translation = compose_wrist_pairs(
            table.Ts_camera_object, instance, batch.wrist_rotation, batch.translation, grasp, np.asarray(hand.root())
        )
        pick = rng.integers(len(instance), size=5)
        in_camera = hand.vertices(batch.pose[grasp[pick]].astype(np.float64), rotation[pick], translation[pick])
        in_object = hand.vertices(batch[grasp[pick]])
        assert np.abs(in_camera - apply(table.Ts_camera_object[instance[pick]], in_object)).max() < 1e-9
