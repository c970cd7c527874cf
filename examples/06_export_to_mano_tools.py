"""Export to the tools for MANO: hand files that smplx loads, pose components, the layout of YCB-Affordance.

Usage:
    python examples/06_export_to_mano_tools.py [out/demo]      # writes mano/ and ycb-affordance/
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import yaff
from yaff.grasp.natural_poses import with_natural_components
from yaff.hand.mano_files import MANO_FILES, mano_pickle
from yaff.store.exporters.ycb_affordance import export_ycb_affordance


def main(demo: Path) -> None:
    hand = with_natural_components(yaff.load_hand())
    folder = Path("mano")
    folder.mkdir(exist_ok=True)
    for model in (hand, hand.mirrored()):
        (folder / MANO_FILES[model.side]).write_bytes(mano_pickle(model))
    print("wrote", ", ".join(sorted(path.name for path in folder.iterdir())))

    # 45 axis-angle numbers to 15 coefficients and back; what 15 cannot say is the rest
    shards = yaff.ShardSet.open(demo / "shards")
    sample = shards.sample(0)
    pose = np.asarray(sample["pose"], np.float64)[None]
    assert hand.components is not None
    coefficients, _ = hand.components.coefficients(pose, 15)
    off = np.abs(hand.components.pose(coefficients) - pose).max()
    print(f"{sample['object']}, type {sample['grasp_type']}: 15 coefficients, off by {off:.2f} rad at most")

    try:
        import smplx  # its licence forbids commercial use; not needed for anything else here
    except ImportError:
        print("smplx is not installed: the files were not loaded with it")
    else:
        import torch

        layer = smplx.MANO(str(folder), use_pca=False, flat_hand_mean=True, is_rhand=True)
        # smplx turns the wrist about the root joint, too: the 51 numbers as they are
        parts = {"global_orient": "wrist_rotation", "transl": "translation", "betas": "shape"}
        given = {key: torch.tensor(sample[name][None], dtype=torch.float32) for key, name in parts.items()}
        theirs = layer(hand_pose=torch.tensor(pose, dtype=torch.float32), **given).vertices.detach().numpy()
        names = ("wrist_rotation", "translation", "shape")
        ours = hand.vertices(pose, *(np.asarray(sample[name], np.float64)[None] for name in names))
        print(f"vertices of smplx are ours to {np.abs(theirs - ours).max():.1e} m")

    done = export_ycb_affordance(shards, Path("ycb-affordance"), hand, hand.components)
    print("wrote ycb-affordance/:", done)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo"))
