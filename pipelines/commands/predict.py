"""``yaff predict SHARDS``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from pipelines.commands.parsing import parse, say, write_json
from pipelines.training.shapes import ShapeOptions
from yaff.errors import InputError, MissingFileError

if TYPE_CHECKING:
    from yaff.learning.instances import InstanceTable

USAGE = """
yaff predict out/demo/shards --checkpoint runs/demo --dataset out/demo/dataset --out predicted.png
yaff predict shards --checkpoint runs/train --scene 48 --frame 1 --object 025_mug --json
"""


@dataclass(frozen=True)
class Predict:
    """Predict grasps of the objects in a frame, and draw the best of each over its image.

    The frame is one of a folder of shards; its annotations are not looked at.
    """

    shards: Positional[Path]
    """Folder of shards."""
    checkpoint: Path
    """A run's folder, or one of its checkpoints."""
    out: Path = Path("predicted.png")
    """The picture."""
    scene: int | None = None
    """The scene; the first when not set."""
    frame: int | None = None
    """The frame; the first of the scene when not set."""
    object: str | None = None
    """Only this object."""
    rank: int = 0
    """Draw the best grasp of each object (0), the second (1), ..."""
    grasps: int = 5
    """Grasps of each object."""
    iterations: int = 60
    """Steps of the last stage; 0 for hands as the network draws them."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0
    """Other seeds draw other hands."""
    shapes: Annotated[ShapeOptions, arg(name="")] = field(default_factory=ShapeOptions)
    json: bool = False
    """Print every grasp with its 51 parameters in the camera frame as JSON."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Predict, arguments, "predict", usage=USAGE)
    if not options.shards.is_dir():
        raise MissingFileError("no folder of shards", where=options.shards, remedy="see yaff build and yaff project")

    import numpy as np

    from pipelines.loading import mesh_of
    from pipelines.pictures import HAND_COLOURS, hand_mesh, over_photo, write_png
    from pipelines.training.checkpoints import Checkpoint
    from pipelines.training.data import TrainingData
    from pipelines.training.evaluation import Predictors
    from yaff.learning.predicting import PredictionConfig
    from yaff.learning.refining import LastStageConfig
    from yaff.scene.render import RenderMesh
    from yaff.search.config import SearchConfig
    from yaff.search.judge import make_rig
    from yaff.taxonomy import GRASP_TYPES

    checkpoint = Checkpoint.load(options.checkpoint)
    data = TrainingData.open(options.shards, options.shapes)
    checkpoint.check_hand(data.shards.index.hand, options.shards)
    table = data.table("all")
    rows = _rows(table, options)
    predictors = Predictors(
        data,
        make_rig(data.hand, SearchConfig()),
        checkpoint,
        replace(PredictionConfig(), grasps=options.grasps),
        replace(LastStageConfig(), iterations=options.iterations),
        options.device,
    )
    maker = data.maker(table, checkpoint.config.observation)
    answer = predictors.answer(maker, rows, options.seed)
    found, documents, hands = answer.predictions, [], []
    T_camera_hand = table.T_camera_object[found.row] @ found.T_object_hand
    rotation, translation = data.hand.wrist_parameters(T_camera_hand)
    skin = data.hand.vertices(found.pose, rotation, translation)
    for k in range(len(found)):
        name, number = table.name(int(found.row[k])), int(found.grasp_type[k])
        place = int(np.flatnonzero(rows == found.row[k])[0])
        documents.append(
            {
                "object": name,
                "rank": int(found.rank[k]),
                "grasp_type": number,
                "name": GRASP_TYPES[number].name,
                "type_probability": float(answer.types[place, number - 1]),
                "score": float(found.score[k]),
                "wrist_rotation": rotation[k].tolist(),
                "pose": found.pose[k].tolist(),
                "translation": translation[k].tolist(),
            }
        )
        if found.rank[k] == options.rank:
            colour = HAND_COLOURS[len(hands) % len(HAND_COLOURS)]
            hands.append(RenderMesh(hand_mesh(data.hand, skin[k]), np.eye(4), colour))
    frame = int(table.frame[rows[0]])
    every = range(int(table.instance_start[frame]), int(table.instance_start[frame + 1]))
    objects = [RenderMesh(mesh_of(table.name(row), data.recipes.objects), table.T_camera_object[row]) for row in every]
    scene, number = int(table.scene[frame]), int(table.frame_number[frame])
    photo = None if data.images is None else data.images.colour(scene, number)
    write_png(options.out, over_photo(objects, hands, table.intrinsics[frame], photo))
    if options.json:
        write_json({"scene": scene, "frame": number, "hand": dict(checkpoint.hand), "grasps": documents})
        return 0
    say(f"scene {scene}, frame {number}")
    for entry in documents:
        if entry["rank"] == options.rank:
            say(_line(entry))
    say(f"picture  {options.out}")
    return 0


def _line(entry: dict[str, Any]) -> str:
    share = 100.0 * entry["type_probability"]
    return f"{entry['object']}: {entry['grasp_type']} {entry['name']} ({share:.0f} %), score {entry['score']:.2f}"


def _rows(table: InstanceTable, options: Predict) -> Any:
    """The instances asked for.

    Raises:
        InputError: no such scene, frame or object, naming those there are.
    """
    import numpy as np

    scene = int(table.scene[0]) if options.scene is None else options.scene
    there = np.flatnonzero(table.scene == scene)
    if not len(there):
        known = ", ".join(map(str, np.unique(table.scene).tolist()))
        raise InputError(f"no scene {scene}", where=options.shards, remedy=f"one of {known}")
    numbers = table.frame_number[there]
    number = int(numbers[0]) if options.frame is None else options.frame
    if number not in numbers:
        raise InputError(
            f"no frame {number} in scene {scene}",
            where=options.shards,
            remedy=f"frames {numbers.min()} to {numbers.max()}, {len(numbers)} of them",
        )
    frame = int(there[numbers == number][0])
    rows = np.arange(table.instance_start[frame], table.instance_start[frame + 1])
    if options.object is not None:
        names = [table.name(int(row)) for row in rows]
        if options.object not in names:
            raise InputError(f"no {options.object} in this frame", remedy=f"there are {', '.join(names)}")
        rows = rows[[name == options.object for name in names]]
    return rows.astype(np.int64)
