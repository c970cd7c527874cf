"""MANO's pickles: written for others, read without running anything, refused when they are not what they claim."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import struct
import sys
import types
from typing import ClassVar

import numpy as np
import pytest
from scipy import sparse

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.hand import HandModel, load_hand
from yaff.hand.array_pickles import read_arrays
from yaff.hand.mano_files import MANO_FILES, mano_pickle, read_mano_file, side_of


@pytest.fixture(scope="module")
def right() -> HandModel:
    return load_hand("right")


@pytest.fixture
def folder(tmp_path, right):
    (tmp_path / "MANO_RIGHT.pkl").write_bytes(mano_pickle(right))
    return tmp_path


class Python2Pickler(pickle._Pickler):
    """Writes bytes and text as Python 2 wrote its strings, which is how MANO's files were made."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, obj):
        data = obj if isinstance(obj, bytes) else obj.encode("latin1")
        self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(obj)

    dispatch[bytes] = save_string
    dispatch[str] = save_string


def _content(model: HandModel) -> dict[str, object]:
    return pickle.loads(mano_pickle(model), encoding="latin1")


def _python2(content: object) -> bytes:
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.fixture
def chumpy(monkeypatch):
    """Classes that pickle as chumpy's do: state is a dictionary with the array and some bookkeeping."""

    class Ch:
        def __init__(self, **state):
            self.__dict__.update(state, _dirty_vars={"x"}, _itr=None, _status="new")

    class Select(Ch):
        pass

    for module, cls in (("chumpy", None), ("chumpy.ch", Ch), ("chumpy.reordering", Select)):
        made = types.ModuleType(module)
        if cls is not None:
            cls.__module__, cls.__qualname__ = module, cls.__name__
            setattr(made, cls.__name__, cls)
        monkeypatch.setitem(sys.modules, module, made)
    return Ch, Select


@pytest.mark.parametrize("side", ["right", "left"])
def test_what_is_written_is_read_back_exactly(tmp_path, side):
    model = load_hand(side)
    path = tmp_path / MANO_FILES[side]
    path.write_bytes(mano_pickle(model))
    assert mano_pickle(model) == path.read_bytes()
    read = read_mano_file(path, side)
    assert read.name == "mano"
    assert read.side == side == side_of(read)
    assert read.digest == model.digest


def test_others_find_what_they_look_for(right):
    content = _content(right)
    assert set(content) == {
        "v_template", "shapedirs", "posedirs", "weights", "J_regressor", "kintree_table", "f",
        "hands_components", "hands_mean", "hands_coeffs", "bs_type", "bs_style",
    }  # fmt: skip
    assert content["bs_type"] == "lrotmin"
    assert content["bs_style"] == "lbs"
    assert isinstance(content["J_regressor"], sparse.csc_matrix)
    np.testing.assert_array_equal(content["J_regressor"].toarray(), right.joint_regressor)
    assert content["kintree_table"].dtype == np.uint32
    assert content["kintree_table"][0].tolist() == [2**32 - 1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    assert content["f"].dtype == np.uint32
    np.testing.assert_array_equal(content["hands_components"], np.eye(45))
    assert not content["hands_mean"].any()
    data = mano_pickle(right)
    for modern in (b"numpy._core", b"scipy.sparse._csc"):  # names that older versions of NumPy and SciPy lack
        assert modern not in data


def test_python_2_pickles_with_chumpy_are_read(tmp_path, right, chumpy):
    Ch, Select = chumpy
    content = _content(right)
    more = np.concatenate([content["shapedirs"], np.ones((778, 3, 5))], axis=2)
    kept = np.arange(more.size).reshape(more.shape)[:, :, :10]
    content["v_template"] = Ch(x=content["v_template"])
    content["shapedirs"] = Select(a=Ch(x=more), idxs=kept.ravel(), preferred_shape=kept.shape)
    content["posedirs"] = Ch(x=Ch(x=content["posedirs"]))
    content["scale"] = np.float64(2.0)
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(_python2(content))
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(path.read_bytes())  # it is a Python 2 pickle
    assert read_mano_file(path, "right").digest == right.digest


def test_oldest_protocol_and_rows_are_read(tmp_path, right, chumpy):
    class Old(chumpy[0]):
        def __reduce__(self):
            return copyreg._reconstructor, (chumpy[0], object, None), self.__dict__

    content = _content(right)
    content["J_regressor"] = sparse.csr_matrix(content["J_regressor"])
    content["weights"] = Old(x=content["weights"])
    path = tmp_path / "MANO_RIGHT.pkl"
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        assert read_mano_file(path, "right").digest == right.digest


class _Command:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class _Import:
    def __reduce__(self):
        return __import__, ("antigravity",)


@pytest.mark.parametrize("hidden", [False, True])
def test_code_is_never_run(tmp_path, right, hidden):
    witness = tmp_path / "witness"
    content = _content(right)
    content["weights" if hidden else "extra"] = _Command(f"touch {witness}")
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(FormatError, match=r"asks for (posix|nt)\.system") as error:
        read_mano_file(path, "right")
    assert str(path) in str(error.value)
    assert "do not trust" in str(error.value)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("evil", "name"),
    [
        (_Import(), "builtin"),
        (HandModel, r"yaff\.hand\.model\.HandModel"),
        (np.load, r"numpy\.load"),
        (io.BytesIO, r"_io\.BytesIO"),
        (eval, r"builtin.*eval"),
        (getattr, r"builtin.*getattr"),
        (exec, r"builtin.*exec"),
        (np.frombuffer, r"numpy.*frombuffer"),
        (np.memmap, r"numpy.*memmap"),
        (np.random.default_rng, r"numpy\.random"),
        (sparse.load_npz, r"scipy\.sparse.*load_npz"),
        (pickle.loads, r"pickle\.loads"),
    ],
)
def test_other_classes_are_refused_by_name(tmp_path, evil, name):
    path = tmp_path / "x.pkl"
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps({"v_template": evil}, protocol=protocol))
        with pytest.raises(FormatError, match=name):
            read_arrays(path)


def test_reconstruction_of_anything_else_is_refused(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02}U\x01accopy_reg\n_reconstructor\n(cnumpy\ndtype\nc__builtin__\nobject\nNtRs.")
    with pytest.raises(FormatError, match="asks for an object of"):
        read_arrays(path)
    path.write_bytes(b"\x80\x02c_codecs\nencode\n(U\x01aU\x04zip\x00tR.")
    with pytest.raises(FormatError, match="encoding"):
        read_arrays(path)
    path.write_bytes(b"\x80\x02U\x03pidQ.")
    with pytest.raises(FormatError, match="outside itself"):
        read_arrays(path)


def test_what_a_pickle_may_name_it_cannot_change(tmp_path):
    """The build opcode sets attributes of whatever was named: of stand-ins it sets the state, of the rest nothing."""
    path = tmp_path / "x.pkl"
    for named in (b"ccopy_reg\n_reconstructor\n", b"c_codecs\nencode\n", b"cchumpy.ch\nCh\n", b"cnumpy\nndarray\n"):
        path.write_bytes(b"\x80\x02}U\x01a" + named + b"N}U\x05arrayK\x01s\x86bs.")
        with pytest.raises(FormatError, match="cannot be read as a pickle"):
            read_arrays(path)


def test_a_pickle_within_itself_is_refused(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02}U\x01acchumpy.ch\nCh\n)\x81q\x01}U\x01xh\x01sbs.")  # a Ch whose array it is itself
    with pytest.raises(FormatError, match="cannot be read as a pickle"):
        read_arrays(path)


@pytest.mark.parametrize("data", [b"", b"not a pickle", b"\x80\x02]q\x00.", b"\x80\x02}", b"\x80\xff", b"\x80\x02K"])
def test_what_is_no_pickle_of_a_dictionary_is_refused(tmp_path, data):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(data)
    with pytest.raises(FormatError) as error:
        read_mano_file(path, "right")
    assert error.value.where == str(path)
    assert error.value.remedy


def test_a_truncated_file_is_refused(folder):
    path = folder / "MANO_RIGHT.pkl"
    data = path.read_bytes()
    for length in (10, 1000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError, match="cannot be read as a pickle"):
            read_mano_file(path, "right")


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("weights", lambda a: None, "lacks 'weights'"),
        ("v_template", lambda a: a[:700], r"v_template has shape \(700, 3\), MANO's has \(778, 3\)"),
        ("posedirs", lambda a: a[:, :, :100], "posedirs has shape"),
        ("posedirs", lambda a: a * np.nan, "pose_directions holds NaN"),
        ("v_template", lambda a: np.where(np.arange(778)[:, None] == 9, np.inf, a), "template holds NaN or infinity"),
        ("f", lambda a: a + 700, "faces name vertex"),
        ("weights", lambda a: a.astype(str), "weights does not hold numbers"),
        ("weights", lambda a: a * 2.0, r"row \d+ of weights sums to 2"),
        ("kintree_table", lambda a: a[:, ::-1], "parents are"),
        ("hands_mean", lambda a: a[:6], r"hands_mean has shape \(6,\)"),
        ("hands_mean", lambda a: a + np.nan, "the pose mean holds NaN"),
        ("hands_components", lambda a: a[:6], r"hands_components has shape \(6, 45\)"),
        ("hands_components", lambda a: None, "lacks 'hands_components'"),
        ("hands_components", lambda a: a * 0.0, "do not span"),
        ("v_template", lambda a: a * np.array([-1.0, 1.0, 1.0]), "this is the left hand, not the right one"),
    ],
)
def test_arrays_are_checked(tmp_path, right, key, change, message):
    content = _content(right)
    content[key] = change(content[key])
    if content[key] is None:
        del content[key]
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(FormatError, match=message) as error:
        read_mano_file(path, "right")
    assert "MANO_RIGHT.pkl" in str(error.value)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_hand_of_the_other_side_is_refused(tmp_path, side):
    other = "left" if side == "right" else "right"
    (tmp_path / MANO_FILES[side]).write_bytes(mano_pickle(load_hand(other)))
    with pytest.raises(FormatError, match=f"this is the {other} hand, not the {side} one"):
        load_hand(side, tmp_path)


def test_the_built_in_hand_is_used_where_no_licensed_one_is(tmp_path, right):
    assert load_hand().name == load_hand("right", tmp_path).name == "builtin"
    assert load_hand("left").side == "left"
    assert load_hand("left").digest == right.mirrored().digest
    with pytest.raises(InputError, match="'right' or 'left'"):
        load_hand("both")


@pytest.mark.parametrize("place", [".", "mano", "models", "mano_v1_2/models"])
def test_the_licensed_hand_is_used_where_it_is_installed(tmp_path, right, place):
    target = tmp_path / place
    target.mkdir(parents=True, exist_ok=True)
    (target / "MANO_RIGHT.pkl").write_bytes(mano_pickle(right))
    found = load_hand("right", tmp_path)
    assert (found.name, found.side, found.digest) == ("mano", "right", right.digest)
    mirrored = load_hand("left", str(tmp_path))
    assert (mirrored.name, mirrored.side) == ("mano", "left")
    np.testing.assert_array_equal(mirrored.template, right.template * np.array([-1.0, 1.0, 1.0]))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="no MANO file"):
        read_mano_file(tmp_path / "MANO_RIGHT.pkl", "right")
