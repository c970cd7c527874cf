"""Project one frame: every feasible hand of it, in the camera frame, and its keypoints over the picture.

Usage:
    python examples/04_project_one_frame.py [out/demo]      # writes keypoints.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import yaff
from yaff.scene import image_keypoints

FINGERS = ((0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (0, 9, 10, 11, 12), (0, 13, 14, 15, 16), (0, 17, 18, 19, 20))
COLOURS = ("#d9822b", "#2f6f9f", "#3d8b40", "#8e44ad", "#b3471d")


def main(demo: Path) -> None:
    scenes = yaff.open_scenes(demo / "dataset")  # YCB-Video, BOP or a table of poses: what is there decides
    shards = yaff.ShardSet.open(demo / "shards")
    scene = scenes.scenes()[0]
    selection = shards.select(scenes=[scene])
    samples = shards.batch(shards.rows(selection, np.arange(len(selection))))
    pictured = [frame for frame in np.unique(samples["frame"]) if scenes.colour_file(scene, int(frame))]
    frame = int(pictured[0])
    hands = {name: values[samples["frame"] == frame] for name, values in samples.items()}
    print(
        f"scene {scene}, frame {frame}: {len(hands['pose'])} feasible hands on", ", ".join(np.unique(hands["object"]))
    )

    pixels, points = image_keypoints(yaff.load_hand(), hands)  # (n, 21, 2) pixels, (n, 21, 3) metres
    print(f"wrists are {points[:, 0, 2].min():.2f} to {points[:, 0, 2].max():.2f} m from the camera")

    photo = scenes.colour(scene, frame)
    assert photo is not None
    picture = Image.fromarray(photo)
    draw = ImageDraw.Draw(picture)
    shown = [int(np.flatnonzero(hands["object"] == name)[0]) for name in np.unique(hands["object"])]
    for row, colour in zip(shown, COLOURS, strict=False):  # one hand for each object
        for finger in FINGERS:
            draw.line([tuple(pixels[row, joint]) for joint in finger], fill=colour, width=2)
    picture.save("keypoints.png")
    print("wrote keypoints.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo"))
