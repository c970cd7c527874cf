"""A file is there complete or not at all, whatever stops the writer; and one build writes a folder at a time."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from yaff.errors import StorageError
from yaff.store.atomic import LOCK_NAME, atomic_file, build_lock, remove_temporaries, write_bytes

HERE = str(Path(__file__).parent)


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    head = f"import sys; sys.path.insert(0, {HERE!r})\n"
    command = [sys.executable, "-c", head + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def failing(path: Path, error: Exception) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise error


def test_appears_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    with atomic_file(path) as temporary:
        temporary.write_bytes(b"one")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"")
    (tmp_path / "plain").touch()
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        failing(path, ZeroDivisionError())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EACCES, "may not write"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
    ],
)
def test_a_refusing_disk_is_named(tmp_path: Path, code: int, words: str) -> None:
    path = tmp_path / "file.bin"
    with pytest.raises(StorageError, match=words) as caught:
        failing(path, OSError(code, os.strerror(code)))
    assert caught.value.where == str(path)
    assert os.strerror(code) in caught.value.what
    assert not list(tmp_path.iterdir())


def test_hdf5_hides_the_cause_in_its_message(tmp_path: Path) -> None:
    message = "Can't write data (file write failed: errno = 28, error message = 'No space left on device')"
    for kind in (OSError, RuntimeError):
        with pytest.raises(StorageError, match="No space left"), atomic_file(tmp_path / "file.h5"):
            raise kind(message)
    assert not list(tmp_path.iterdir())


def test_an_input_that_cannot_be_read_is_no_failure_to_write(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    with pytest.raises(PermissionError), atomic_file(tmp_path / "out" / "file"):
        raise PermissionError(errno.EACCES, "Permission denied", str(inputs / "meta.mat"))
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "out" / "file"):
        (inputs / "missing").read_bytes()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(StorageError) as caught:
        write_bytes(tmp_path / "out" / "file", b"")
    assert caught.value.remedy


LIMITED = """
import resource, signal
from pathlib import Path
from made_up import make_content, make_grasp_sets
from yaff.errors import StorageError
from yaff.store.shards import write_shard

folder = Path(sys.argv[1])
content = make_content(make_grasp_sets(), 1, 12)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    write_shard(folder / "shard-00001.h5", "full", content)
except StorageError as error:
    print(error)
    print(sorted(p.name for p in folder.iterdir()))
"""


def test_no_space_while_hdf5_writes(tmp_path: Path) -> None:
    done = run(LIMITED, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "shard-00001.h5" in done.stdout
    assert "remedy" in done.stdout
    assert done.stdout.strip().endswith("[]")
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal
from pathlib import Path
from made_up import make_content, make_grasp_sets
from yaff.store import layouts, shards

folder = Path(sys.argv[1])
shards.CHUNK_ROWS = 50
pieces = shards._pieces
def dying(start):
    for number, piece in enumerate(pieces(start)):
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield piece
shards._pieces = dying
shards.write_shard(folder / "shard-00001.h5", "full", make_content(make_grasp_sets(), 1, 12))
"""


@pytest.mark.parametrize("piece", [0, 5])
def test_killed_while_writing(tmp_path: Path, piece: int) -> None:
    done = run(KILLED, tmp_path, piece)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "shard-00001.h5").exists()
    removed = remove_temporaries(tmp_path)
    assert len(removed) == 1
    assert not list(tmp_path.iterdir())


HOLDER = """
from yaff.store.atomic import build_lock
import os, signal, time
with build_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_build_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys\n" + HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StorageError, match=f"process {holder.pid}") as caught, build_lock(tmp_path):
            pass
        assert caught.value.where == str(tmp_path)
        holder.kill()
    with build_lock(tmp_path):  # a killed build does not hold it
        assert (tmp_path / LOCK_NAME).exists()
    assert not list(tmp_path.iterdir())


def test_a_lock_is_not_taken_twice_in_one_process(tmp_path: Path) -> None:
    with build_lock(tmp_path):
        with pytest.raises(StorageError, match="another build"), build_lock(tmp_path):
            pass
        with pytest.raises(StorageError, match="another build"), build_lock(tmp_path):
            pass
