from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from review_helpers import entry, grasp, verdict

from annotator.review import cohen_kappa, export_review, import_review, open_review, review_statistics
from annotator.store import Action, ReviewStore
from yaff.errors import ConflictError
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.store import GraspLibrary


def some_grasps(name: str, count: int, seed: int) -> Grasps:
    rng = np.random.default_rng(seed)
    batch = Grasps.make(
        name, rng.normal(size=(count, 45)), rng.normal(size=(count, 3)), rng.normal(size=(count, 3)),
        np.arange(count) % 33 + 1, review_state=np.arange(count).astype(np.uint8) % 2,
        reason=tuple("slips along +z" if k % 2 == 0 else "" for k in range(count)),
        provenance=tuple(f"contact/9/{k}" for k in range(count)),
    )  # fmt: skip
    measures = {n: rng.uniform(0, 0.01, (count, *m.shape)).astype(np.float32) for n, m in MEASURES.items()}
    return replace(batch, measures=measures)


@pytest.fixture
def library(tmp_path: Path) -> GraspLibrary:
    grasps = {"025_mug": some_grasps("025_mug", 12, 1), "011_banana": some_grasps("011_banana", 8, 2)}
    return GraspLibrary.write(tmp_path / "library.h5", grasps, {"hand": {"name": "builtin"}})


def judge_all(store: ReviewStore, who: str, *, edit: bool = True) -> None:
    """Accept, edited and verified, every third grasp; reject the second, flag the third."""
    while (lease := store.acquire(who)) is not None:
        kind = lease.item.row // 2 % 3
        if kind == 0:
            after = grasp(lease.item.row, lease.item.grasp_type) if edit else store.grasp(lease.item.number)
            store.keep_verification(lease.item.object_name, verdict(after))
            store.decide(lease.token, Action.ACCEPT, after, uid=f"{who}-{lease.item.key}")
        elif kind == 1:
            store.decide(lease.token, Action.REJECT, reason="ugly", uid=f"{who}-{lease.item.key}")
        else:
            store.decide(lease.token, Action.FLAG, reason="hm", uid=f"{who}-{lease.item.key}")


def test_an_export_holds_what_people_decided_and_the_rest_as_it_was(library, tmp_path):
    store = open_review(library, judged_twice=0.0)
    assert store.page().total == 10
    judge_all(store, "ada")
    done = export_review(store, library, tmp_path / "out.h5")
    for name in library:
        old, new = library[name], done.library[name]
        assert len(old) == len(new)
        for row in range(len(old)):
            state, kind = new.review_state[row], row // 2 % 3
            if old.review_state[row] == ReviewState.VERIFIED or kind == 2:
                assert state == old.review_state[row]
                assert np.array_equal(new.pose[row], old.pose[row])
                assert new.reason[row] == old.reason[row]
            elif kind == 0:
                assert state == ReviewState.ACCEPTED
                assert np.array_equal(new.pose[row], grasp(row, int(old.grasp_type[row])).pose)
                assert new.provenance[row] == f"contact/9/{row}+review/edited"
                assert new.measures["epsilon"][row] == np.float32(0.001)
            else:
                assert (state, new.reason[row]) == (ReviewState.REJECTED, "ugly")
    assert (done.accepted, done.rejected, done.added) == (4, 3, 0)
    store.close()


def test_the_same_decisions_make_the_same_bytes_whatever_the_order_and_the_database(library, tmp_path):
    stores = [open_review(library, f"sqlite:///{tmp_path / n}.sqlite", judged_twice=0.5) for n in "ab"]
    judge_all(stores[0], "ada")
    judge_all(stores[1], "bob", edit=False)
    assert import_review(stores[0], stores[1]) > 0
    assert import_review(stores[1], stores[0]) > 0
    paths = [tmp_path / "1.h5", tmp_path / "2.h5"]
    for store, path in zip(stores, paths, strict=True):
        export_review(store, library, path)
        store.close()
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_accepted_proposals_are_appended(library, tmp_path):
    store = open_review(library, judged_twice=0.0)
    proposal = entry(0)
    store.fill([replace(proposal, item=replace(proposal.item, key="sibling/u1/0", row=None), origin="u1")])
    lease = store.acquire("ada", number=store.page().total)
    store.decide(lease.token, Action.ACCEPT, overruled="as the other one")
    done = export_review(store, library, tmp_path / "out.h5")
    assert done.added == 1
    new = done.library["025_mug"]
    assert len(new) == 13
    assert new.provenance[12] == "proposal/sibling/u1/0+review/kept"
    assert new.reason[12] == "overruled: as the other one"
    store.close()


def test_reviews_and_libraries_must_belong_together(library, tmp_path):
    store = open_review(library)
    other = GraspLibrary.write(tmp_path / "b.h5", {"025_mug": some_grasps("025_mug", 3, 5)}, {})
    with pytest.raises(ConflictError, match="another library"):
        export_review(store, other, tmp_path / "c.h5")
    with pytest.raises(ConflictError, match="own review"):
        export_review(store, library, library.path)
    with pytest.raises(ConflictError, match="another library"):
        open_review(other, f"sqlite:///{tmp_path / 'library.review.sqlite'}")
    foreign = open_review(other)
    with pytest.raises(ConflictError, match="another library"):
        import_review(store, foreign)
    for opened in (store, foreign):
        opened.close()


def test_opening_again_changes_nothing(library):
    store = open_review(library)
    judge_all(store, "ada")
    before = [e.item for e in store.entries()]
    store.close()
    again = open_review(library)
    assert [e.item for e in again.entries()] == before
    again.close()


def test_statistics(library):
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            self.now += 10.0
            return self.now

    store = open_review(library, judged_twice=1.0, clock=Clock())
    judge_all(store, "ada")
    judge_all(store, "bob", edit=False)
    found = review_statistics(store)
    assert found.annotators["ada"].decisions == 10
    assert found.annotators["ada"].edited == 4
    assert found.annotators["bob"].edited == 0
    assert found.judged_twice == 7
    assert found.agreement == 1.0
    assert found.kappa == {("ada", "bob"): 1.0}
    assert found.annotators["ada"].median_seconds == 10.0
    store.close()


def test_kappa_against_a_table_worked_by_hand():
    # 20 both yes, 5 yes-no, 10 no-yes, 15 both no: observed 0.7, expected 0.5, kappa 0.4
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(pairs) == pytest.approx(0.4)
    assert cohen_kappa([]) is None
    assert cohen_kappa([("y", "y")]) is None
