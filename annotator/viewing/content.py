"""What a viewer shows of a library or of shards, without a user interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer

from annotator.store import GraspState
from yaff.errors import UnknownItemError
from yaff.grasp.batch import ReviewState
from yaff.scene.frames import SceneReader
from yaff.store import GraspLibrary, ShardSet
from yaff.taxonomy import GRASP_TYPES

Array = np.ndarray

SCALES: dict[str, tuple[float, str]] = {
    "epsilon": (1.0, ""),
    "volume": (1.0, ""),
    "max_penetration": (1e3, "mm"),
    "intersection_volume": (1e6, "cm³"),
    "self_penetration": (1e3, "mm"),
    "contact_count": (1.0, "patches"),
    "contact_area": (1e4, "cm²"),
    "shake_translation": (1e3, "mm"),
    "shake_rotation": (180.0 / np.pi, "°"),
    "fingertip_force": (1.0, "N"),
    "conformity": (1.0, ""),
}
"""Measures that are shown, each as its largest value, and in which unit."""

NUMBERS = ("pose", "wrist_rotation", "translation", "shape")
"""What a hand is made of."""

SCENE_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])
"""T_scene_camera: the page looks along -z with y up, OpenCV along z with y down."""


@dataclass(frozen=True)
class GraspView:
    """One grasp, ready to be shown."""

    object_name: str
    row: int
    """In the library, or of the annotation in the shards."""
    state: GraspState
    """In the object frame (library) or the camera frame (shards)."""
    facts: tuple[tuple[str, str], ...]
    """What is known of it, as name and text."""
    code: str
    """Python that makes the same hand."""

    @property
    def title(self) -> str:
        """Object, row and type."""
        return f"{self.object_name} #{self.row}: {self.state.grasp_type} {GRASP_TYPES[self.state.grasp_type].name}"


class LibraryContent:
    """The grasps of a library by object and type."""

    def __init__(self, library: GraspLibrary) -> None:
        self.library = library
        self.objects = tuple(name for name in library.objects if library.counts[name])

    def types(self, name: str) -> dict[int, int]:
        """How many grasps of each type an object has.

        Raises:
            UnknownItemError: no such object.
        """
        if name not in self.objects:
            raise UnknownItemError(f"no object {name!r} in this library")
        numbers, counts = np.unique(self.library[name].grasp_type, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    def rows(self, name: str, number: int | None = None) -> tuple[int, ...]:
        """Rows of an object's grasps, of one type where it is given: verified ones first."""
        self.types(name)
        grasps = self.library[name]
        wanted = np.flatnonzero(grasps.grasp_type == number) if number else np.arange(len(grasps))
        return tuple(wanted[np.argsort(~grasps.verified[wanted], kind="stable")].tolist())

    def grasp(self, name: str, row: int) -> GraspView:
        """One grasp.

        Raises:
            UnknownItemError: no such object or row.
        """
        self.types(name)
        grasps = self.library[name]
        if not 0 <= row < len(grasps):
            raise UnknownItemError(f"no grasp {row} of {name}", remedy=f"0 to {len(grasps) - 1}")
        state = GraspState.of(grasps, row)
        facts = [("state", ReviewState(int(grasps.review_state[row])).name.lower().replace("_", " "))]
        facts += [(label, text) for label, text in (("why", grasps.reason[row]),) if text]
        facts.append(("from", grasps.provenance[row]))
        for measure, (scale, unit) in SCALES.items():
            value = scale * float(np.max(grasps.measures[measure][row]))
            facts.append((measure.replace("_", " "), f"{value:.3g} {unit}".strip()))
        return GraspView(
            name, row, state, tuple(facts), _code(state, f"{name} #{row}, object frame", self.library.path)
        )


@dataclass(frozen=True)
class FrameContent:
    """One frame: what stands where, and which annotations each object has."""

    scene: int
    frame: int
    objects: tuple[tuple[str, Float[Array, "4 4"], range], ...]
    """Name, T_camera_object, and rows of the annotations."""
    intrinsics: Float[Array, "3 3"]
    """Pinhole matrix of the camera, pixels."""
    image: Path | None
    """File of the colour image, where there is one."""


class ShardsContent:
    """The frames of a dataset, and the hands in them.

    Args:
        shards: the dataset.
        reader: of the dataset that it was made of, for its images; none are shown without it.
    """

    def __init__(self, shards: ShardSet, reader: SceneReader | None = None) -> None:
        self.shards, self.reader = shards, reader
        self.scenes = tuple(np.unique(shards.index["frames/scene"]).tolist())
        self._names = {number: name for name, number in shards.objects.items()}

    def frames(self, scene: int) -> tuple[int, ...]:
        """Rows of a scene's frames, in their order.

        Raises:
            UnknownItemError: no such scene.
        """
        rows = np.flatnonzero(self.shards.index["frames/scene"] == scene)
        if not len(rows):
            raise UnknownItemError(f"no scene {scene}", remedy=f"one of {', '.join(map(str, self.scenes))}")
        return tuple(rows.tolist())

    def frame(self, row: int) -> FrameContent:
        """The frame of this row."""
        index = self.shards.index
        first, last = (int(index["frames/instance_start"][row + k]) for k in (0, 1))
        start = index["instances/annotation_start"]
        # poses and intrinsics are mapped from the shard: over all shards they would be too much to read
        shard = int(np.searchsorted(index["shards/frame_start"], row, side="right")) - 1
        reader = self.shards.reader(shard)
        before, frames_before = (int(index[f"shards/{name}_start"][shard]) for name in ("instance", "frame"))
        objects = tuple(
            (
                self._names[int(index["instances/object_index"][instance])],
                np.asarray(reader["instances/T_camera_object"][instance - before], np.float64),
                range(int(start[instance]), int(start[instance + 1])),
            )
            for instance in range(first, last)
        )
        intrinsics = np.asarray(reader["frames/intrinsics"][row - frames_before], np.float64)
        scene, frame = int(index["frames/scene"][row]), int(index["frames/frame"][row])
        image = None if self.reader is None else self.reader.colour_file(scene, frame)
        return FrameContent(scene, frame, objects, intrinsics, image)

    def image(self, scene: int, frame: int) -> Path:
        """The file of a frame's colour image.

        Raises:
            UnknownItemError: the dataset has no such frame, or the frame no image.
        """
        index = self.shards.index
        known = np.any((index["frames/scene"] == scene) & (index["frames/frame"] == frame))
        path = self.reader.colour_file(scene, frame) if known and self.reader is not None else None
        if path is None:
            raise UnknownItemError(f"no image of scene {scene}, frame {frame}")
        return path

    def library_rows(self, annotations: range) -> Integer[Array, "_"]:
        """Which grasps of the library these annotations are, as rows of their object there.

        Raises:
            InputError: no such annotations.
        """
        return self.shards.batch(np.array(annotations, np.int64))["library_row"]

    def grasp(self, annotation: int) -> GraspView:
        """The hand of one annotation, camera frame.

        Raises:
            InputError: no such annotation.
        """
        sample = self.shards.sample(annotation)
        arrays = {
            name: np.asarray(sample[name], np.float32) for name in ("pose", "wrist_rotation", "translation", "shape")
        }
        state = GraspState(
            grasp_type=int(sample["grasp_type"]),
            pregrasp_pose=arrays["pose"],
            pregrasp_wrist_rotation=arrays["wrist_rotation"],
            pregrasp_translation=arrays["translation"],
            **arrays,
        )
        where = f"scene {sample['scene']}, frame {sample['frame']}"
        facts = (("in", where), ("grasp of the library", f"{sample['object']} #{sample['library_row']}"))
        code = _code(state, f"{sample['object']}, {where}, camera frame", self.shards.folder)
        return GraspView(str(sample["object"]), annotation, state, facts, code)


def _code(state: GraspState, words: str, source: Path) -> str:
    """Python that makes a hand of 51 numbers, without the file that they came from."""

    def numbers(name: str) -> str:
        return np.array2string(
            getattr(state, name), precision=6, separator=", ", max_line_width=100, floatmode="maxprec"
        )

    kind = f"{state.grasp_type} {GRASP_TYPES[state.grasp_type].name}"
    lines = [f"# {words}: {kind}; from {source.name}", "import numpy as np", "import yaff", ""]
    lines += [f"{name} = np.array({numbers(name)})" for name in NUMBERS]
    call = "pose[None], wrist_rotation[None], translation[None], shape"
    lines += ["", f"vertices = yaff.load_hand().vertices({call})  # (1, 778, 3) metres", ""]
    return "\n".join(lines)
