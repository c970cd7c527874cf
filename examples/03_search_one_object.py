"""Search one object for grasps of one type, and write what is found as a library.

Usage:
    python examples/03_search_one_object.py [061_foam_brick] [9]      # writes found.h5
"""

from __future__ import annotations

import sys

import torch

import yaff
from yaff.objects.cache import default_cache_dir
from yaff.search import ProposalConfig, RefinementConfig, SelectionConfig


def main(name: str, number: int) -> None:
    torch.set_num_threads(1)  # sums depend on how many threads share them: the same bytes everywhere
    obj = yaff.load_object(name, yaff.StandInSource(), default_cache_dir())
    hand = yaff.load_hand()
    # a quick look; the defaults search longer
    config = yaff.SearchConfig(
        propose=ProposalConfig(candidates=256),
        refine=RefinementConfig(batch=8, iterations=40, rounds=1),
        select=SelectionConfig(keep=2),
    )
    found = yaff.search_pair(hand, obj, number, config, seed=0)
    print(f"{name}, {yaff.GRASP_TYPES[number].name}: {found.infeasible or dict(found.tally)}")
    for row in range(len(found.grasps)):
        moved = 1e3 * float(found.grasps.measures["shake_translation"][row].max())
        verdict = "holds" if found.grasps.verified[row] else f"for review: {found.grasps.reason[row]}"
        print(f"grasp {row}: {verdict}; the object moves {moved:.1f} mm at most while it is shaken")

    yaff.GraspLibrary.write(
        "found.h5",
        {name: found.grasps},
        {
            "hand": {"name": hand.name, "side": hand.side, "digest": hand.digest},
            "meshes": {name: obj.digest},
            "standins": [name],
        },
    )
    print("wrote found.h5; see it: yaff show found.h5")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "061_foam_brick", int(sys.argv[2]) if len(sys.argv) > 2 else 9)
