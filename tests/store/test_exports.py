"""What leaves in the formats of others is read back by the others' rules, and is what the shards hold."""

from __future__ import annotations

import gc
import io
import json
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from made_up import OBJECTS, SPLITS, hand, make_dataset, make_grasps, make_table

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.geometry.transforms import invert
from yaff.hand.components import PoseComponents
from yaff.hand.model import HandModel
from yaff.objects.catalogue import Catalogue
from yaff.scene.frames import BadFrame, FrameTable
from yaff.store.exporters.croissant import Card, export_croissant
from yaff.store.exporters.frames import frames_of
from yaff.store.exporters.webdataset import export_webdataset
from yaff.store.exporters.ycb_affordance import RECORD, export_ycb_affordance, object_array_bytes
from yaff.store.importers.ycb_affordance_dataset import YcbAffordanceDataset, is_ycb_affordance_dataset
from yaff.store.reading import ShardSet

Array = np.ndarray


def _components() -> PoseComponents:
    rng = np.random.default_rng(5)
    return PoseComponents(0.2 * rng.normal(size=45), np.eye(45) + 0.1 * rng.normal(size=(45, 45)))


class Frames:
    """The frames that the made-up datasets annotate."""

    image_size = (640, 480)
    root = Path()

    def scenes(self) -> tuple[int, ...]:
        return (1, 2)

    def frame_numbers(self, scene: int) -> tuple[int, ...]:
        return tuple(3 * k + 1 for k in range(12))

    def content_key(self, scene: int) -> str:
        return str(scene)

    def read(
        self, scene: int, frames: list[int] | None = None, skip_bad: bool = False
    ) -> tuple[FrameTable, tuple[BadFrame, ...]]:
        return make_table(np.random.default_rng([0, scene]), scene, 12), ()

    def colour(self, scene: int, frame: int) -> None:
        return None

    depth = labels = colour_file = colour


@pytest.fixture(params=["compact", "full"])
def shards(request: pytest.FixtureRequest, datasets: dict[str, Path]) -> ShardSet:
    return ShardSet.open(datasets[request.param])


def test_frames_hold_what_the_shards_hold(shards: ShardSet) -> None:
    """In the order of scene and frame; annotations of an instance are its own; planes are moved with the camera."""
    seen, rows = [], 0
    table = {scene: Frames().read(scene)[0] for scene in (1, 2)}
    heights: dict[int, set[float]] = {}
    for reader, frame in frames_of(shards):
        seen.append((frame.scene, frame.frame))
        n = len(frame.grasp)
        assert np.array_equal(frame.parameters, shards.parameters(rows, rows + n))
        batch = shards.batch(np.arange(rows, rows + n))
        assert np.array_equal(np.repeat(frame.object_index, np.diff(frame.start)), batch["object_index"])
        assert np.array_equal(reader["grasps/grasp_type"][frame.grasp], batch["grasp_type"])
        row = int(np.flatnonzero(table[frame.scene].frames == frame.frame)[0])
        assert np.array_equal(
            frame.Ts_camera_object, table[frame.scene].Ts_camera_object[table[frame.scene].instances(row)]
        )
        if frame.plane is not None:  # the height of an object above the table does not depend on the camera
            first = frame.Ts_camera_object[list(frame.object_index).index(1), :3, 3]
            heights.setdefault(frame.scene, set()).add(round(float(frame.plane[:3] @ first + frame.plane[3]), 9))
        rows += n
    assert rows == len(shards)
    assert seen == [(scene, 3 * k + 1) for scene in (1, 2) for k in range(12)]
    assert [len(values) for values in heights.values()] == [1, 1]
    train = [frame for _, frame in frames_of(shards, "train")]
    assert len(train) == 16
    assert all("train" in frame.splits for frame in train)
    with pytest.raises(InputError, match="no split 'test'"):
        list(frames_of(shards, "test"))


class PublishedReader:
    """Indexes the files as GanHand's dataset classes do: the paths, shapes and order they rely on, nothing else.

    Written after the published layout (``ycb_affordances_complete_scene``). What it checks: names of files and folders,
    ``imgnames`` without pickles and with its newline, rows of the splits, object arrays by frame and object, 48 numbers
    of a representation, types from 1, one plane a frame. What it does not: the published classes themselves, which are
    not run here (they need images, manopth and the GanHand repository).
    """

    def __init__(self, folder: Path, mode: str) -> None:
        self.data = folder / "data"
        self.imgnames = np.load(self.data / "imgnames.npy")  # no pickles allowed
        self.indices = np.arange(len(self.imgnames))[np.load(folder / f"indexs_{mode}_set.npy")]
        self.planes = np.load(self.data / "plane_equations.npy")

    def __len__(self) -> int:
        return len(self.indices)

    def sample(self, index: int, ind: int, grasp: int) -> tuple[tuple[int, int], Array, Array, int, Array]:
        number = self.indices[index]
        name = self.imgnames[number].split("\n")[0]
        video, frame = name.split("/")[-2:]
        read = [
            np.load(self.data / "YCB_Affordance_grasps" / f"mano_{kind}_{number}.npy", allow_pickle=True)
            for kind in ("representation", "translation", "taxonomy")
        ]
        assert len(read[0][ind]) == len(read[1][ind]) == len(read[2][ind])
        place = (int(video), int(frame.split("-")[0]))
        return place, read[0][ind][grasp], read[1][ind][grasp], read[2][ind][grasp] - 1, self.planes[number]


class TestYcbAffordance:
    @pytest.fixture
    def exported(self, shards: ShardSet, tmp_path: Path) -> Path:
        done = export_ycb_affordance(shards, tmp_path / "out", hand(), _components())
        assert (done.frames, done.annotations) == (24, len(shards))
        return tmp_path / "out"

    def test_the_published_way_of_reading_finds_every_hand(self, shards: ShardSet, exported: Path) -> None:
        """manopth with all 45 components and a flat mean: pose = coefficients @ components."""
        components = _components()
        frames = {(f.scene, f.frame): f for _, f in frames_of(shards)}
        counted = 0
        for mode, split in (("train", "train"), ("val", "val"), ("test", None)):
            reader = PublishedReader(exported, mode)
            assert len(reader) == (0 if split is None else sum(split in f.splits for f in frames.values()))
            for index in range(len(reader)):
                place, *_ = reader.sample(index, 0, 0)
                frame = frames[place]
                assert split in frame.splits
                for k in range(len(frame.object_index)):
                    mine = frame.parameters[frame.start[k] : frame.start[k + 1]]
                    for g in (0, len(mine) - 1):
                        _, representation, translation, taxonomy, plane = reader.sample(index, k, g)
                        assert representation.shape == (48,)
                        pose = representation[3:] @ components.components
                        assert np.abs(pose - mine[g, 3:48]).max() < 1e-5
                        assert np.abs(representation[:3] - mine[g, :3]).max() < 1e-6
                        assert translation.shape == (3,)
                        assert 0 <= taxonomy < 33
                        assert plane.shape == (4,)
                        counted += 1
        assert counted > 100

    def test_the_mean_hand_is_where_the_shaped_one_was(self, shards: ShardSet, exported: Path) -> None:
        """The layout has no hand shape: the wrist stays where it is."""
        dataset = YcbAffordanceDataset(exported)
        batch = shards.batch(np.arange(5))
        hands = dataset.hands(0)[0]
        T = hand().wrist_transform(hands.wrist_rotation[:5], hands.translation[:5])
        assert np.abs(T - batch["T_camera_hand"]).max() < 1e-6

    def test_there_and_back(self, shards: ShardSet, exported: Path) -> None:
        """Every annotation, and, in the object frame, every grasp once: those that some frame shows, and no other."""
        dataset = YcbAffordanceDataset(exported / "data")
        assert dataset.frames == [(f.scene, f.frame) for _, f in frames_of(shards)]
        components = dataset.components(hand())
        rows = 0
        for row in range(len(dataset)):
            for hands in dataset.hands(row):
                n = len(hands.grasp_type)
                batch = shards.batch(np.arange(rows, rows + n))
                pose = components.pose(hands.coefficients, flat_hand_mean=True)
                assert np.abs(pose - batch["pose"]).max(initial=0.0) < 1e-5
                assert np.abs(hands.wrist_rotation - batch["wrist_rotation"]).max(initial=0.0) < 1e-5
                assert np.array_equal(hands.grasp_type, batch["grasp_type"])
                T = hand().wrist_transform(hands.wrist_rotation, hands.translation)
                assert np.abs(T - batch["T_camera_hand"]).max(initial=0.0) < 1e-5
                rows += n
        assert rows == len(shards)
        grasps = dataset.distinct_grasps(Frames(), hand(), components)
        assert set(grasps) == set(OBJECTS)
        everything = shards.batch(np.arange(len(shards)))
        for name, batch in grasps.items():
            mine = everything["object"] == name
            shown, first = np.unique(everything["library_row"][mine], return_index=True)
            assert len(batch) == len(shown)
            there = invert(everything["T_camera_object"][mine][first]) @ everything["T_camera_hand"][mine][first]
            here = hand().wrist_transform(batch.wrist_rotation.astype(np.float64), batch.translation.astype(np.float64))
            distance = np.abs(there[:, None] - here[None]).max((2, 3))
            match = distance.argmin(1)
            assert len(set(match.tolist())) == len(shown)
            assert distance.min(1).max() < 1e-5
            assert np.abs(batch.pose[match] - everything["pose"][mine][first]).max() < 1e-5
            assert np.array_equal(batch.grasp_type[match], everything["grasp_type"][mine][first])
            assert not batch.verified.any()

    def test_planes_and_offsets(self, shards: ShardSet, exported: Path) -> None:
        planes = np.load(exported / "data" / "plane_equations.npy")
        record = json.loads((exported / RECORD).read_text())
        for row, (_, frame) in enumerate(frames_of(shards)):
            assert (frame.plane is None) == (row in record["frames_without_plane"])
            assert np.array_equal(planes[row], np.zeros(4) if frame.plane is None else frame.plane)
        known = Catalogue.load()
        offsets = np.load(exported / "data" / "offsets.npy")
        assert np.array_equal(offsets[13], known["025_mug"].ycb_offset)

    def test_the_same_bytes_again_and_a_prefix(self, shards: ShardSet, exported: Path, tmp_path: Path) -> None:
        export_ycb_affordance(shards, tmp_path / "again", hand(), _components(), image_prefix="/somewhere/data/")
        assert np.load(tmp_path / "again" / "data" / "imgnames.npy")[0] == "/somewhere/data/0001/000001-color.png\n"
        for path in sorted((exported / "data" / "YCB_Affordance_grasps").iterdir()):
            assert path.read_bytes() == (tmp_path / "again" / "data" / "YCB_Affordance_grasps" / path.name).read_bytes()

    def test_another_hand_is_refused(self, shards: ShardSet, tmp_path: Path) -> None:
        other: HandModel = hand().mirrored()
        with pytest.raises(InputError, match="of another hand"):
            export_ycb_affordance(shards, tmp_path, other, _components())

    def test_object_arrays_are_for_old_numpy_too(self) -> None:
        for entries in ([], [np.zeros((0, 48), np.float32)], [np.ones((2, 3)), np.ones((2, 3))]):
            data = object_array_bytes(entries)
            assert b"numpy._core" not in data
            back = np.load(io.BytesIO(data), allow_pickle=True)
            assert back.dtype == object
            assert back.shape == (len(entries),)
            for mine, theirs in zip(entries, back, strict=True):
                assert mine.dtype == theirs.dtype
                assert np.array_equal(mine, theirs)


class TestImportOfBadInput:
    @pytest.fixture
    def folder(self, datasets: dict[str, Path], tmp_path: Path) -> Path:
        export_ycb_affordance(ShardSet.open(datasets["compact"]), tmp_path, hand(), _components())
        return tmp_path

    def _replace(self, folder: Path, kind: str, entries: list[Array]) -> None:
        (folder / "data" / "YCB_Affordance_grasps" / f"mano_{kind}_0.npy").write_bytes(object_array_bytes(entries))

    def test_what_does_not_fit_is_named(self, folder: Path) -> None:
        dataset = YcbAffordanceDataset(folder)
        good = [np.ones((2, 48)), np.ones((2, 3)), np.array([1, 33])]
        for change, match in (
            ({0: np.ones((3, 48))}, "3 hands, 2 translations"),
            ({0: np.ones((2, 47))}, "not rows of 48"),
            ({0: np.full((2, 48), np.nan)}, "representation holds NaN"),
            ({1: np.full((2, 3), np.inf)}, "translation holds NaN"),
            ({2: np.array([0, 5])}, "numbered 1 to 33"),
            ({2: np.array([5, 34])}, "numbered 1 to 33"),
        ):
            for k, kind in enumerate(("representation", "translation", "taxonomy")):
                self._replace(folder, kind, [change.get(k, good[k])] * 3)
            with pytest.raises(FormatError, match=match) as caught:
                dataset.hands(0)
            assert "mano_representation_0.npy, object 0" in str(caught.value)
        self._replace(folder, "taxonomy", [good[2]] * 2)
        with pytest.raises(FormatError, match="3 objects here, 3 translations, 2 taxonomies"):
            dataset.hands(0)
        (folder / "data" / "YCB_Affordance_grasps" / "mano_taxonomy_0.npy").unlink()
        with pytest.raises(MissingFileError, match=r"no mano_taxonomy_0\.npy"):
            dataset.hands(0)

    def test_a_pickle_that_asks_for_more_than_arrays_is_refused(self, folder: Path) -> None:
        path = folder / "data" / "YCB_Affordance_grasps" / "mano_taxonomy_0.npy"
        array = np.empty(1, object)
        array[0] = Path("x")
        np.save(path, array, allow_pickle=True)
        with pytest.raises(FormatError, match="pathlib"):
            YcbAffordanceDataset(folder).hands(0)
        for data in (b"", b"nothing", path.read_bytes()[:100]):
            path.write_bytes(data)
            with pytest.raises(FormatError, match="cannot be read"):
                YcbAffordanceDataset(folder).hands(0)

    def test_frames_of_another_dataset(self, folder: Path) -> None:
        dataset = YcbAffordanceDataset(folder)
        dataset.frames[0] = (1, 500)
        with pytest.raises(InputError, match="no such frame") as caught:
            dataset.distinct_grasps(Frames(), hand(), _components())
        assert "frame 500 of scene 1" in str(caught.value)
        dataset.frames[0] = (2, 1)
        with pytest.raises(InputError, match="grasps of 3 objects; the dataset of frames has 2"):
            dataset.distinct_grasps(Frames(), hand(), _components())

    def test_folders_and_names(self, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        assert is_ycb_affordance_dataset(folder)
        assert is_ycb_affordance_dataset(folder / "data")
        with pytest.raises(MissingFileError, match="not the original layout"):
            YcbAffordanceDataset(tmp_path_factory.mktemp("empty"))
        (folder / RECORD).unlink()
        with pytest.raises(InputError, match="licensed MANO hand"):
            YcbAffordanceDataset(folder).components(hand())
        (folder / RECORD).write_text("{}")
        with pytest.raises(FormatError, match="not a record"):
            YcbAffordanceDataset(folder).components(hand())
        np.save(folder / "data" / "plane_equations.npy", np.zeros((3, 4)))
        with pytest.raises(FormatError, match="for 24 images"):
            YcbAffordanceDataset(folder)
        np.save(folder / "data" / "imgnames.npy", np.array(["here.png"]))
        with pytest.raises(FormatError, match="not the name of a frame"):
            YcbAffordanceDataset(folder)


class TestWebDataset:
    def test_the_library_streams_what_the_shards_hold(self, shards: ShardSet, tmp_path: Path) -> None:
        webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
        picture = tmp_path / "picture.png"
        picture.write_bytes(b"\x89PNG of frame 1")
        done = export_webdataset(
            shards, tmp_path / "a", frames_per_file=10, image=lambda s, f: picture if f == 1 else None
        )
        assert done.files == ("frames-000000.tar", "frames-000001.tar", "frames-000002.tar")
        urls = [str(tmp_path / "a" / name) for name in done.files]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves its files open
            samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
            gc.collect()
        assert len(samples) == done.frames == 24
        rows = 0
        for sample, (_, frame) in zip(samples, frames_of(shards), strict=True):
            facts, n = sample["json"], len(sample["hand.npy"])
            assert sample["__key__"] == f"{frame.scene:04d}_{frame.frame:06d}"
            assert (facts["scene"], facts["frame"]) == (frame.scene, frame.frame)
            assert np.array_equal(facts["intrinsics"], frame.intrinsics)
            assert np.array_equal([i["T_camera_object"] for i in facts["instances"]], frame.Ts_camera_object)
            batch = shards.batch(np.arange(rows, rows + n))
            assert [facts["instances"][k]["object"] for k in sample["instance.npy"]] == batch["object"].tolist()
            assert np.array_equal(sample["hand.npy"], shards.parameters(rows, rows + n))
            assert np.array_equal(sample["type.npy"], batch["grasp_type"])
            assert np.array_equal(sample["shape.npy"], batch["shape"])
            assert ("color.png" in sample) == (frame.frame == 1)
            rows += n
        assert rows == len(shards)

    def test_the_same_bytes_again_and_one_split(self, shards: ShardSet, tmp_path: Path) -> None:
        for name in ("a", "b"):
            export_webdataset(shards, tmp_path / name)
        assert (tmp_path / "a" / "frames-000000.tar").read_bytes() == (
            tmp_path / "b" / "frames-000000.tar"
        ).read_bytes()
        done = export_webdataset(shards, tmp_path / "c", split="val")
        assert (done.files, done.frames) == (("val-000000.tar",), 8)
        with tarfile.open(tmp_path / "c" / "val-000000.tar") as tar:
            assert {entry.mtime for entry in tar} == {0}
        assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
class TestCroissant:
    def test_it_is_valid_and_its_records_can_be_read(self, shards: ShardSet, tmp_path: Path) -> None:
        croissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
        address = "https://example.org/"
        card = Card("made-up", license=address, url=address, cite="@misc{yaff}", published="2026-01-01")
        done = export_croissant(shards, tmp_path, card)
        dataset = croissant.Dataset(jsonld=done.path)
        assert not dataset.metadata.ctx.issues.errors
        assert not dataset.metadata.ctx.issues.warnings
        assert dataset.metadata.name == "made-up"
        records = list(dataset.records("instances"))
        assert len(records) == done.instances == len(shards.index["instances/object_index"])
        assert sum(int(record["instances/annotations"]) for record in records) == len(shards)
        objects = {record["objects/object"].decode(): record for record in dataset.records("objects")}
        assert {name: int(record["objects/object_index"]) for name, record in objects.items()} == OBJECTS
        words = {word for record in records for word in record["instances/splits"].decode().split()}
        assert words == set(SPLITS)

    def test_every_file_of_the_dataset_is_listed_with_its_checksum(self, shards: ShardSet, tmp_path: Path) -> None:
        import hashlib

        export_croissant(shards, tmp_path)
        document = json.loads((tmp_path / "croissant.json").read_text())
        listed = {entry["name"]: entry for entry in document["distribution"]}
        assert {path.name for path in shards.folder.iterdir()} <= set(listed)
        for entry in listed.values():
            data = (tmp_path / entry["contentUrl"]).read_bytes()
            assert entry["contentSize"] == f"{len(data)} B"
            assert entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_dataset_without_annotations_can_be_exported(tmp_path: Path) -> None:
    make_dataset(tmp_path / "shards", "compact", scenes=(2,), frames=2, grasps=1)
    shards = ShardSet.open(tmp_path / "shards")
    done = export_ycb_affordance(shards, tmp_path / "out", hand(), _components())
    assert done.annotations == len(shards)
    assert YcbAffordanceDataset(tmp_path / "out").hands(0)[0].coefficients.shape[1] == 45
    assert make_grasps(np.random.default_rng(0), "025_mug", 1).object_name == "025_mug"
