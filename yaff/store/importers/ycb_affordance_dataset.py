"""The original YCB-Affordance dataset (see :mod:`yaff.store.exporters.ycb_affordance` for its layout), read back.

Its arrays hold hands in the camera frame and no objects: those are the objects of the frame's ``meta.mat``, in their
order. Together with a reader of the frames they become grasps in the object frame again, each once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial import KDTree

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.geometry.transforms import invert
from yaff.grasp.batch import Grasps
from yaff.hand.array_pickles import read_array
from yaff.hand.components import PoseComponents
from yaff.hand.model import HandModel
from yaff.objects.catalogue import Catalogue
from yaff.scene.frames import FrameTable, SceneReader
from yaff.store.columns import TYPES
from yaff.store.exporters.ycb_affordance import RECORD

Array = np.ndarray

_REMEDY = "copy the file again, or export the dataset again"
_SAME = 2e-4
"""Hands this close in every number (radians, tenths of metres) are one grasp seen in two frames."""


@dataclass(frozen=True)
class Hands:
    """The ``n`` annotations of one object in one frame, camera frame."""

    wrist_rotation: Float64[Array, "n 3"]
    """Axis-angle about the root joint, radians."""
    coefficients: Float64[Array, "n 45"]
    """Of the pose components, mean pose not added."""
    translation: Float64[Array, "n 3"]
    """Metres."""
    grasp_type: Int64[Array, "n"]


class YcbAffordanceDataset:
    """A folder in the original layout. Nothing but names and planes is read until a frame is asked for.

    Args:
        folder: it, or the folder ``data`` in it.

    Raises:
        MissingFileError: there is no ``imgnames.npy`` or no folder of grasps.
        FormatError: names or planes are not what they should be.
    """

    def __init__(self, folder: Path | str) -> None:
        folder = Path(folder)
        self.folder = folder / "data" if (folder / "data" / "imgnames.npy").is_file() else folder
        self.grasps = self.folder / "YCB_Affordance_grasps"
        if not is_ycb_affordance_dataset(folder):
            raise MissingFileError(
                "not the original layout of YCB-Affordance: no imgnames.npy beside YCB_Affordance_grasps/",
                where=folder,
                remedy="point to the folder that contains data/, or to data/ itself",
            )
        names = _load(self.folder / "imgnames.npy")
        self.frames = [_frame_of(str(name), k, self.folder / "imgnames.npy") for k, name in enumerate(names.ravel())]
        """Scene and frame of each row."""
        self.planes = np.asarray(_load(self.folder / "plane_equations.npy"), np.float64)
        if self.planes.shape != (len(self.frames), 4):
            raise FormatError(
                f"planes have shape {self.planes.shape} for {len(self.frames)} images",
                where=self.folder / "plane_equations.npy",
                remedy=_REMEDY,
            )

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def hands(self, row: int) -> list[Hands]:
        """The annotations of a frame, one entry for each object of its ``meta.mat``.

        Raises:
            MissingFileError: one of its three files is not there.
            FormatError: their entries do not fit together, hold NaN, or a type that does not exist.
        """
        paths = [self.grasps / f"mano_{kind}_{row}.npy" for kind in ("representation", "translation", "taxonomy")]
        representation, translation, taxonomy = (_load(path) for path in paths)
        if not len(representation) == len(translation) == len(taxonomy):
            raise FormatError(
                f"{len(representation)} objects here, {len(translation)} translations, {len(taxonomy)} taxonomies",
                where=paths[0],
                remedy=_REMEDY,
            )
        return [
            _hands(*entry, where=f"{paths[0]}, object {k}")
            for k, entry in enumerate(zip(representation, translation, taxonomy, strict=True))
        ]

    def distinct_grasps(
        self, reader: SceneReader, hand: HandModel, components: PoseComponents, rows: Sequence[int] | None = None
    ) -> dict[str, Grasps]:
        """The grasps of each object in its own frame, each once however many frames show it.

        Args:
            reader: the frames that the dataset annotates.
            hand: the hand it was made with; its root joint ties translations to wrists.
            components: the pose components that its coefficients belong to.
            rows: frames to look at; all of them if not given.

        Raises:
            InputError: a frame that the reader does not have, or with another number of objects.
        """
        known = Catalogue.load()
        names = {known[name].index: name for name in known.names}
        found: dict[int, _Distinct] = {}
        table: FrameTable | None = None
        for row in range(len(self)) if rows is None else rows:
            scene, frame = self.frames[row]
            if table is None or table.scene != scene:
                table, _ = reader.read(scene, skip_bad=True)
            place = np.flatnonzero(table.frames == frame)
            annotated = self.hands(row)
            here = table.instances(int(place[0])) if len(place) else slice(0, 0)
            if not len(place) or here.stop - here.start != len(annotated):
                raise InputError(
                    f"grasps of {len(annotated)} objects; the dataset of frames has "
                    + (f"{here.stop - here.start}" if len(place) else "no such frame"),
                    where=f"frame {frame} of scene {scene}, row {row} of {self.folder}",
                    remedy="give the frames that these annotations were made for",
                )
            for k, hands in enumerate(annotated):
                if len(hands.grasp_type):
                    index = int(table.object_index[here.start + k])
                    T_object_camera = invert(table.Ts_camera_object[here.start + k])
                    found.setdefault(index, _Distinct()).add(T_object_camera, hands, hand)
        return {names[index]: found[index].grasps(names[index], hand, components) for index in sorted(found)}

    def components(self, hand: HandModel) -> PoseComponents:
        """The pose components of the coefficients: those that our export wrote beside them, else those of the licensed
        hand, of which the published dataset is.

        Raises:
            InputError: neither is there.
        """
        path = self.folder.parent / RECORD
        if path.is_file():
            try:
                record = json.loads(path.read_bytes())
                return PoseComponents(np.asarray(record["mean_pose"]), np.asarray(record["components"]))
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(f"not a record of an export ({error!r})", where=path, remedy=_REMEDY) from None
        if hand.name != "mano" or hand.components is None:
            raise InputError(
                "the coefficients belong to the pose components of the licensed MANO hand",
                where=self.folder,
                remedy="install it (`yaff assets` says where) and choose --hand.model mano",
            )
        return hand.components


def is_ycb_affordance_dataset(folder: Path) -> bool:
    """Whether a folder holds a dataset in the original layout."""
    places = (folder, folder / "data")
    return any((p / "imgnames.npy").is_file() and (p / "YCB_Affordance_grasps").is_dir() for p in places)


class _Distinct:
    """Grasps of one object, each kept once."""

    def __init__(self) -> None:
        self._features = np.zeros((0, 3 + 9 + 45 + 1))
        self._tree: KDTree | None = None

    def add(self, T_object_camera: Float64[Array, "4 4"], hands: Hands, hand: HandModel) -> None:
        T_object_hand = T_object_camera @ hand.wrist_transform(hands.wrist_rotation, hands.translation)
        features = np.concatenate(
            [
                10.0 * T_object_hand[:, :3, 3],
                T_object_hand[:, :3, :3].reshape(-1, 9),
                hands.coefficients,
                hands.grasp_type[:, None],
            ],
            axis=1,
        )
        while len(features):
            if self._tree is not None:
                distance, _ = self._tree.query(features, p=np.inf, distance_upper_bound=_SAME)
                features = features[~np.isfinite(distance)]
                if not len(features):
                    return
            # of those that are new, the first and all that are not its like; what is left is asked again
            alike = (np.abs(features[:, None] - features[None]).max(-1) <= _SAME) & ~np.tri(len(features), dtype=bool)
            new = ~alike.any(axis=0)
            self._features = np.concatenate([self._features, features[new]])
            self._tree = KDTree(self._features)
            features = features[~new]

    def grasps(self, name: str, hand: HandModel, components: PoseComponents) -> Grasps:
        T_object_hand = np.tile(np.eye(4), (len(self._features), 1, 1))
        T_object_hand[:, :3, 3] = 0.1 * self._features[:, :3]
        T_object_hand[:, :3, :3] = self._features[:, 3:12].reshape(-1, 3, 3)
        rotation, translation = hand.wrist_parameters(T_object_hand)
        pose = components.pose(self._features[:, 12:57], flat_hand_mean=True)
        n = len(pose)
        return Grasps.make(
            name,
            pose,
            rotation,
            translation,
            self._features[:, 57].astype(np.int16),
            reason=("imported, not verified",) * n,
            provenance=tuple(f"ycb-affordance/{k}" for k in range(n)),
        )


def _hands(representation: Array, translation: Array, taxonomy: Array, *, where: str) -> Hands:
    try:
        rows = np.asarray(representation, np.float64).reshape(-1, 48)
        moved = np.asarray(translation, np.float64).reshape(-1, 3)
        kinds = np.asarray(taxonomy, np.float64).reshape(-1)
    except (ValueError, TypeError) as error:
        raise FormatError(f"not rows of 48, 3 and 1 numbers ({error})", where=where, remedy=_REMEDY) from None
    if not len(rows) == len(moved) == len(kinds):
        raise FormatError(
            f"{len(rows)} hands, {len(moved)} translations, {len(kinds)} grasp types", where=where, remedy=_REMEDY
        )
    for values, words in ((rows, "representation"), (moved, "translation"), (kinds, "taxonomy")):
        if not np.isfinite(values).all():
            raise FormatError(f"the {words} holds NaN or infinity", where=where, remedy=_REMEDY)
    if len(kinds) and (kinds.min() < 1 or kinds.max() > TYPES or (kinds != np.floor(kinds)).any()):
        raise FormatError(f"grasp types are numbered 1 to {TYPES}, not {kinds.min():g}", where=where, remedy=_REMEDY)
    return Hands(rows[:, :3], rows[:, 3:], moved, kinds.astype(np.int64))


def _frame_of(name: str, row: int, path: Path) -> tuple[int, int]:
    """Scene and frame of ``.../SSSS/FFFFFF-color.png``."""
    parts = name.strip().replace("\\", "/").split("/")
    stem = parts[-1].partition("-")[0]
    if len(parts) < 2 or not parts[-2].isdigit() or not stem.isdigit():
        raise FormatError(
            f"{name!r} is not the name of a frame",
            where=f"{path}, row {row}",
            remedy="names end in SSSS/FFFFFF-color.png",
        )
    return int(parts[-2]), int(stem)


def _load(path: Path) -> Array:
    try:
        with path.open("rb") as stream:
            return read_array(stream, path, _REMEDY)
    except FileNotFoundError:
        raise MissingFileError(f"no {path.name}", where=path, remedy=_REMEDY) from None
