"""Pickles of arrays, read without running anything they ask for.

Data of the field travel in pickles, many of them made by Python 2, whose content is NumPy arrays, SciPy sparse matrices
and chumpy objects. The reader builds arrays and inert stand-ins only; a file that names any other class is refused by
that name.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from scipy import sparse

from yaff.errors import FormatError

Array = np.ndarray

_REMEDY = "get the unmodified file from those who publish it"


def read_arrays(path: Path, remedy: str = _REMEDY) -> dict[str, Any]:
    """The dictionary in a pickle of arrays, sparse matrices and chumpy objects, each as a plain array.

    Args:
        path: the file.
        remedy: what an error tells the reader to do.

    Raises:
        FormatError: not such a pickle, or one that names another class.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, path, remedy).load()
        if not isinstance(content, dict):
            raise FormatError(f"holds a {type(content).__name__}, not a dictionary", where=path, remedy=remedy)
        return {str(key): _plain(value) for key, value in content.items()}
    except FormatError:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise FormatError(f"cannot be read as a pickle: {error}", where=path, remedy=remedy) from error


def read_array(stream: io.BufferedIOBase, path: Path, remedy: str = _REMEDY) -> Shaped[Array, "..."]:
    """The array in an ``.npy`` file, also one of objects that are arrays themselves.

    Args:
        stream: the file, at its start.
        path: its name, for messages.
        remedy: what an error tells the reader to do.

    Raises:
        FormatError: not an ``.npy`` file, or one that holds anything but arrays.
    """
    try:
        version = np.lib.format.read_magic(stream)
        headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = headers[version](stream)
        if not dtype.hasobject:
            stream.seek(0)
            return np.lib.format.read_array(stream, allow_pickle=False)
        array = _ArrayUnpickler(stream, path, remedy).load()
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise FormatError("the array is not of the shape it announces", where=path, remedy=remedy)
        return array
    except FormatError:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise FormatError(f"cannot be read as an array: {error}", where=path, remedy=remedy) from error


class _StandIn:
    """Takes the place of an object of a foreign class: keeps its state and does nothing."""

    def __init__(self, *_: object) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("an object's state is not a dictionary")
        self.state = {str(key): value for key, value in state.items()}

    def array(self) -> Array:
        raise NotImplementedError


class _Chumpy(_StandIn):
    """``chumpy.Ch``: carries the array ``x``."""

    def array(self) -> Array:
        return np.asarray(_plain(self.state["x"]))


class _ChumpySelect(_StandIn):
    """``chumpy.reordering.Select``: entries ``idxs`` of the array ``a``, perhaps in another shape."""

    def array(self) -> Array:
        chosen = np.asarray(_plain(self.state["a"])).ravel()[np.asarray(_plain(self.state["idxs"])).astype(np.int64)]
        return chosen.reshape(self.state["preferred_shape"]) if "preferred_shape" in self.state else chosen


class _SparseColumns(_StandIn):
    """``scipy.sparse.csc_matrix``."""

    def array(self) -> Array:
        s = self.state
        shape = s["_shape"] if "_shape" in s else s["shape"]
        return sparse.csc_matrix((s["data"], s["indices"], s["indptr"]), shape=shape).toarray()


class _SparseRows(_StandIn):
    """``scipy.sparse.csr_matrix``."""

    def array(self) -> Array:
        s = self.state
        shape = s["_shape"] if "_shape" in s else s["shape"]
        return sparse.csr_matrix((s["data"], s["indices"], s["indptr"]), shape=shape).toarray()


def _plain(value: object) -> Any:
    return value.array() if isinstance(value, _StandIn) else value


class _Reconstruct:
    """What Python 2 calls to make an object: only stand-ins can be made.

    An object without attributes, not a function: a pickle can set the attributes of what it has named.
    """

    __slots__ = ()

    def __call__(self, kind: object, base: object, state: object) -> object:
        if not (isinstance(kind, type) and issubclass(kind, _StandIn)):
            raise pickle.UnpicklingError(f"asks for an object of {kind!r}")
        return kind()


class _Encode:
    """How Python 3 writes bytes for Python 2."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"asks for the encoding {encoding!r}")
        return text.encode("latin1")


# the functions themselves, whatever NumPy calls their modules: taken from what arrays and scalars reduce to
_ARRAY, _SCALAR, _BUFFER = (
    value.__reduce_ex__(protocol)[0] for value, protocol in ((np.empty(1), 2), (np.float64(0.0), 2), (np.empty(1), 5))
)

_GLOBALS: Mapping[tuple[str, str], object] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _ARRAY for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _SCALAR for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _BUFFER for core in ("core", "_core")},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{(module, "csc_matrix"): _SparseColumns for module in ("scipy.sparse.csc", "scipy.sparse._csc", "scipy.sparse")},
    **{(module, "csr_matrix"): _SparseRows for module in ("scipy.sparse.csr", "scipy.sparse._csr", "scipy.sparse")},
    **{(module, "Ch"): _Chumpy for module in ("chumpy.ch", "chumpy")},
    **{(module, "Select"): _ChumpySelect for module in ("chumpy.reordering", "chumpy")},
    **{(module, "_reconstructor"): _Reconstruct() for module in ("copy_reg", "copyreg")},
    **{(module, "object"): object for module in ("__builtin__", "builtins")},
    **{(module, "set"): set for module in ("__builtin__", "builtins")},
    ("_codecs", "encode"): _Encode(),
}


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BufferedIOBase | Any, path: Path, remedy: str) -> None:
        super().__init__(file, fix_imports=False, encoding="latin1")
        self._path, self._remedy = path, remedy

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _GLOBALS[module_name, global_name]
        except KeyError:
            raise FormatError(
                f"the pickle asks for {module_name}.{global_name}, which no array needs",
                where=self._path,
                remedy="do not trust this file; " + self._remedy,
            ) from None

    def persistent_load(self, pid: object) -> Any:
        raise FormatError("the pickle refers to objects outside itself", where=self._path, remedy=self._remedy)
