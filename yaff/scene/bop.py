"""BOP's layout: ``ROOT[/SPLIT]/SSSSSS/{scene_gt.json,scene_camera.json,rgb/,depth/,mask_visib/}``, millimetres.

Format: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md. BOP's edition of YCB-Video moves
the origin of every model to the middle of its bounding box; where ``models_info.json`` shows that, poses are brought
back to the YCB-Video model frame.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from yaff.errors import FormatError, FrameError, MissingFileError, PoseError
from yaff.objects.cache import content_key
from yaff.scene.bop_models import model_offsets
from yaff.scene.frames import BadFrame, FrameTable
from yaff.scene.images import image_size_of, read_image
from yaff.scene.pose_checks import YCB_VIDEO_INDICES, bad_rows, check_unit
from yaff.scene.scene_index import SceneIndex, indexed

Array = np.ndarray

_READER = "bop 1"
_MILLIMETRE = 1e-3


class BopReader:
    """A :class:`~yaff.scene.frames.SceneReader` of a BOP dataset, or of one of its splits.

    Args:
        root: folder of the scenes, or of splits that hold them.
        known: object ids that may occur.
        cache: folder for the index of each scene; none is kept without it.

    Raises:
        MissingFileError: no folder with a ``scene_gt.json``.
        FormatError: two splits with the same scene.
    """

    def __init__(self, root: Path | str, known: Collection[int] = YCB_VIDEO_INDICES, cache: Path | None = None) -> None:
        self.root = Path(root)
        self.cache = cache
        self._known = frozenset(known)
        self._folders = bop_scenes(self.root)
        if not self._folders:
            raise MissingFileError(
                "not a BOP dataset: no SSSSSS/scene_gt.json",
                where=self.root,
                remedy="point to the folder that contains 000048/ and so on, or to the folder of its splits",
            )

    def __repr__(self) -> str:
        return f"BopReader({str(self.root)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.root, self._known, self.cache)

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the images, pixels; those of YCB-Video where there are none."""
        for folder in self._folders.values():
            for kind in ("rgb", "depth"):
                first = min((folder / kind).glob("*.*"), default=None)
                if first is not None:
                    return image_size_of(first)
        return (640, 480)

    def scenes(self) -> tuple[int, ...]:
        """The numbers of the folders, ascending."""
        return tuple(self._folders)

    def frame_numbers(self, scene: int) -> tuple[int, ...]:
        """The image ids in ``scene_gt.json``, ascending."""
        index = self._index(scene)
        return tuple(sorted({*index.table.frames.tolist(), *(bad.frame for bad in index.bad)}))

    def content_key(self, scene: int) -> str:
        """A digest that changes when a file of the scene does, images included, by name, size and time."""
        folder = self._folder(scene)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = [(str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
        return content_key(_READER, str(folder.resolve()), sorted(self._known), files, *self._frame_of_models)

    def read(
        self, scene: int, frames: Sequence[int] | None = None, skip_bad: bool = False
    ) -> tuple[FrameTable, tuple[BadFrame, ...]]:
        """Poses of the given frames (default: all) of a scene; see :class:`~yaff.scene.frames.SceneReader`.

        Raises:
            FormatError: a file that is not JSON, or a scene in another unit: also when bad frames are skipped.
        """
        index = self._index(scene)
        path = self._folder(scene) / "scene_gt.json"
        if frames is not None:
            wanted = sorted({int(f) for f in frames})
            absent = sorted(set(wanted) - set(index.table.frames.tolist()) - {b.frame for b in index.bad})
            missing = tuple(BadFrame(path.name, scene, f, f"frame {f} is not in {path.name}") for f in absent)
            index = index.chosen(wanted)
            index = SceneIndex(index.table, tuple(sorted((*index.bad, *missing), key=lambda b: b.frame)))
        if index.bad and not skip_bad:
            self._raise(scene, index.bad[0])
        return index.table, tuple(BadFrame(str(path.with_name(b.file)), scene, b.frame, b.reason) for b in index.bad)

    def colour_file(self, scene: int, frame: int) -> Path | None:
        """The file of the colour image, or None where there is none."""
        return self.path(scene, frame, "rgb")

    def colour(self, scene: int, frame: int) -> UInt8[Array, "h w 3"] | None:
        """The colour image, or None where the frame has none."""
        return self._image(scene, frame, "rgb", "RGB")

    def depth(self, scene: int, frame: int) -> Float32[Array, "h w"] | None:
        """Metres along the optical axis, NaN where nothing was measured; None where the frame has none."""
        raw = self._image(scene, frame, "depth", None)
        if raw is None:
            return None
        camera = self._json(scene, "scene_camera.json").get(str(frame), {})
        metres = raw.astype(np.float32) * np.float32(float(camera.get("depth_scale", 1.0)) * _MILLIMETRE)
        metres[raw == 0] = np.nan
        return metres

    def labels(self, scene: int, frame: int) -> UInt8[Array, "h w"] | None:
        """The object id seen at each pixel, put together from ``mask_visib``; None where the frame has no masks."""
        folder = self._folder(scene) / "mask_visib"
        masks = sorted(folder.glob(f"{frame:06d}_*.png"))
        if not masks:
            return None
        entries = self._json(scene, "scene_gt.json").get(str(frame), [])
        where = f"{folder}, frame {frame} of scene {scene}"
        if len(masks) != len(entries):
            raise FrameError(
                f"{len(masks)} masks of {len(entries)} objects", where=where, remedy="copy mask_visib/ again"
            )
        result: UInt8[Array, "h w"] = np.zeros(self.image_size[::-1], np.uint8)
        for path, entry in zip(masks, entries, strict=True):
            result[read_image(path, None, self.image_size, where=where) > 0] = int(entry["obj_id"])
        return result

    def path(self, scene: int, frame: int, kind: str) -> Path | None:
        """The image of a frame in ``kind`` (``rgb``, ``depth``), whatever its format; None where there is none."""
        return next(iter(sorted((self._folder(scene) / kind).glob(f"{frame:06d}.*"))), None)

    @cached_property
    def _offsets(self) -> dict[int, Float[Array, "3"]]:
        return model_offsets(self.root)

    @property
    def _frame_of_models(self) -> list[Array]:
        """What decides the frame of the poses, as part of keys."""
        return list(self._offsets.values())

    def _folder(self, scene: int) -> Path:
        if scene not in self._folders:
            present = ", ".join(map(str, self._folders))
            raise MissingFileError(f"no scene {scene}", where=self.root, remedy=f"scenes present: {present}")
        return self._folders[scene]

    def _image(self, scene: int, frame: int, kind: str, mode: str | None) -> Array | None:
        path = self.path(scene, frame, kind)
        if path is None:
            return None
        return read_image(path, mode, self.image_size, where=f"{path}, frame {frame} of scene {scene}")

    def _index(self, scene: int) -> SceneIndex:
        folder = self._folder(scene)
        status = [(folder / name).stat() for name in ("scene_gt.json", "scene_camera.json") if (folder / name).exists()]
        files = [(s.st_size, s.st_mtime_ns) for s in status]
        key = content_key(_READER, str(folder.resolve()), sorted(self._known), files, *self._frame_of_models)
        if self._last is None or self._last[0] != key:
            self._last = (key, indexed(self.cache, key, scene, lambda: self._read(scene)[0]))
        return self._last[1]

    _last: tuple[str, SceneIndex] | None = None
    """The scene that was read last: a scene is one file, asked for more than once."""

    def _raise(self, scene: int, bad: BadFrame) -> None:
        """Raise again what was wrong with a frame when it was indexed."""
        errors = self._read(scene)[1]
        where = f"{self._folder(scene) / bad.file}, frame {bad.frame} of scene {scene}"
        raise errors.get(bad.frame) or FrameError(bad.reason, where=where, remedy="ask for frames that are there")

    def _json(self, scene: int, name: str) -> dict[str, Any]:
        path = self._folder(scene) / name
        try:
            document = json.loads(path.read_bytes(), object_pairs_hook=_marked)
        except FileNotFoundError:
            raise MissingFileError(f"no {name}", where=path, remedy="copy it again from the dataset") from None
        except (ValueError, RecursionError) as error:
            raise FormatError(f"not JSON ({error})", where=path, remedy="copy it again from the dataset") from None
        if not isinstance(document, dict) or not all(key.isdigit() for key in document):
            raise FormatError("not a table of frames: keys must be image ids", where=path, remedy="see BOP's format")
        return document

    def _read(self, scene: int) -> tuple[SceneIndex, dict[int, FrameError | PoseError]]:
        """All frames of a scene; those that are bad with their errors."""
        truth, cameras = self._json(scene, "scene_gt.json"), self._json(scene, "scene_camera.json")
        path = self._folder(scene) / "scene_gt.json"
        errors: dict[int, FrameError | PoseError] = {}
        good: list[tuple[int, Array, Array, Array]] = []
        for frame in sorted(int(key) for key in truth):
            place = f"{path}, frame {frame} of scene {scene}"
            try:
                if isinstance(truth[str(frame)], _Twice):
                    raise FrameError("the frame is there twice", where=place, remedy="each image id once")
                good.append((frame, _camera(cameras.get(str(frame)), place), *self._frame(truth[str(frame)], place)))
            except (FrameError, PoseError) as error:
                errors[frame] = error
        start = np.concatenate([[0], np.cumsum([len(ids) for _, _, ids, _ in good])]).astype(np.int64)
        ids = np.concatenate([np.zeros(0, np.int64), *(ids for _, _, ids, _ in good)])
        Ts = np.concatenate([np.zeros((0, 4, 4)), *(Ts for _, _, _, Ts in good)])
        check_unit(Ts, where=str(path), unit="millimetres")

        def where(row: int) -> str:
            return f"{path}, frame {good[row][0]} of scene {scene}"

        wrong = bad_rows(ids, Ts, start, self._known, where=where, unit="millimetres")
        errors |= {good[row][0]: error for row, error in wrong.items()}
        left = [row for row in range(len(good)) if row not in wrong]
        table = FrameTable.from_rows(
            scene,
            [good[row][0] for row in left],
            [good[row][1] for row in left],
            [good[row][2].astype(np.uint8) for row in left],
            [self._moved(good[row][2], good[row][3]) for row in left],
        )
        bad = tuple(BadFrame(path.name, scene, frame, errors[frame].what) for frame in sorted(errors))
        return SceneIndex(table, bad), errors

    def _moved(self, ids: Array, Ts: Float64[Array, "n 4 4"]) -> Float64[Array, "n 4 4"]:
        """Poses of the YCB-Video models from those of BOP's: a point p of the first is p + offset of the second."""
        if not self._offsets:
            return Ts
        result = Ts.copy()
        offsets = np.array([self._offsets[int(i)] for i in ids], np.float64).reshape(-1, 3)
        result[:, :3, 3] += np.einsum("nij,nj->ni", Ts[:, :3, :3], offsets)
        return result

    def _frame(self, entries: Any, where: str) -> tuple[Array, Float64[Array, "n 4 4"]]:
        try:
            ids = np.array([int(entry["obj_id"]) for entry in entries], np.int64)
            rotation = np.array([entry["cam_R_m2c"] for entry in entries], np.float64).reshape(len(ids), 3, 3)
            translation = np.array([entry["cam_t_m2c"] for entry in entries], np.float64).reshape(len(ids), 3)
        except (KeyError, TypeError, ValueError) as error:
            raise FrameError(
                f"an entry lacks obj_id, cam_R_m2c (9 numbers) or cam_t_m2c (3 numbers): {error!r}",
                where=where,
                remedy="see BOP's format, or skip the frame with --skip-bad-frames",
            ) from None
        Ts = np.zeros((len(ids), 4, 4))
        Ts[:, :3, :3], Ts[:, :3, 3], Ts[:, 3, 3] = rotation, translation * _MILLIMETRE, 1.0
        return ids, Ts


class _Twice:
    """In place of the value of a key that a JSON object has more than once."""


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        result[key] = _Twice() if key in result else value
    return result


def _camera(entry: Any, where: str) -> Float[Array, "3 3"]:
    try:
        matrix = np.array(entry["cam_K"], np.float64).reshape(3, 3)
    except (KeyError, TypeError, ValueError):
        raise FrameError(
            "no camera: scene_camera.json has no cam_K (9 numbers) for the frame",
            where=where,
            remedy="copy scene_camera.json again, or skip the frame with --skip-bad-frames",
        ) from None
    if not np.isfinite(matrix).all() or not np.allclose(matrix[2], (0, 0, 1)) or min(matrix[0, 0], matrix[1, 1]) <= 0:
        raise FrameError(f"cam_K is not a camera matrix: {matrix.ravel().tolist()}", where=where, remedy="correct it")
    return matrix


def bop_scenes(root: Path) -> dict[int, Path]:
    """Folders with a ``scene_gt.json`` by scene, ascending: below ``root``, or below the splits in it.

    Raises:
        FormatError: two splits with the same scene.
    """
    found: dict[int, Path] = {}
    for pattern in ("*/scene_gt.json", "*/*/scene_gt.json"):
        for path in sorted(root.glob(pattern)):
            if not path.parent.name.isdigit():
                continue
            number = int(path.parent.name)
            if number in found:
                raise FormatError(
                    f"scene {number} is in {found[number].parent.name} and in {path.parent.parent.name}",
                    where=root,
                    remedy=f"give one split: {path.parent.parent}",
                )
            found[number] = path.parent
        if found:
            break
    return dict(sorted(found.items()))
