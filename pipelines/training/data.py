"""A dataset made ready to learn from or to judge by: instances, shapes, hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pipelines.executor import Workforce
from pipelines.loading import Recipes, hand_of, object_of
from pipelines.progress import Progress
from pipelines.training.arranged import ArrangingTask, arranged
from pipelines.training.config import DataSection
from pipelines.training.shapes import ShapeOptions, recipes_for
from yaff.errors import InputError
from yaff.hand import HandModel
from yaff.learning.arranging import Arranged
from yaff.learning.batches import BatchMaker
from yaff.learning.clouds import ObjectClouds
from yaff.learning.config import ArrangingConfig, ObservationConfig
from yaff.learning.instances import InstanceTable
from yaff.learning.targets import GraspTargets
from yaff.objects import ObjectModel
from yaff.scene.frames import SceneReader
from yaff.scene.recognise import open_scenes
from yaff.store.reading import ShardSet


@dataclass(frozen=True, eq=False)
class TrainingData:
    """A folder of shards with the hand and the objects it was made with."""

    shards: ShardSet
    recipes: Recipes
    hand: HandModel
    models: tuple[ObjectModel, ...]
    """By slot."""
    images: SceneReader | None = None
    """Where its images are."""
    _arranged: dict[tuple[ArrangingConfig, str, tuple[int, ...], int], list[Arranged]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, options: ShapeOptions) -> TrainingData:
        """The dataset of a folder.

        Raises:
            MissingFileError: there is no finished dataset.
            FormatError: shards of another schema version.
            InputError: another hand or other meshes than those it was made with.
        """
        shards = ShardSet.open(folder)
        recipes = recipes_for(shards, options)
        hand = hand_of(recipes.hand)
        made_with = shards.index.hand
        if made_with["digest"] != hand.digest:
            raise InputError(
                f"the shards are of hand {made_with['name']!r} ({made_with['digest'][:12]}), "
                f"the hand at work is {hand.name!r} ({hand.digest[:12]})",
                where=folder,
                remedy="choose that hand with --hand.model and --hand.side, or project again with this one",
            )
        models = tuple(object_of(name, recipes.objects) for name in shards.objects)
        digests = shards.manifest.document.get("meshes", {})
        other = [model.name for model in models if digests.get(model.name, model.digest) != model.digest]
        if other:
            raise InputError(
                f"the shards are of other meshes of {', '.join(other)}",
                where=folder,
                remedy="give the meshes they were made with: --models DIR, or --source stand-in",
            )
        images = None if options.dataset is None else open_scenes(options.dataset)
        return cls(shards, recipes, hand, models, images)

    @cached_property
    def clouds(self) -> ObjectClouds:
        """The shapes, as the network sees them."""
        return ObjectClouds.of(self.models)

    def table(self, split: str, types: Sequence[int] = (), min_visibility: float | None = None) -> InstanceTable:
        """The instances of a split, or of "all"; as :meth:`yaff.learning.instances.InstanceTable.read`."""
        asked = None if split == "all" else split
        return InstanceTable.read(self.shards, asked, types=tuple(types) or None, min_visibility=min_visibility)

    def divided(self, section: DataSection) -> tuple[InstanceTable, InstanceTable]:
        """What is learnt from and what training is validated with: instances of different scenes."""
        table = self.table(section.split, section.types, section.min_visibility)
        table = table.without(section.held_out) if section.held_out else table
        return table.divided(section.validation)

    def targets(self, table: InstanceTable) -> GraspTargets:
        """What training needs of the table's grasps."""
        return GraspTargets.of(table, self.hand, self.models)

    def arranged(
        self, config: ArrangingConfig, section: DataSection, seed: int, work: Path, progress: Progress
    ) -> Sequence[Arranged]:
        """Made-up arrangements of this dataset's objects and grasps; made once, in parts below ``work``.

        Args:
            config: how many, of how many objects.
            section: the objects in the scenes that are learnt from show how objects stand on a table.
            seed: what is drawn.
            work: folder of the parts.
            progress: told of every part.
        """
        learnt, _ = self.divided(section)
        scenes = tuple(np.unique(learnt.scene[learnt.frame[learnt.rows]]).tolist())
        key = (replace(config, views=1), section.split, scenes, seed)
        if key not in self._arranged:
            task = ArrangingTask(self.shards.folder.resolve(), section.split, scenes, self.recipes, config, seed)
            self._arranged[key] = arranged(task, work, Workforce(), progress)
        return self._arranged[key]

    def maker(self, table: InstanceTable, observation: ObservationConfig, grasps: int = 1) -> BatchMaker:
        """Batches of a table's instances.

        Raises:
            ConfigError: images are to be looked at, and the dataset was not given.
        """
        return BatchMaker(table, self.clouds, self.targets(table), observation, grasps, self.images)
