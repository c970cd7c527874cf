"""Measure a grasp: what a library says of it, and the same measured again from its 51 numbers.

Usage:
    python examples/02_measure_a_grasp.py [out/demo]
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaff
from yaff.grasp import find_contacts
from yaff.hand import Patches
from yaff.objects.cache import default_cache_dir


def main(demo: Path) -> None:
    library = yaff.GraspLibrary.open(demo / "library.h5")
    name = library.objects[-1]
    grasps = library[name]
    grasp = grasps[grasps.verified][:1]
    number = int(grasp.grasp_type[0])
    print(f"{name}, type {number} {yaff.GRASP_TYPES[number].name}, from {grasp.provenance[0] or 'nowhere'}")

    # stand-ins, as in the demo; yaff.FolderSource("YCB_Video_Dataset/models") for scanned meshes
    obj = yaff.load_object(name, yaff.StandInSource(), default_cache_dir())
    hand = yaff.load_hand()
    patches = Patches.of(hand)

    contacts = find_contacts(hand, patches, hand.vertices(grasp), obj)
    touching = [patch for patch, touches in zip(patches.names, contacts.touching[0], strict=True) if touches]
    print("touches with:", ", ".join(touching) or "nothing")

    measured = yaff.measure_grasps(hand, patches, obj, grasp)
    for measure, values in measured.items():
        print(f"{measure:20} {values[0]:10.5f} measured now {grasp.measures[measure][0]:10.5f} in the library")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo"))
