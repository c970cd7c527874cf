"""The report page: what a build made, what it threw away, and what is left for people."""

from __future__ import annotations

import base64
import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipelines.config import BuildConfig
from pipelines.loading import Recipes
from pipelines.report import charts
from pipelines.report.scenes import annotations_per_frame, objects_in_scenes, per_frame_chart
from pipelines.report.search import library_chart
from pipelines.report.style import STYLE
from pipelines.toml import to_table
from yaff.grasp.batch import Grasps
from yaff.store.atomic import write_bytes
from yaff.taxonomy import GRASP_TYPES

if TYPE_CHECKING:
    from yaff.store.library import GraspLibrary
    from yaff.store.manifest import Manifest
    from yaff.store.reading import ShardSet

MILLI = 1e3


class Log(Protocol):
    """What the build says of itself."""

    @property
    def seconds(self) -> Mapping[str, float]: ...
    @property
    def problems(self) -> Sequence[str]: ...
    @property
    def notes(self) -> Sequence[str]: ...


def write_report(
    config: BuildConfig, recipes: Recipes, library_path: Path, shards: Path, folder: Path, log: Log
) -> Path:
    """Write ``folder/index.html``, one file with everything inside, and return its path."""
    from yaff.store.library import GraspLibrary
    from yaff.store.manifest import Manifest
    from yaff.store.reading import ShardSet

    library, manifest, dataset = GraspLibrary.open(library_path), Manifest.open(shards), ShardSet.open(shards)
    grasps = {name: library[name] for name in library.objects}
    sections = [
        _summary(library, manifest, grasps, log),
        _coverage(library, grasps),
        _measures(grasps, config),
        _rejections(library),
        _feasibility(manifest, dataset),
        _per_frame(dataset),
        _heat(recipes, grasps),
        *_pictures(config, recipes, library, manifest),
        _queue(library, grasps),
        _bad_frames(manifest),
        _times(log),
        _provenance(config, library, manifest),
    ]
    body = "\n".join(section for section in sections if section)
    path = folder / "index.html"
    write_bytes(path, _document(f"YAFF report: {config.output.folder.name}", body).encode())
    return path


def _summary(library: GraspLibrary, manifest: Manifest, grasps: Mapping[str, Grasps], log: Log) -> str:
    good = [batch[batch.verified] for batch in grasps.values()]
    types = {int(number) for batch in good for number in batch.grasp_type}
    totals = manifest.totals
    figures = [
        (f"{sum(map(len, good)):,}", "verified grasps"),
        (f"{len(types)}", f"grasp types on {sum(len(batch) > 0 for batch in good)} objects"),
        (f"{totals['frames']:,}", f"frames in {totals['shards']} scenes"),
        (f"{totals['annotations']:,}", "annotations"),
        (f"{sum(log.seconds.values()):.0f} s", "for this run"),
    ]
    tiles = "".join(f"<div class=tile><b>{value}</b><span>{label}</span></div>" for value, label in figures)
    hand = library.metadata.get("hand", {})
    standins = library.metadata.get("standins", [])
    shapes = "stand-ins" if len(standins) == len(library.objects) else f"meshes ({len(standins)} stand-ins)"
    said = [f"<p class=note>Hand: {_text(hand.get('name', ''))}, {_text(hand.get('side', ''))}. Objects: {shapes}.</p>"]
    said += [f"<p class=problem>{_text(problem)}</p>" for problem in log.problems]
    return f"<div class=tiles>{tiles}</div>{''.join(said)}"


def _coverage(library: GraspLibrary, grasps: Mapping[str, Grasps]) -> str:
    chart, types = library_chart(library)
    if not types:
        return ""
    names = ", ".join(f"{number} {_text(GRASP_TYPES[number].name)}" for number in types)
    return _section(
        "Coverage",
        "Verified grasps of each object and type. A question mark: only an attempt, for a person to look at. Hatched: "
        "the object cannot be held that way, for the reason given below the chart.",
        _chart(chart, "objects and types") + f"<p class=note>{names}</p>",
    )


def _measures(grasps: Mapping[str, Grasps], config: BuildConfig) -> str:
    good = [batch[batch.verified] for batch in grasps.values()]
    if not sum(map(len, good)):
        return ""

    def of(name: str, scale: float = 1.0) -> np.ndarray:
        values = [np.asarray(batch.measures[name], np.float64) for batch in good]
        return scale * np.concatenate([value.reshape(len(value), -1).max(axis=1) for value in values if len(value)])

    select, physics = config.search.select, config.search.physics
    chart = charts.histograms(
        [
            ("epsilon", of("epsilon"), None),
            ("volume of the wrench space", of("volume"), None),
            ("deepest penetration, mm", of("max_penetration", MILLI), MILLI * select.most_penetration),
            ("intersection, cm³", of("intersection_volume", 1e6), None),
            ("contact area, cm²", of("contact_area", 1e4), None),
            ("patches in contact", of("contact_count"), None),
            ("worst shake, mm", of("shake_translation", MILLI), MILLI * physics.most_translation),
            ("worst shake, degrees", of("shake_rotation", 180 / np.pi), 180 / np.pi * physics.most_rotation),
        ]
    )
    text = "Of the verified grasps. The line is the median; the dashed line the limit beyond which a grasp is not kept."
    return _section("Measures", text, _chart(chart, "histograms of the measures"))


def _rejections(library: GraspLibrary) -> str:
    counts: Counter[str] = Counter()
    for tally in library.metadata.get("tallies", {}).values():
        for entry in tally.values():
            counts.update({key: value for key, value in entry.items() if isinstance(value, int)})
    rejected = {key.removeprefix("rejected: "): n for key, n in counts.items() if key.startswith("rejected: ") and n}
    funnel = [key for key in ("proposed", "refined", "closed", "held", "verified", "kept") if key in counts]
    steps = " → ".join(f"{key} {counts[key]:,}" for key in funnel)
    chart = _chart(charts.bars(rejected, xlabel="candidates"), "reasons") if rejected else ""
    return _section("Why candidates were rejected", steps, chart) if steps or chart else ""


def _feasibility(manifest: Manifest, dataset: ShardSet) -> str:
    totals = manifest.totals
    infeasible = dict(totals["infeasible"])
    counts = {"feasible": totals["candidates"] - sum(infeasible.values()), **infeasible}
    text = (
        f"Each of {totals['candidates']:,} pairs of grasp and placed object was decided once, in "
        f"{totals['arrangements']:,} arrangements of objects."
    )
    rows = [[o.name, f"{o.instances:,}", *(f"{n:,}" for n in o.decided)] for o in objects_in_scenes(dataset)]
    table = _table(("object", "in frames", "feasible", "neighbour", "table", "unreachable"), rows)
    chart = _chart(charts.bars(counts, xlabel="candidates"), "feasibility")
    return _section("Feasibility in the scenes", text, chart + table)


def _per_frame(dataset: ShardSet) -> str:
    counts = annotations_per_frame(dataset)
    if not counts.any():
        return ""
    none = int((counts == 0).sum())
    text = f"{counts.mean():,.1f} feasible grasps in a frame on average, {counts.min():,} to {counts.max():,}"
    text += f"; {none:,} frames have none." if none else "."
    return _section("Grasps per frame", text, _chart(per_frame_chart(counts), "grasps per frame"))


def _heat(recipes: Recipes, grasps: Mapping[str, Grasps]) -> str:
    from pipelines.report.heat import contact_pictures

    pictures = contact_pictures(recipes, grasps)
    text = "Where the verified grasps touch each object, from before and from behind. Dark: the place that most touch, "
    text += "with the share that does; grey: none."
    return _section("Contact", text, _gallery(pictures, wide=True)) if pictures else ""


def _pictures(config: BuildConfig, recipes: Recipes, library: GraspLibrary, manifest: Manifest) -> Iterable[str]:
    from pipelines.report.gallery import random_frames, random_grasps

    rng = np.random.default_rng(config.report.seed)
    grasps = random_grasps(recipes, library, config.report.grasps, rng)
    if grasps:
        yield _section("Random verified grasps", "", _gallery(grasps))
    frames = random_frames(recipes, manifest, config.dataset_root, config.report.frames, rng)
    if frames:
        yield _section("Annotated frames", "One random feasible grasp for each object.", _gallery(frames, wide=True))


def _queue(library: GraspLibrary, grasps: Mapping[str, Grasps]) -> str:
    from annotator.queue import review_queue

    entries = list(review_queue(library))
    if not entries:
        return ""
    shown = entries[:20]
    rows = [[entry.object_name, entry.grasp_type, GRASP_TYPES[entry.grasp_type].name, entry.reason] for entry in shown]
    text = f"{len(entries):,} grasps need a person; these first."
    return _section("For the annotator", text, _table(("object", "type", "", "why"), rows))


def _bad_frames(manifest: Manifest) -> str:
    if not manifest.bad_frames:
        return ""
    rows = [[bad.scene, bad.frame, bad.file, bad.reason] for bad in manifest.bad_frames]
    return _section(
        "Skipped frames", f"{len(rows)} frames could not be read.", _table(("scene", "frame", "file", "why"), rows)
    )


def _times(log: Log) -> str:
    rows = [[stage, f"{seconds:.1f} s"] for stage, seconds in log.seconds.items()]
    return _section("Times", "Of this run; what was there already costs nothing.", _table(("stage", ""), rows))


def _provenance(config: BuildConfig, library: GraspLibrary, manifest: Manifest) -> str:
    hand = library.metadata.get("hand", {})
    rows = [["library", library.digest], ["hand", hand.get("digest", "")]]
    rows += [[f"mesh {name}", digest] for name, digest in library.metadata.get("meshes", {}).items()]
    rows += [[record.file, record.sha256] for record in manifest.shards]
    rows += [[name, version] for name, version in manifest.document["versions"].items()]
    written = html.escape(json.dumps(to_table(config), indent=2, ensure_ascii=False))
    folded = f"<details><summary>Configuration</summary><pre>{written}</pre></details>"
    return _section(
        "Provenance", "sha256 of everything that went in and came out.", _table(("", "digest"), rows) + folded
    )


# ---------------------------------------------------------------------- pieces of HTML


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head>\n<body><h1>{_text(title)}</h1>\n{body}\n</body></html>\n"
    )


def _section(title: str, text: str, content: str) -> str:
    said = f"<p>{text}</p>" if text else ""
    return f"<section><h2>{_text(title)}</h2>{said}{content}</section>"


def _chart(picture: bytes, label: str) -> str:
    """A chart, which keeps a width at which it can be read, and scrolls where there is less."""
    return f"<div class=chart>{_image(picture, label)}</div>"


def _image(picture: bytes, label: str) -> str:
    return f'<img alt="{_text(label)}" src="data:image/png;base64,{base64.b64encode(picture).decode()}">'


def _gallery(pictures: Sequence[tuple[bytes, str]], *, wide: bool = False) -> str:
    figures = "".join(
        f"<figure>{_image(picture, caption)}<figcaption>{_text(caption)}</figcaption></figure>"
        for picture, caption in pictures
    )
    return f'<div class="gallery{" wide" if wide else ""}">{figures}</div>'


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{_text(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _text(value: object) -> str:
    return html.escape(str(value))
