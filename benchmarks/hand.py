"""The hand: posing against smplx side by side, NumPy, subsets, memory; published grasps on their real objects."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Figure

SIZES = (1, 64, 1024)
REACH = 0.008
"""A hand this near touches: metres."""


def hand() -> Iterator[Figure]:
    """Milliseconds of processor time on one thread, the best of many runs that take turns."""
    import torch

    from yaff.hand import HandLayer, load_hand

    torch.set_num_threads(1)
    model = load_hand()
    layers = {torch.float32: HandLayer(model), torch.float64: HandLayer(model, torch.float64)}
    for n in SIZES:
        values = _values(n)
        yield f"{_hands(n)}, NumPy, float64", *_milliseconds([lambda v=values: model.vertices(*v)])
    for n, (dtype, layer) in ((n, item) for n in SIZES for item in layers.items()):
        kind = str(dtype).removeprefix("torch.")
        works, names = _works(layer, n, dtype), ("forward", "forward and backward")
        theirs = _smplx_works(n, dtype)
        for name, ours, other in zip(names, works, theirs or (None, None), strict=True):
            seconds = _best([ours] if other is None else [ours, other])
            yield f"{_hands(n)}, {kind}, {name}", 1e3 * seconds[0], "ms"
            if other is not None:
                yield f"{_hands(n)}, {kind}, {name}, smplx", 1e3 * seconds[1], "ms"
                yield f"{_hands(n)}, {kind}, {name}, smplx / ours", seconds[1] / seconds[0], "times"
    layer, tensors = layers[torch.float32], [torch.tensor(v, dtype=torch.float32) for v in _values(1024)]
    for count in (778, 78, 8):
        rows = torch.arange(count) * (778 // count)
        work = _without_gradient(lambda rows=rows: layer(*tensors, vertex_indices=rows))
        yield f"1024 hands, forward, {count} vertices", *_milliseconds([work])
    turns, root = torch.eye(3).expand(1024, 15, 3, 3), torch.eye(3).expand(1024, 3, 3)
    bones = _without_gradient(lambda: layer.bone_transforms(turns, root, tensors[2]))
    yield "1024 hands, forward, bones (collision pieces) only", *_milliseconds([bones])
    for name in ("ours", "smplx"):
        for n in (64, 1024):
            memory = _peak_memory(name, n)
            if memory is not None:
                yield f"{_hands(n)}, float32, forward and backward, memory beyond the model, {name}", memory, "MB"


def _hands(n: int) -> str:
    return "1 hand" if n == 1 else f"{n} hands"


def _values(n: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    return tuple(rng.normal(0, scale, (n, k)) for scale, k in ((0.3, 45), (1.0, 3), (0.3, 3), (1.0, 10)))


def _best(works: Sequence[Callable[[], object]], budget: float = 1.0) -> list[float]:
    """Least processor seconds of each; they take turns, so that a busy machine is busy for all."""
    least, spent, rounds = [np.inf] * len(works), 0.0, 0
    while spent < budget or rounds < 3:
        for k, work in enumerate(works):
            started = time.process_time()
            work()
            taken = time.process_time() - started
            least[k], spent = min(least[k], taken), spent + taken
        rounds += 1
    return least


def _milliseconds(works: Sequence[Callable[[], object]]) -> tuple[float, str]:
    return 1e3 * _best(works)[0], "ms"


def _without_gradient(work: Callable[[], object]) -> Callable[[], object]:
    import torch

    def run() -> None:
        with torch.no_grad():
            work()

    return run


def _works(layer: Any, n: int, dtype: Any) -> tuple[Callable[[], object], Callable[[], object]]:
    import torch

    tensors = [torch.tensor(values, dtype=dtype) for values in _values(n)]
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    return _without_gradient(lambda: layer(*tensors)), lambda: layer(*leaves)[0].sum().backward()


def _smplx_works(n: int, dtype: Any) -> tuple[Callable[[], object], Callable[[], object]] | None:
    """The same through smplx on the exported file; none where it is not installed."""
    try:
        import smplx
    except ImportError:
        return None
    import torch

    from yaff.hand import load_hand
    from yaff.hand.mano_files import mano_pickle

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "MANO_RIGHT.pkl"
        path.write_bytes(mano_pickle(load_hand()))
        layer = smplx.create(
            str(path), model_type="mano", use_pca=False, flat_hand_mean=True, batch_size=n, dtype=dtype
        )
    names = ("hand_pose", "global_orient", "transl", "betas")
    tensors = {name: torch.tensor(v, dtype=dtype) for name, v in zip(names, _values(n), strict=True)}
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
    return _without_gradient(lambda: layer(**tensors)), lambda: layer(**leaves).vertices.sum().backward()


def _peak_memory(name: str, n: int) -> float | None:
    """Megabytes by which a process grows at the most while it poses n hands and differentiates, after it has posed one.

    Linux only: the high-water mark of the resident set is reset before.
    """
    if not Path("/proc/self/clear_refs").exists():
        return None
    program = f"""
import sys, torch
from pathlib import Path
from benchmarks.hand import _smplx_works, _works
from yaff.hand import HandLayer, load_hand
torch.set_num_threads(1)
def make(n):
    if {name!r} == "smplx":
        return _smplx_works(n, torch.float32)
    return _works(HandLayer(load_hand()), n, torch.float32)
def status(key):
    return int(Path("/proc/self/status").read_text().partition(key + ":")[2].split()[0])
small, large = make(1), make({n})
if small is not None:
    small[1]()
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    large[1]()
    sys.stdout.write("grew by " + str((status("VmHWM") - before) / 1024))
"""
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return float(result.stdout.rpartition("grew by ")[2]) if "grew by " in result.stdout else None


def published_grasps() -> Iterator[Figure]:
    """The 98 published grasps of YCB-Affordance, the built-in hand in their poses, on the real meshes.

    With ``YAFF_BENCH_OUT`` a sheet of them all is drawn there; it may not be passed on, like the grasps.
    """
    import trimesh
    from scipy.spatial import cKDTree

    from benchmarks.data import real_data
    from yaff.geometry import distance_field
    from yaff.grasp.batch import Grasps
    from yaff.hand import Anatomy, load_hand
    from yaff.objects import Catalogue
    from yaff.objects.sources import FolderSource
    from yaff.store.ycb_affordance_grasps import read_published_grasps

    data = real_data()
    published = read_published_grasps(data / "ycb_affordance" / "grasps")
    source, model, known = FolderSource(data / "YCB_Video_Dataset" / "models"), load_hand(), Catalogue.load()
    near, deep, unmoved, pictures = [], [], [], []
    for name in dict.fromkeys(grasp.object_name for grasp in published):
        chosen = [grasp for grasp in published if grasp.object_name == name]
        mesh = source.mesh(name)
        tree = cKDTree(trimesh.sample.sample_surface(mesh, 50_000, seed=0)[0])
        field = distance_field.build(mesh)
        grasps = Grasps.make(
            name,
            *(np.stack([getattr(g, part) for g in chosen]) for part in ("pose", "wrist_rotation", "translation")),
            np.array([g.grasp_type for g in chosen]),
        )
        vertices = model.vertices(grasps)
        near.append(tree.query(vertices)[0].min(axis=1))
        deep.append(-field.distance(vertices).min(axis=1))
        unmoved.append(-field.distance(vertices + known[name].ycb_offset).min(axis=1))
        if os.environ.get("YAFF_BENCH_OUT"):
            pictures += _drawn(model, mesh, grasps, chosen)
    nearest, depth, wrong = (np.concatenate(values) for values in (near, deep, unmoved))
    beyond = np.degrees(Anatomy(model).violations(np.stack([grasp.pose for grasp in published])))
    yield "published grasps", float(len(nearest)), "grasps"
    yield "nearest skin within 8 mm of the object", 100.0 * float((nearest <= REACH).mean()), "%"
    yield "nearest skin to the surface, largest", 1e3 * float(nearest.max()), "mm"
    yield "deepest skin inside the object, median", 1e3 * float(np.median(depth)), "mm"
    yield "deepest skin inside the object, 95th percentile", 1e3 * float(np.quantile(depth, 0.95)), "mm"
    yield "the same without the offset of the frames, median", 1e3 * float(np.median(wrong)), "mm"
    yield "a joint more than 5 degrees beyond the anatomical limits", 100.0 * float((beyond.max(1) > 5).mean()), "%"
    if pictures:
        from pipelines.pictures import sheet, write_png

        write_png(Path(os.environ["YAFF_BENCH_OUT"]) / "published_grasps.png", sheet(pictures, 14))


def _drawn(model: Any, mesh: Any, grasps: Any, published: Sequence[Any]) -> list[tuple[np.ndarray, str]]:
    from pipelines.pictures import draw_grasp

    return [
        (
            draw_grasp(model, mesh, grasps[k : k + 1], 180),
            f"{grasp.object_name[:3]}/{grasp.number} type {grasp.grasp_type}",
        )
        for k, grasp in enumerate(published)
    ]
