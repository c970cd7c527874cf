"""Downloads from a server that drops connections, ignores ranges, lies, and changes its mind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_up_server import Site, serving

from pipelines.downloads import Downloaded, client, fetch
from yaff.errors import FormatError

DATA = np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({"/a.tgz": DATA})) as running:
        yield running


def bring(site: Site, target: Path, *urls: str, accept=lambda found: None, seen=lambda done, total: None) -> Downloaded:
    with client() as http:
        return fetch(http, urls or (f"{site.url}/a.tgz",), target, accept, seen, sleep=lambda seconds: None)


def check(found: Downloaded, target: Path, data: bytes = DATA) -> None:
    assert found.path == target
    assert target.read_bytes() == data
    assert (found.sha256, found.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert [path.name for path in target.parent.iterdir()] == [target.name]  # nothing partial


def test_a_good_day(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    found = bring(site, tmp_path / "x" / "a.tgz", seen=lambda done, total: seen.append((done, total)))
    check(found, tmp_path / "x" / "a.tgz")
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_dropped_connections_are_continued(site: Site, tmp_path: Path) -> None:
    site.drop_after = [70_000, 0, 1, 100_000]
    check(bring(site, tmp_path / "a.tgz"), tmp_path / "a.tgz")
    ranges = [asked for _, asked in site.asked]
    assert ranges[0] == ""
    assert ranges[-1] == "bytes=170001-"


def test_a_killed_download_goes_on_in_the_next_run(site: Site, tmp_path: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(site, tmp_path / "a.tgz", seen=stop)
    assert not (tmp_path / "a.tgz").exists()
    have = (tmp_path / "a.tgz.part").stat().st_size
    assert have > 0
    check(bring(site, tmp_path / "a.tgz"), tmp_path / "a.tgz")
    assert site.asked[-1][1] == f"bytes={have}-"


def test_a_file_that_changed_meanwhile_is_begun_afresh(site: Site, tmp_path: Path) -> None:
    site.drop_after = [100_000] + [0] * 10
    with pytest.raises(FormatError):
        bring(site, tmp_path / "a.tgz")
    site.drop_after = []
    site.files["/a.tgz"] = DATA[::-1]
    check(bring(site, tmp_path / "a.tgz"), tmp_path / "a.tgz", DATA[::-1])


@pytest.mark.parametrize("etag", [True, False])
def test_servers_without_ranges(site: Site, tmp_path: Path, etag: bool) -> None:
    site.ranges, site.etag, site.drop_after = False, etag, [70_000, 200_000]
    check(bring(site, tmp_path / "a.tgz"), tmp_path / "a.tgz")


def test_without_a_name_for_the_version_nothing_is_pieced_together(site: Site, tmp_path: Path) -> None:
    site.etag, site.drop_after = False, [70_000]
    check(bring(site, tmp_path / "a.tgz"), tmp_path / "a.tgz")
    assert [asked for _, asked in site.asked] == ["", ""]


def test_a_server_that_gives_another_range_is_left(site: Site, tmp_path: Path) -> None:
    site.wrong_start, site.drop_after = 5, [70_000]
    with pytest.raises(FormatError, match=r"asked for the bytes from 70000 on, got those from 70005 on"):
        bring(site, tmp_path / "a.tgz")


def test_a_wrong_length_is_not_believed(site: Site, tmp_path: Path) -> None:
    site.wrong_length = 10
    with pytest.raises(FormatError) as caught:
        bring(site, tmp_path / "a.tgz")
    assert "attempts" in str(caught.value)
    assert len(site.asked) < 10  # it does not bring the same bytes for ever
    assert not (tmp_path / "a.tgz").exists()


def test_more_than_announced_is_cut_where_it_was_announced(site: Site, tmp_path: Path) -> None:
    site.wrong_length = -10
    found = bring(site, tmp_path / "a.tgz")
    assert found.bytes == len(DATA) - 10  # its checksum is not the archive's: whoever asked refuses it


def test_a_part_longer_than_the_file_is_begun_afresh(site: Site, tmp_path: Path) -> None:
    site.drop_after = [100_000] + [0] * 10
    with pytest.raises(FormatError):
        bring(site, tmp_path / "a.tgz")
    site.drop_after = []
    (tmp_path / "a.tgz.part").write_bytes(DATA + b"more")
    check(bring(site, tmp_path / "a.tgz"), tmp_path / "a.tgz")


def test_busy_servers_are_asked_again_and_missing_files_are_not(site: Site, tmp_path: Path) -> None:
    site.status["/a.tgz"] = [503, 429, 500]
    check(bring(site, tmp_path / "a.tgz"), tmp_path / "a.tgz")
    assert len(site.asked) == 4
    site.asked.clear()
    with pytest.raises(FormatError, match="404"):
        bring(site, tmp_path / "b.tgz", f"{site.url}/b.tgz")
    assert len(site.asked) == 1


def test_mirrors_are_tried_in_turn_and_corrupt_bytes_are_not_taken(site: Site, tmp_path: Path) -> None:
    corrupt = bytearray(DATA)
    corrupt[1000] ^= 1
    site.files = {"/mirror1/a.tgz": bytes(corrupt), "/mirror3/a.tgz": DATA}

    def accept(found: Downloaded) -> None:
        if found.sha256 != hashlib.sha256(DATA).hexdigest():
            raise FormatError("wrong checksum", where=found.path)

    urls = ("http://127.0.0.1:9/a.tgz", *(f"{site.url}/mirror{k}/a.tgz" for k in (1, 2, 3)))
    found = bring(site, tmp_path / "a.tgz", *urls, accept=accept)
    check(found, tmp_path / "a.tgz")
    assert found.url.endswith("/mirror3/a.tgz")
    with pytest.raises(FormatError) as caught:
        bring(site, tmp_path / "a.tgz", *urls[:3], accept=accept)
    message = str(caught.value)
    for why in ("127.0.0.1:9/a.tgz: ConnectError", "mirror1/a.tgz: wrong checksum", "mirror2/a.tgz: status 404"):
        assert why in message
    assert "--mirror" in message
    assert not (tmp_path / "a.tgz").exists()


def test_a_host_that_cannot_be_reached_is_not_asked_for_every_object(site: Site, tmp_path: Path) -> None:
    gone, waits, unreachable = "http://127.0.0.1:9/a.tgz", [], set()
    with client() as http:
        for _ in range(3):
            urls = (gone, f"{site.url}/a.tgz")
            fetch(http, urls, tmp_path / "a.tgz", lambda f: None, sleep=waits.append, unreachable=unreachable)
    assert unreachable == {"127.0.0.1:9"}
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_addresses_that_are_none(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="could not be downloaded"):
        bring(site, tmp_path / "a.tgz", "nonsense", "ftp://example.org/a.tgz", "http://[::1/a.tgz")


def test_endless_files_are_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.downloads.MOST_BYTES", 100_000)
    with pytest.raises(FormatError, match="more than"):
        bring(site, tmp_path / "a.tgz")
