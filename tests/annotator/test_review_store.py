from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from review_helpers import entry, fill, grasp, verdict

from annotator.store import Action, GraspState, ItemState, QueueFilter, ReviewStore, open_database
from annotator.store.checks import judgements_wanted
from annotator.store.judging import judge
from yaff.errors import ConflictError, FormatError, InputError, UnknownItemError


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock):
    made = ReviewStore(open_database(f"sqlite:///{tmp_path / 'review.sqlite'}"), clock)
    yield made
    made.close()


def accept(store: ReviewStore, who: str, number: int | None = None) -> None:
    lease = store.acquire(who, number=number)
    assert lease is not None
    store.decide(lease.token, Action.ACCEPT, overruled="looks right")


def test_the_most_valuable_grasp_is_handed_out_first_and_to_one_person(store):
    fill(store, 3)
    first, second = store.acquire("ada"), store.acquire("bob")
    assert (first.item.row, second.item.row) == (0, 1)
    with pytest.raises(ConflictError, match="ada"):
        store.acquire("bob", number=first.item.number)
    assert store.page().total == 3


def test_taking_another_grasp_gives_the_first_back(store):
    fill(store, 2)
    first = store.acquire("ada")
    store.acquire("ada", number=2)
    assert store.acquire("bob").item.number == first.item.number


def test_a_lease_runs_out_and_its_token_dies(store, clock):
    fill(store, 1)
    old = store.acquire("ada")
    clock.now += 300
    assert store.renew(old.token) == clock.now + 600
    clock.now += 601
    new = store.acquire("bob")
    assert new.item.number == old.item.number
    with pytest.raises(ConflictError, match="ended"):
        store.decide(old.token, Action.SKIP)
    with pytest.raises(ConflictError, match="ended"):
        store.renew(old.token)
    store.decide(new.token, Action.SKIP)


def test_nothing_is_accepted_unverified_unless_overruled(store):
    fill(store, 3)
    edited = grasp(99)
    lease = store.acquire("ada")
    with pytest.raises(ConflictError, match="was not verified"):
        store.decide(lease.token, Action.ACCEPT, edited)
    store.keep_verification("025_mug", verdict(edited, held=False, reason="slips along +z"))
    with pytest.raises(ConflictError, match=r"slips along \+z"):
        store.decide(lease.token, Action.ACCEPT, edited)
    store.keep_verification("025_mug", verdict(edited))
    done = store.decide(lease.token, Action.ACCEPT, edited)
    assert done.after == edited
    assert store.item(lease.item.number).state is ItemState.ACCEPTED
    accept(store, "ada")
    assert store.log()[-1].overruled == "looks right"
    with pytest.raises(ConflictError, match="never measured"):
        store.decide(store.acquire("ada").token, Action.ACCEPT, grasp(98), overruled="trust me")
    # the verdict is of this object only
    store.fill([entry(7, "011_banana")])
    other = store.acquire("ada", QueueFilter(object_name="011_banana"))
    with pytest.raises(ConflictError, match="was not verified"):
        store.decide(other.token, Action.ACCEPT, edited)


def test_a_decision_sent_twice_is_one_decision(store):
    fill(store, 2)
    lease = store.acquire("ada")
    first = store.decide(lease.token, Action.REJECT, uid="u1", reason="thumb")
    again = store.decide(lease.token, Action.REJECT, uid="u1", reason="thumb")
    assert first == again
    assert len(store.log()) == 1


def test_the_log_refuses_to_be_changed(store, tmp_path):
    fill(store, 1)
    accept(store, "ada")
    engine = open_database(f"sqlite:///{tmp_path / 'review.sqlite'}")
    for statement in ("UPDATE decision SET annotator = 'eve'", "DELETE FROM decision"):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_withdrawing_puts_a_grasp_back_and_keeps_both_lines(store):
    fill(store, 1)
    accept(store, "ada")
    assert store.acquire("bob") is None
    store.withdraw("ada", 1)
    assert store.item(1).state is ItemState.OPEN
    assert [d.action for d in store.log()] == [Action.ACCEPT, Action.WITHDRAW]
    with pytest.raises(ConflictError, match="no decision"):
        store.withdraw("ada", 1)
    accept(store, "ada", 1)
    assert store.item(1).state is ItemState.ACCEPTED


def test_double_judged_grasps_go_to_two_people_and_a_third_settles(store):
    fill(store, 1, wanted=2)
    accept(store, "ada")
    assert store.acquire("ada") is None
    assert store.item(1).state is ItemState.OPEN
    lease = store.acquire("bob")
    store.decide(lease.token, Action.REJECT, reason="no")
    assert store.item(1).state is ItemState.DISPUTED
    accept(store, "cyd")
    assert store.item(1).state is ItemState.ACCEPTED


def test_skipped_grasps_come_last_for_who_skipped_them(store):
    fill(store, 2)
    store.decide(store.acquire("ada").token, Action.SKIP)
    second = store.acquire("ada")
    assert second.item.row == 1
    store.decide(second.token, Action.REJECT, reason="no")
    assert store.acquire("ada").item.row == 0


def test_filters_sorts_and_pages(store):
    fill(store, 5)
    store.fill([entry(k, "011_banana", 24) for k in range(10, 14)])
    assert store.page(QueueFilter(object_name="011_banana")).total == 4
    assert store.page(QueueFilter(grasp_type=24, state=ItemState.OPEN)).total == 4
    rows = store.page(sort="penetration", descending=True, limit=2, offset=1).items
    assert [r.row for r in rows] == [12, 11]
    # signs that mean something to SQL are only signs
    assert store.page(QueueFilter(reason="50% #3")).total == 1
    assert store.page(QueueFilter(reason="' OR 1=1 --")).total == 0
    with pytest.raises(InputError, match="sorted"):
        store.page(sort="number; DROP TABLE item")
    assert store.choices()["object_name"] == ["011_banana", "025_mug"]


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 101, "a\nb"])
def test_names_of_people(store, name):
    with pytest.raises(InputError, match="name"):
        store.acquire(name)


def test_texts_are_bounded_and_rejections_have_reasons(store):
    fill(store, 1)
    lease = store.acquire("ada")
    with pytest.raises(InputError, match="longer"):
        store.decide(lease.token, Action.REJECT, reason="x" * 5000)
    with pytest.raises(InputError, match="reason"):
        store.decide(lease.token, Action.REJECT)
    with pytest.raises(UnknownItemError):
        store.item(77)


def test_another_library_is_refused(store):
    store.describe(library="aaaa")
    store.describe(library="aaaa")
    with pytest.raises(ConflictError, match="another library"):
        store.describe(library="bbbb")


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at" * 40])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="not a review database"):
        open_database(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_other_versions_and_other_databases_are_refused(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE about SET value = '99' WHERE key = 'schema_version'")
    engine.dispose()
    with pytest.raises(FormatError, match="schema version 99"):
        open_database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    other = sa.create_engine(f"sqlite:///{tmp_path / 'b.sqlite'}")
    with other.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
    other.dispose()
    with pytest.raises(FormatError, match="not a review database"):
        open_database(f"sqlite:///{tmp_path / 'b.sqlite'}")


def test_merging_another_log_gives_the_same_states_in_either_order(tmp_path):
    stores = [ReviewStore(open_database(f"sqlite:///{tmp_path / n}.sqlite")) for n in ("a", "b")]
    for store, who in zip(stores, ("ada", "bob"), strict=True):
        fill(store, 3, wanted=2)
        accept(store, who)
    lease = stores[1].acquire("bob")
    stores[1].decide(lease.token, Action.REJECT, reason="no")
    a, b = stores
    assert a.merge(b.log(), b.entries(), b.verifications()) == 2
    assert a.merge(b.log(), b.entries(), b.verifications()) == 0
    assert b.merge(a.log(), a.entries(), a.verifications()) == 1
    assert [e.item.state for e in a.entries()] == [e.item.state for e in b.entries()]
    assert a.item(1).state is ItemState.ACCEPTED
    for store in stores:
        store.close()


@given(st.integers(0, 2**32 - 1))
def test_a_grasp_survives_json_exactly(seed):
    state = grasp(seed)
    again = GraspState.from_json(json.loads(json.dumps(state.as_json())))
    assert again == state
    assert again.digest == state.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grasp_type": 34}, "grasp type 34"),
        ({"grasp_type": True}, "grasp type True"),
        ({"pose": [0.0] * 44}, "shape"),
        ({"pose": "<script>"}, "not a list of numbers|shape"),
        ({"translation": [float("nan"), 0, 0]}, "not finite"),
        ({"translation": [400.0, 0, 0]}, "10 m"),
        ({"extra": 1}, "extra"),
    ],
)
def test_grasps_that_scripts_send_are_checked(change, message):
    with pytest.raises(InputError, match=message):
        GraspState.from_json(grasp(0).as_json() | change)
    with pytest.raises(InputError, match="object"):
        GraspState.from_json([1])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Action))), max_size=12), st.integers(1, 2))
def test_judging_depends_on_each_persons_last_word_only(log, wanted):
    last = [(who, action) for k, (who, action) in enumerate(log) if who not in [w for w, _ in log[k + 1 :]]]
    assert judge(log, wanted) == judge(sorted(last), wanted)


def test_the_share_judged_twice_is_about_right_and_depends_on_the_grasp_alone():
    wanted = Counter(judgements_wanted(f"025_mug/{k}", 0.1) for k in range(4000))
    assert 300 < wanted[2] < 500
    assert judgements_wanted("025_mug/1", 0.0) == 1
    assert judgements_wanted("025_mug/1", 1.0) == 2


BEFORE_KILL = 5
"""Decisions of the process that is killed, before it is."""


def lines_of(log: Path) -> int:
    return log.read_text().count("\n") if log.exists() else 0


def _work(url: str, who: str, acknowledged: str, victim: str, start: threading.Barrier) -> None:
    store = ReviewStore(open_database(url))
    start.wait()  # processes come up one after the other: the first would have decided all
    with Path(acknowledged).open("a") as log:
        while (lease := store.acquire(who)) is not None:
            done = store.decide(lease.token, Action.ACCEPT, overruled="quick")
            log.write(done.uid + "\n")
            log.flush()
            # who gets the database's lock is chance: without this the victim may hardly ever have had it
            while lines_of(Path(victim)) < BEFORE_KILL <= lines_of(Path(acknowledged)) - lines_of(Path(victim)):
                time.sleep(0.001)
    store.close()


def test_many_people_decide_each_grasp_once_and_a_killed_process_loses_nothing_acknowledged(tmp_path):
    url = f"sqlite:///{tmp_path / 'review.sqlite'}"
    store = ReviewStore(open_database(url), lease_seconds=600)
    fill(store, 120)
    context = multiprocessing.get_context("spawn")
    logs = [tmp_path / f"log{k}" for k in range(3)]
    start = context.Barrier(3)
    victim, deadline = logs[0], time.monotonic() + 60
    arguments = [(url, f"p{k}", str(logs[k]), str(victim), start) for k in range(3)]
    workers = [context.Process(target=_work, args=some) for some in arguments]
    for worker in workers:
        worker.start()
    while lines_of(victim) < BEFORE_KILL and time.monotonic() < deadline:
        time.sleep(0.002)
    assert workers[0].pid is not None
    os.kill(workers[0].pid, signal.SIGKILL)
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL, 0, 0]
    rest = {i.leased_by for i in store.page(limit=200).items if i.state is ItemState.OPEN}
    assert rest <= {"p0"}
    while (lease := store.acquire("p0")) is not None:  # who comes back finds what they held
        store.decide(lease.token, Action.ACCEPT, overruled="quick")
    log = store.log()
    assert Counter(d.item_key for d in log) == Counter({f"025_mug/{k}": 1 for k in range(120)})
    acknowledged = {line for path in logs for line in path.read_text().splitlines()}
    assert acknowledged <= {d.uid for d in log}
    assert len(acknowledged) > 20
    store.close()
