"""Reading scenes, and the planes they stand on, on the real pose set.

python -m benchmarks scenes                    # YAFF_DATA, default ../shared/data
YAFF_TREE=DIR python -m benchmarks scenes      # and DIR/data/SSSS/FFFFFF-meta.mat, a YCB-Video tree, indexed
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from benchmarks.data import real_data
from benchmarks.figures import Figure, best_of


def scenes() -> Iterator[Figure]:
    """All figures; those of a tree are left out where YAFF_TREE names none."""
    yield from _table()
    yield from _one_file()
    yield from _planes()
    if tree := os.environ.get("YAFF_TREE"):
        yield from _indexing(Path(tree))


def _table() -> Iterator[Figure]:
    from yaff.scene import open_scenes

    def read() -> int:
        reader = open_scenes(real_data() / "ycb_video_poses.npz")
        return sum(len(reader.read(scene)[0]) for scene in reader.scenes())

    started = time.perf_counter()
    frames = read()
    yield "pose table, all frames, first time", time.perf_counter() - started, "s"
    yield "pose table, frames", frames, ""


def _one_file() -> Iterator[Figure]:
    from yaff.scene.meta_file import read_meta

    path = real_data() / "YCB_Video_Dataset" / "data" / "0000" / "000001-meta.mat"
    yield "one real meta.mat", 1e3 * best_of(50, lambda: read_meta(path, frame=1, scene=0)), "ms"


def _indexing(tree: Path) -> Iterator[Figure]:
    from yaff.scene import YcbVideoReader

    with tempfile.TemporaryDirectory() as folder:
        reader = YcbVideoReader(tree, cache=Path(folder))
        names = reader.scenes()
        with Parallel(n_jobs=2) as two:
            two(delayed(len)(()) for _ in range(4))  # the workers are there
            started = time.perf_counter()
            counts = two(delayed(_frames)(reader, scene) for scene in names)
            seconds = time.perf_counter() - started
        yield "meta.mat files indexed for the first time, 2 workers", sum(counts) / seconds, "frames/s"
        yield "frames", sum(counts), ""
        started = time.perf_counter()
        for scene in names:
            reader.read(scene)
        yield "all of them again from the cache, 1 worker", time.perf_counter() - started, "s"


def _frames(reader: object, scene: int) -> int:
    return len(reader.read(scene)[0])  # type: ignore[attr-defined]


def _planes() -> Iterator[Figure]:
    """The support plane of each of the 92 videos, from the objects alone."""
    from yaff.geometry.transforms import apply
    from yaff.objects import Catalogue, FolderSource
    from yaff.scene import group_arrangements, open_scenes, support_plane, viewpoints

    known = Catalogue.load()
    source = FolderSource(real_data() / "YCB_Video_Dataset" / "models")
    hulls = {known[name].index: np.asarray(source.mesh(name).convex_hull.vertices) for name in known.names}
    reader = open_scenes(real_data() / "ycb_video_poses.npz")
    below, touching, raised, camera, groups = [], [], 0, [], 0
    seconds = 0.0
    for scene in reader.scenes():
        table, _ = reader.read(scene)
        arrangements = group_arrangements(table)
        groups += len(arrangements)
        here = table.instances(0)
        points = [hulls[int(index)] for index in table.object_index[here]]
        views = viewpoints(table, arrangements, 0)
        started = time.process_time()
        plane = support_plane(table.Ts_camera_object[here], points, Ts_camera_view=views)
        seconds += time.process_time() - started
        poses = zip(table.Ts_camera_object[here], points, strict=True)
        lowest = np.array([plane.height(apply(T, p)).min() for T, p in poses])
        below.append(-1e3 * lowest.min())
        touching.append(int((np.abs(lowest) < 0.006).sum()))
        raised += bool((lowest > 0.02).any())
        camera.append(float((plane.height(views[:, :3, 3]) > 0.0).mean()))
    deep = np.array(below)
    yield "arrangements of the 92 videos", groups, ""
    yield "videos in which an object stands on another", raised, ""
    yield "videos in which no object touches the plane", int((np.array(touching) == 0).sum()), ""
    yield "deepest point of any object under its plane", float(deep.max()), "mm"
    yield "the same, median over videos", float(np.median(deep)), "mm"
    yield "videos where it is deeper than 6.5 mm", int((deep > 6.5).sum()), ""
    yield "least share of frames with the camera above", min(camera), ""
    yield "time for a plane", 1e3 * seconds / len(deep), "ms"
