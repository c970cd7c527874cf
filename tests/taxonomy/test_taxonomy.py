"""The table of the 33 types against Feix et al. 2016, and the conformity check on constructed contacts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yaff.errors import FormatError, InputError
from yaff.hand import Anatomy, Patches, load_hand
from yaff.taxonomy import GRASP_TYPES, conforms, grasp_type, patch_mask, read_table


def test_the_table_holds_the_33_types_of_feix() -> None:
    assert list(GRASP_TYPES) == list(range(1, 34))
    assert len({t.slug for t in GRASP_TYPES.values()}) == 33
    # Feix et al. 2016, table II
    assert Counter(t.family for t in GRASP_TYPES.values()) == {"power": 15, "intermediate": 6, "precision": 12}
    adducted = {t.number for t in GRASP_TYPES.values() if t.thumb == "adducted"}
    assert adducted == {4, 5, 15, 16, 17, 22, 25, 29, 30, 32}
    assert {t.number for t in GRASP_TYPES.values() if t.either_thumb} == {22}
    palm = {t.number for t in GRASP_TYPES.values() if t.opposition == "palm"}
    assert palm == {1, 2, 3, 4, 5, 10, 11, 15, 17, 30}
    side = {t.number for t in GRASP_TYPES.values() if t.opposition == "side"}
    assert side == {16, 20, 21, 23, 25, 29, 32}


def test_a_wrap_with_an_opposing_thumb_presses_against_palm_or_thumb() -> None:
    for kind in GRASP_TYPES.values():
        first, second = kind.oppositions[0]
        assert tuple(kind.groups[place] for place in first) == kind.first
        assert tuple(kind.groups[place] for place in second) == kind.second
        assert all(not set(a) & set(b) for a, b in kind.oppositions)
    assert {number for number, kind in GRASP_TYPES.items() if len(kind.oppositions) == 2} == {1, 2, 3, 10, 11}
    (instead, fingers) = GRASP_TYPES[1].oppositions[1]
    assert [GRASP_TYPES[1].groups[place].name for place in instead] == ["thumb_palmar"]
    assert fingers == GRASP_TYPES[1].oppositions[0][1]


@pytest.mark.parametrize("key", [9, "9", "palmar-pinch", "Palmar Pinch"])
def test_a_type_is_found_by_number_slug_and_name(key: int | str) -> None:
    assert grasp_type(key) is GRASP_TYPES[9]


def test_an_unknown_type_names_the_valid_ones() -> None:
    with pytest.raises(InputError, match="palmar-pinch"):
        grasp_type(34)


def test_every_patch_and_every_degree_of_freedom_named_exists_on_the_hand() -> None:
    hand = load_hand()
    names, anatomy = Patches.of(hand).names, Anatomy(hand)
    for kind in GRASP_TYPES.values():
        for group in kind.groups:
            for pattern in group.patches:
                assert patch_mask(names, [pattern]).any(), (kind.name, pattern)
        for pattern in kind.avoid:
            assert patch_mask(names, [pattern]).any(), (kind.name, pattern)
        # what must touch must not be what has to stay off
        for group in kind.groups:
            assert (patch_mask(names, group.patches) & ~patch_mask(names, kind.avoid)).any(), (kind.name, group.name)
        for name, (opened, closed) in kind.preshape.items():
            k = anatomy.index(name)
            for value in (opened, closed):
                assert anatomy.lower[k] - 1e-9 <= value <= anatomy.upper[k] + 1e-9, (kind.name, name, value)


@given(st.integers(1, 33), st.integers(0, 2**31))
def test_touching_exactly_what_the_type_asks_conforms_and_losing_a_side_does_not(number: int, seed: int) -> None:
    kind = GRASP_TYPES[number]
    names = Patches.of(load_hand()).names
    rng = np.random.default_rng(seed)
    touching = np.zeros((1, len(names)), bool)
    for group in kind.groups:
        usable = np.flatnonzero(patch_mask(names, group.patches) & ~patch_mask(names, kind.avoid))
        touching[0, rng.choice(usable)] = True
    thumb = np.array([kind.thumb == "abducted"])
    verdict = conforms(kind, names, touching, thumb)
    assert verdict.conforms[0]
    assert verdict.score[0] == 1.0
    assert verdict.reasons == ("",)

    assert conforms(kind, names, touching, ~thumb).conforms[0] == kind.either_thumb
    first = patch_mask(names, [p for group in kind.first for p in group.patches])
    lost = conforms(kind, names, touching & ~first, thumb)
    assert not lost.conforms[0]
    assert lost.score[0] < 1.0
    if kind.avoid:
        forbidden = touching | patch_mask(names, kind.avoid)
        assert "must not touch" in conforms(kind, names, forbidden, thumb).reasons[0]


def test_no_more_groups_than_allowed_may_be_missing() -> None:
    kind = replace(GRASP_TYPES[6], may_miss=1)
    names = Patches.of(load_hand()).names
    touching = patch_mask(names, ["thumb.distal.pad", "index.distal.pad", "middle.distal.pad", "ring.distal.pad"])
    one, two = touching.copy(), touching.copy()
    two[list(names).index("ring.distal.pad")] = False
    verdict = conforms(kind, names, np.stack([one, two]), np.array([True, True]))
    assert verdict.conforms.tolist() == [True, False]
    assert "ring_pad" in verdict.reasons[1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "schema 2"),
        ('first = ["a"]', 'first = ["b"]', "unknown contact group 'b'"),
        ("size = [0.1, 0.2]", "size = [0.2, 0.1]", "least"),
        ('"*.mcp.flexion" = [0.1, 0.2]', '"*.mcp.flexion" = [0.1]', "open, closed"),
        ('test = "six_axes"', 'test = "carry"', "carries goes with"),
        ('test = "six_axes"', 'test = "carry"\ncarries = ["up"]', "unknown direction 'up'"),
    ],
)
def test_a_broken_table_is_refused(old: str, new: str, message: str) -> None:
    text = """
schema = 1
[groups]
a = ["palm.centre"]
[[type]]
number = 1
name = "A"
slug = "a"
family = "power"
opposition = "palm"
thumb = "abducted"
virtual_fingers = [["palm"]]
first = ["a"]
second = ["a"]
also = []
may_miss = 0
avoid = []
size = [0.1, 0.2]
test = "six_axes"
[type.preshape]
"*.mcp.flexion" = [0.1, 0.2]
"""
    assert read_table(text, "here")[1].preshape["ring.mcp.flexion"] == (0.1, 0.2)
    with pytest.raises(FormatError, match=message):
        read_table(text.replace(old, new), "here")
