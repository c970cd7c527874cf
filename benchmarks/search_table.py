"""What a searched library shows, row by row: how much is covered, how well it holds, how long it took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from yaff.geometry.transforms import make_transform, rotation_angle, rotation_from_axis_angle
from yaff.grasp.batch import Grasps
from yaff.search.config import SelectionConfig
from yaff.search.select import select_diverse

ABDUCTED_PRECISION = (6, 7, 8, 9, 12, 13, 14, 24, 27, 33)
"""Precision types with an abducted thumb, which GraspIt could not find."""
NEAR, NEAR_ANGLE = 0.05, np.deg2rad(45.0)
"""A grasp of ours is near a published one within this distance (metres) and angle (radians) of the wrist."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    measure: str
    asked: str
    measured: str
    good: bool | None = None
    """Whether it is what was asked for; none where nothing was."""


@dataclass(frozen=True)
class Searched:
    """A finished library and how it came about."""

    grasps: Mapping[str, Grasps]
    symmetries: Mapping[str, np.ndarray]
    """Of every object, (k, 4, 4), the identity first."""
    pairs: Sequence[Mapping[str, Any]]
    """What ``search.json`` says of every pair: object, type, verified, core_seconds, tally."""
    root: np.ndarray
    """The hand's root joint in its template frame, metres."""
    published: Mapping[str, Grasps]
    """Grasps made by people, of the objects at hand."""

    def of(self, name: str, number: int) -> Grasps:
        """The verified grasps of a pair."""
        batch = self.grasps[name]
        return batch[batch.verified & (batch.grasp_type == number)]

    def wrists(self, batch: Grasps) -> np.ndarray:
        """``T_object_hand`` (n, 4, 4)."""
        rotation = rotation_from_axis_angle(np.asarray(batch.wrist_rotation, np.float64))
        return make_transform(rotation, np.asarray(batch.translation, np.float64) + self.root)


def distinct(searched: Searched, name: str, number: int) -> int:
    """Verified grasps of a pair of which any two are 2 cm or 20 degrees apart, symmetric copies counted once."""
    batch = searched.of(name, number)
    if not len(batch):
        return 0
    config = SelectionConfig(keep=len(batch))
    # stored numbers are rounded: what was 20 degrees apart may be 19.99999
    config = SelectionConfig(
        keep=len(batch), least_distance=config.least_distance - 1e-5, least_angle=config.least_angle - 1e-4
    )
    return len(select_diverse(searched.wrists(batch), np.zeros(len(batch)), searched.symmetries[name], config))


def near_published(searched: Searched) -> tuple[int, int]:
    """Published grasps with one of ours of the same type near by, and published grasps of the pairs searched."""
    asked = {(str(pair["object"]), int(pair["type"])) for pair in searched.pairs}
    near = total = 0
    for name, batch in searched.published.items():
        for row in range(len(batch)):
            if (name, int(batch.grasp_type[row])) not in asked:
                continue
            total += 1
            ours = searched.wrists(searched.of(name, int(batch.grasp_type[row])))
            if not len(ours):
                continue
            copies = (searched.symmetries[name][:, None] @ ours[None]).reshape(-1, 4, 4)
            theirs = searched.wrists(batch[row : row + 1])[0]
            distance = np.linalg.norm(copies[:, :3, 3] - theirs[:3, 3], axis=1)
            angle = rotation_angle(np.swapaxes(copies[:, :3, :3], 1, 2) @ theirs[:3, :3])
            near += bool(((distance <= NEAR) & (angle <= NEAR_ANGLE)).any())
    return near, total


def library_rows(searched: Searched) -> list[Row]:
    """Every row of the table that a library and its tallies can answer."""
    asked = [(str(p["object"]), int(p["type"])) for p in searched.pairs]
    feasible = {(str(p["object"]), int(p["type"])) for p in searched.pairs if not p["tally"].get("infeasible")}
    counts = {pair: distinct(searched, *pair) for pair in asked}
    three = sum(count >= 3 for count in counts.values())
    types = {number for (_, number), count in counts.items() if count}
    whole = len(asked) == 693
    rows = [
        Row(
            "object × type pairs with 3 or more distinct verified grasps",
            "350 of 693",
            f"{three} of {len(asked)} ({len(feasible)} feasible)",
            three >= 350 if whole else None,
        ),
        Row("pairs with a verified grasp", "", f"{sum(map(bool, counts.values()))} of {len(asked)}"),
        Row("types with verified grasps on some object", "33", f"{len(types)}", len(types) == 33 if whole else None),
    ]
    abducted = [pair for pair in asked if pair[1] in ABDUCTED_PRECISION and pair in feasible]
    for least in (1, 3):
        done = sum(counts[pair] >= least for pair in abducted)
        text = "thumb-abducted precision types on objects whose size allows"
        text += ": pairs with a verified grasp" if least == 1 else ": pairs with three"
        rows.append(_share(text, done, len(abducted), 0.9 if least == 1 else None))
    known = {
        (name, int(number))
        for name, batch in searched.published.items()
        for number in batch.grasp_type
        if name in searched.grasps and (name, int(number)) in counts
    }
    covered = sum(counts[pair] > 0 for pair in known)
    rows.append(_share("published (object, type) pairs that are covered", covered, len(known), 0.85))
    near, total = near_published(searched)
    rows.append(_share("published grasps with one of ours within 5 cm and 45°", near, total, 0.6))
    return rows + _quality(searched) + _effort(searched)


def _quality(searched: Searched) -> list[Row]:
    kept = [batch[batch.verified] for batch in searched.grasps.values()]
    if not sum(map(len, kept)):
        return []

    def of(name: str, scale: float) -> np.ndarray:
        values = [batch.measures[name].reshape(len(batch), -1) for batch in kept if len(batch)]
        return scale * np.concatenate(values).max(axis=1)

    depth, shared, moved = of("max_penetration", 1e3), of("intersection_volume", 1e6), of("shake_translation", 1e3)
    middle, tail = float(np.median(depth)), float(np.percentile(depth, 95))
    return [
        Row("verified grasps kept", "", f"{len(depth)}"),
        Row(
            "maximum penetration, median / 95th percentile",
            "≤ 2 / ≤ 4 mm",
            f"{middle:.2f} / {tail:.2f} mm",
            middle <= 2.0 and tail <= 4.0,
        ),
        _limit("intersection volume, median", float(np.median(shared)), 1.0, "cm³"),
        _limit("motion under the shakes, median", float(np.median(moved)), 5.0, "mm"),
    ]


def _effort(searched: Searched) -> list[Row]:
    seconds: defaultdict[str, float] = defaultdict(float)
    found: Counter[str] = Counter()
    tally: Counter[str] = Counter()
    for pair in searched.pairs:
        seconds[pair["object"]] += pair["core_seconds"] or 0.0
        found[pair["object"]] += pair["verified"]
        tally.update({key: n for key, n in pair["tally"].items() if isinstance(n, int)})
    if not sum(seconds.values()):
        return []
    rate = {name: found[name] / seconds[name] for name in seconds if seconds[name]}
    mean = float(np.mean(list(rate.values())))
    slow = min(rate, key=lambda name: rate[name])
    core_minutes = sum(seconds.values()) / 60.0
    whole = len(searched.pairs) == 693
    # what was closed only to learn that it was not needed, or was a copy, says nothing of success
    copies = sum(n for key, n in tally.items() if key.startswith("rejected: copy"))
    tested = tally["closed"] - tally["not needed"] - copies
    return [
        Row(
            "verified grasps per core-second, mean over the objects",
            "0.5",
            f"{mean:.3f} (in all {sum(found.values()) / sum(seconds.values()):.3f})",
            mean >= 0.5,
        ),
        Row("… of the slowest object", "", f"{rate[slow]:.3f} ({slow})"),
        _share("refined candidates that succeed in physics", tally["held"], tested, 0.3),
        _share("… of all refined", tally["held"], tally["refined"], None),
        Row(
            "whole library, minutes on 2 cores (core time / 2)",
            "≤ 90",
            f"{core_minutes / 2.0:.1f}",
            core_minutes / 2.0 <= 90.0 if whole else None,
        ),
    ]


def object_rows(searched: Searched) -> list[list[object]]:
    """For each object: pairs with 3 grasps, verified, grasps per core-second."""
    rows = []
    for name in searched.grasps:
        mine = [pair for pair in searched.pairs if pair["object"] == name]
        seconds = sum(pair["core_seconds"] or 0.0 for pair in mine)
        verified = sum(pair["verified"] for pair in mine)
        three = sum(distinct(searched, name, int(pair["type"])) >= 3 for pair in mine)
        infeasible = sum(bool(pair["tally"].get("infeasible")) for pair in mine)
        rate = verified / seconds if seconds else 0.0
        rows.append([name, three, infeasible, len(mine), verified, round(seconds, 1), round(rate, 3)])
    return rows


def comparison_row(contact: Sequence[Mapping[str, Any]], baseline: Sequence[Mapping[str, Any]]) -> Row:
    """Both planners on the same pairs in one run: verified grasps per core-second."""

    def rate(pairs: Sequence[Mapping[str, Any]]) -> float:
        return sum(p["verified"] for p in pairs) / max(sum(p["core_seconds"] or 0.0 for p in pairs), 1e-9)

    ours, theirs = rate(contact), rate(baseline)
    ratio = ours / theirs if theirs else float("inf")
    return Row(
        f"default planner against eigengrasp planner, {len(contact)} pairs",
        "10×",
        f"{ours:.3f} / {theirs:.3f} per core-second = {ratio:.1f}×",
        ratio >= 10.0,
    )


def _share(measure: str, part: int, whole: int, least: float | None) -> Row:
    share = part / whole if whole else 0.0
    asked = "" if least is None else f"{100 * least:.0f} %"
    text = f"{100 * share:.0f} % ({part} of {whole})" if whole else "none to count"
    return Row(measure, asked, text, None if least is None or not whole else share >= least)


def _limit(measure: str, value: float, most: float, unit: str) -> Row:
    return Row(measure, f"≤ {most:g} {unit}", f"{value:.2f} {unit}", value <= most)
