"""Figures of how the search works, from one pair that is searched for them: a stand-in, one type, the built-in hand.

What is drawn are the program's own candidates at each stage, none of them arranged.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from trimesh.visual import ColorVisuals

from pipelines.loading import Recipes, hand_of, mesh_of, object_of
from pipelines.pictures import draw_meshes, hand_mesh, intrinsics_of, look_at, sheet
from yaff.grasp.batch import SHAKE_DIRECTIONS
from yaff.grasp.contacts import Contacts, find_contacts
from yaff.grasp.measures import MeasureConfig
from yaff.search.cavities import field_of
from yaff.search.config import SearchConfig
from yaff.search.judge import Attempt, Judge, make_rig
from yaff.search.opposition import OppositionPairs, opposition_pairs
from yaff.search.planner import pair_seed
from yaff.search.propose import WITHIN, Candidates, propose
from yaff.search.refine import Refiner
from yaff.search.screen import screen
from yaff.taxonomy import GRASP_TYPES

Array = np.ndarray

OBJECT, TYPE = "025_mug", 7
COLUMNS, SIZE = 4, 260
SKIN, TOUCHES, DEEP, PALE = (222, 172, 146), (63, 184, 107), (217, 31, 31), (222, 222, 222)
"""Skin off the object, within 3 mm of its surface, and deeper in it than a kept grasp may be; an object."""
OPACITY = 0.45
"""Of the object where hands are looked at through it."""
LINES = 60
CONE = 0.014
"""Length of a drawn cone, metres."""


@dataclass(frozen=True)
class Story:
    """One pair, stage by stage; rows of the stages belong together."""

    pairs: OppositionPairs
    """All that were found."""
    suitable: Array
    """Rows of those whose distance suits the type."""
    proposed: Candidates
    refined: Candidates
    attempts: tuple[Attempt | None, ...]
    """What closing and shaking came to; ``None`` where the hand was not closed."""
    faults: tuple[str, ...]
    """Why it was not; empty where it was."""


def search_figures(recipes: Recipes, config: SearchConfig) -> dict[str, UInt8[Array, "h w 3"]]:
    """The figures by name."""
    teller = _Teller(recipes, config)
    story = teller.search()
    shown = chosen_rows(story)
    held = next(k for k in shown if (attempt := story.attempts[k]) is not None and attempt.held)
    return {
        "search-pairs": teller.pairs(story),
        "search-stages": teller.stages(story, shown),
        "search-contacts": teller.contacts(story, held),
        "search-shakes": teller.shakes(story, shown),
    }


def chosen_rows(story: Story) -> list[int]:
    """Candidates to show: the first that held, one that slipped, one that is rejected once closed, one that is not."""
    groups: dict[str, list[int]] = {"held": [], "slipped": [], "rejected": [], "not closed": []}
    for k, attempt in enumerate(story.attempts):
        if attempt is None:
            groups["not closed"].append(k)
        elif attempt.held:
            groups["held"].append(k)
        else:
            groups["slipped" if attempt.outcome.endswith("slipped") else "rejected"].append(k)
    first = [rows[0] for rows in groups.values() if rows]
    rest = [k for rows in groups.values() for k in rows[1:]]
    return (first + rest)[:COLUMNS]


class _Teller:
    """Searches the pair and draws it."""

    def __init__(self, recipes: Recipes, config: SearchConfig) -> None:
        self.config, self.kind = config, GRASP_TYPES[TYPE]
        self.hand = hand_of(recipes.hand)
        self.obj, self.mesh = object_of(OBJECT, recipes.objects), mesh_of(OBJECT, recipes.objects)
        self.rig = make_rig(self.hand, config)
        self.judge = Judge(self.rig, self.kind, self.obj, config)

    def search(self) -> Story:
        """One batch, as the planner does it; every hand that is worth closing is closed and shaken every way."""
        config, rng = self.config, np.random.default_rng(pair_seed(0, OBJECT, TYPE))
        pairs = opposition_pairs(self.obj, config.propose.opposition_points, config.propose.opposition_angle, rng)
        least, most = self.kind.size
        suits = (pairs.thickness >= least) & (pairs.thickness <= most)
        if self.kind.interior == "filled":
            field = field_of(self.obj, self.kind.interior)
            suits &= np.minimum(field.distance(pairs.first), field.distance(pairs.second)) > -WITHIN
        suitable = np.flatnonzero(suits)
        proposed = propose(self.rig, self.kind, self.obj, pairs, config, config.refine.batch, rng)
        refined = Refiner(self.rig, self.kind, self.obj, config.refine).refine(proposed)
        faults = [""] * len(refined)
        for name, bad in screen(self.rig, self.kind, self.obj, refined, config).faults.items():
            for k in np.flatnonzero(bad):
                faults[k] = faults[k] or name
        attempts: list[Attempt | None] = [None] * len(refined)
        with self.judge.world() as world:
            for k, fault in enumerate(faults):
                if not fault:
                    attempt = self.judge.close(world, refined.rows(np.array([k])))[0]
                    attempts[k] = self.judge.shake(world, attempt, every_direction=True)
        return Story(pairs, suitable, proposed, refined, tuple(attempts), tuple(faults))

    # ------------------------------------------------------------------ figures

    def pairs(self, story: Story) -> UInt8[Array, "h w 3"]:
        """Pairs of opposing points: some of all, and some of those whose distance suits the type."""
        rng, (least, most) = np.random.default_rng(0), self.kind.size
        everything = np.arange(len(story.pairs))
        pictures = []
        for rows, words in (
            (everything, f"60 of {len(everything)} pairs of points that face away from each other"),
            (
                story.suitable,
                f"60 of the {len(story.suitable)} that are {1e3 * least:.0f} to {1e3 * most:.0f} mm apart",
            ),
        ):
            chosen = rng.choice(rows, min(LINES, len(rows)), replace=False)
            pictures.append((self._lines(story.pairs.first[chosen], story.pairs.second[chosen], 420), words))
        return sheet(pictures, 2)

    def stages(self, story: Story, shown: Sequence[int]) -> UInt8[Array, "h w 3"]:
        """A column for each candidate: proposed, refined, closed."""
        rows: list[list[tuple[Array, str]]] = [[], [], []]
        for k in shown:
            attempt = story.attempts[k]
            places = [
                (story.proposed.T_object_hand[k], story.proposed.dof[k]),
                (story.refined.T_object_hand[k], story.refined.dof[k]),
            ]
            if attempt is not None:
                places.append((attempt.T_object_hand, attempt.settled.dof))
            posed = [self._vertices(T, dof) for T, dof in places]
            view = self._clearest(posed[-1])
            within = np.concatenate([*posed, np.asarray(self.mesh.vertices)])
            captions = [f"{k}: proposed", "refined", f"closed: {self._verdict(attempt)}"]
            for row, vertices, caption in zip(rows, posed, captions, strict=False):
                row.append((self._through([self._skin(vertices)], view, SIZE, within), caption))
            if attempt is None:
                blank = np.full((SIZE, SIZE, 3), 255, np.uint8)
                rows[2].append((blank, f"not closed: {story.faults[k]}"))
        return sheet([picture for row in rows for picture in row], len(shown))

    def contacts(self, story: Story, k: int) -> UInt8[Array, "h w 3"]:
        """The grasp, and what its contacts may push with: a cone of friction at each."""
        attempt = story.attempts[k]
        assert attempt is not None
        vertices = self._vertices(attempt.T_object_hand, attempt.settled.dof)
        found: Contacts = find_contacts(self.hand, self.rig.patches, vertices[None], self.obj)
        points, inward = found.point[0][found.touching[0]], found.normal[0][found.touching[0]]
        view = self._clearest(vertices)
        within = np.concatenate([vertices, np.asarray(self.mesh.vertices)])
        friction = MeasureConfig().friction
        cones = []
        for point, normal in zip(points, inward, strict=True):
            # trimesh has the base at z = 0 and the tip above it: the tip on the contact, the base outside
            cone = trimesh.creation.cone(friction * CONE, CONE, sections=24)
            turned = np.asarray(
                trimesh.geometry.align_vectors([0.0, 0.0, 1.0], normal / np.linalg.norm(normal)), np.float64
            )
            turned[:3, 3] = point - CONE * turned[:3, 2]
            cone.apply_transform(turned)
            cones.append(_coloured(cone, TOUCHES))
        with_hand = self._through([self._skin(vertices)], view, 420, within)
        without = self._through(cones, view, 420, within)
        words = f"cones of {np.degrees(np.arctan(friction)):.0f} degrees at the {len(points)} patches that touch"
        return sheet([(with_hand, f"{k}: skin that touches is green"), (without, words)], 2)

    def shakes(self, story: Story, shown: Sequence[int]) -> UInt8[Array, "h w 3"]:
        """How far the object moved in the hand along each axis: one that holds beside one that slips."""
        shaken = [(k, a.shaken) for k in shown if (a := story.attempts[k]) is not None and a.shaken is not None]
        picked = [next(s for s in shaken if s[1].held), *[s for s in shaken if not s[1].held][:1]]
        physics = self.config.physics
        figure = Figure(figsize=(7.6, 2.7), dpi=110, layout="constrained")
        for column, (values, limit, label) in enumerate(
            (
                ([1e3 * s.translation for _, s in picked], 1e3 * physics.most_translation, "moved, mm"),
                ([np.degrees(s.rotation) for _, s in picked], np.degrees(physics.most_rotation), "turned, degrees"),
            )
        ):
            axes = figure.add_subplot(1, 2, column + 1)
            for i, (value, (k, s)) in enumerate(zip(values, picked, strict=True)):
                words = f"{k}: holds" if s.held else f"{k}: slips"
                axes.bar(np.arange(6) + 0.4 * i - 0.2, value, 0.38, label=words, color=("#2f6f9f", "#d9822b")[i])
            axes.axhline(limit, color="#24292f", linewidth=1.0, linestyle="--", label="limit")
            axes.set_xticks(range(6), list(SHAKE_DIRECTIONS))
            axes.set_ylabel(label)
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
        return _drawn(figure)

    # ------------------------------------------------------------------ parts

    def _vertices(self, T_object_hand: Float[Array, "4 4"], dof: Float[Array, "dof"]) -> Float[Array, "778 3"]:
        wrist, translation = self.hand.wrist_parameters(T_object_hand[None])
        return self.hand.vertices(self.rig.anatomy.pose_from_dof(dof[None]), wrist, translation)[0]

    def _skin(self, vertices: Float[Array, "778 3"]) -> trimesh.Trimesh:
        """The hand, its skin coloured by what touches and what is too deep."""
        mesh, select = hand_mesh(self.hand, vertices), self.config.select
        distance = self.obj.sdf.distance(np.asarray(mesh.vertices))
        colours = np.tile(np.array([*SKIN, 255], np.uint8), (len(distance), 1))
        colours[distance < select.contact_distance, :3] = TOUCHES
        colours[distance < -select.most_penetration, :3] = DEEP
        mesh.visual = ColorVisuals(mesh, vertex_colors=colours)
        return mesh

    def _clearest(self, vertices: Float[Array, "778 3"]) -> Float[Array, "3"]:
        """The direction from which most of the skin that touches is seen, through the object."""
        skin, within = self._skin(vertices), np.concatenate([vertices, np.asarray(self.mesh.vertices)])

        def seen(view: Float[Array, "3"]) -> int:
            small = draw_meshes([skin], view, 64, within).astype(int)
            return int(np.count_nonzero((small[..., 1] > small[..., 0] + 15) & (small[..., 1] > small[..., 2] + 15)))

        angles = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
        return max((np.array([np.cos(a), np.sin(a), up]) for up in (0.25, 0.8) for a in angles), key=seen)

    def _through(
        self,
        meshes: Sequence[trimesh.Trimesh],
        view: Float[Array, "3"],
        size: int,
        within: Float[Array, "n 3"],
    ) -> UInt8[Array, "s s 3"]:
        """Meshes behind and before the object, which lets what is behind it shine through."""
        solid = draw_meshes([self.mesh, *meshes], view, size, within).astype(float)
        without = draw_meshes(meshes, view, size, within).astype(float)
        return (OPACITY * solid + (1.0 - OPACITY) * without).astype(np.uint8)

    def _lines(self, first: Float[Array, "n 3"], second: Float[Array, "n 3"], size: int) -> UInt8[Array, "s s 3"]:
        """The object with lines through it."""
        view = np.array([0.8, -1.0, 0.7])
        picture = Image.fromarray(draw_meshes([_coloured(self.mesh.copy(), PALE)], view, size))
        ink, T, K = ImageDraw.Draw(picture), look_at(np.asarray(self.mesh.vertices), view), intrinsics_of(size)

        def place(points: Float[Array, "n 3"]) -> Float[Array, "n 2"]:
            seen = (points @ T[:3, :3].T + T[:3, 3]) @ K.T
            return seen[:, :2] / seen[:, 2:]

        for a, b in zip(place(first), place(second), strict=True):
            ink.line([*a, *b], fill=(47, 111, 159), width=1)
            for u, v in (a, b):
                ink.ellipse([u - 2, v - 2, u + 2, v + 2], fill=(200, 90, 20))
        return np.asarray(picture)

    def _verdict(self, attempt: Attempt | None) -> str:
        return "" if attempt is None else self.judge.reason(attempt) or "holds"


def _coloured(mesh: trimesh.Trimesh, colour: tuple[int, int, int]) -> trimesh.Trimesh:
    mesh.visual = ColorVisuals(mesh, vertex_colors=np.tile([*colour, 255], (len(mesh.vertices), 1)))
    return mesh


def _drawn(figure: Figure) -> UInt8[Array, "h w 3"]:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return np.asarray(Image.open(stream).convert("RGB"))
