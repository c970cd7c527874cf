"""Read shards: batches as NumPy arrays without PyTorch, and through a DataLoader.

Usage:
    python examples/05_read_shards.py [out/demo]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

import yaff


def main(demo: Path) -> None:
    folder = demo / "shards"

    # NumPy: in the order of the files, or shuffled by a generator
    for batch in yaff.iterate(folder, batch_size=256, generator=np.random.default_rng(0)):
        print("NumPy:", {name: values.shape for name, values in batch.items() if values.ndim > 1})
        break

    # PyTorch: filters are decided from the index, before any shard is opened
    dataset = yaff.GraspDataset(folder, max_penetration=0.004)
    loader = DataLoader(dataset, batch_size=64, shuffle=True, collate_fn=yaff.GraspDataset.collate)
    batch = next(iter(loader))
    print(
        f"PyTorch: {len(dataset)} of {len(dataset.shards)} annotations;",
        tuple(batch["pose"].shape),
        batch["object"][:2],
    )

    # vertices of the whole batch, in the camera frame
    vertices = dataset.vertices(yaff.load_hand(), batch)
    print("vertices:", vertices.shape, f"{vertices[..., 2].min():.2f} to {vertices[..., 2].max():.2f} m deep")

    # one sample for each frame, with all objects and hands in it
    frames = yaff.GraspDataset(folder, by="frame")
    print("a frame:", frames[0]["object"], tuple(frames[0]["pose"].shape))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo"))
