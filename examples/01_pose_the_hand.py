"""Pose the hand: from anatomical angles to MANO's 45 numbers, to vertices and keypoints, and back.

Usage:
    python examples/01_pose_the_hand.py            # writes hand.ply
"""

from __future__ import annotations

import numpy as np
import trimesh

import yaff


def main() -> None:
    hand = yaff.load_hand()  # yaff.load_hand(folder="mano/") for the licensed model
    anatomy = yaff.Anatomy(hand)
    print(f"{hand.name}, {hand.side}: {len(anatomy)} degrees of freedom")

    # the closed preshape of a palmar pinch; any {name: radians} will do, `yaff hand show` lists the names and limits
    angles = {name: closed for name, (_, closed) in yaff.GRASP_TYPES[9].preshape.items()}
    pose = anatomy.pose_from_dof(anatomy.angles(angles)[None])  # (1, 45) axis-angle, flat hand = 0

    # the wrist turns about the root joint; here by 90 degrees about z, 10 cm up
    wrist, translation = np.array([[0.0, 0.0, np.pi / 2]]), np.array([[0.0, 0.0, 0.1]])
    vertices = hand.vertices(pose, wrist, translation)  # (1, 778, 3) metres
    keypoints = hand.keypoints(pose, wrist, translation)  # (1, 21, 3): wrist, then thumb to little finger
    print("thumb tip to index tip:", f"{1e3 * np.linalg.norm(keypoints[0, 4] - keypoints[0, 8]):.1f} mm")

    back, _ = anatomy.dof_from_pose(pose)  # beside it, how much of each joint the angles cannot say
    print("angles from the 45 numbers again, off by at most", f"{np.abs(back - anatomy.angles(angles)).max():.1e} rad")

    trimesh.Trimesh(vertices[0], hand.faces, process=False).export("hand.ply")
    print("wrote hand.ply")


if __name__ == "__main__":
    main()
