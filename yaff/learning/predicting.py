"""Grasps from a trained network: drawn, screened, refined, and the best of them that differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

from yaff.errors import ConfigError
from yaff.geometry.transforms import axis_angle_from_rotation, make_transform
from yaff.grasp import Grasps
from yaff.hand import HandModel
from yaff.learning.batches import HIGH_UP, Batch
from yaff.learning.checking import demerits
from yaff.learning.hand_space import HandSpace
from yaff.learning.model import AffordanceModel, Scene
from yaff.learning.refining import Hands, LastStage

Array = np.ndarray


@dataclass(frozen=True)
class PredictionConfig:
    """How grasps are drawn from the network."""

    grasps: int = 5
    """Grasps of each object at the most, best first."""
    drawn: int = 48
    """Hands drawn for each object."""
    refined: int = 16
    """The best of them that are refined."""
    types: int = 8
    """Only the likeliest types are drawn from."""
    steps: int = 10
    """Steps in which the flow is followed."""
    apart: float = 0.02
    """Two grasps of an object differ by this in the place of the wrist (metres), by ``turned``, or in type."""
    turned: float = 0.35
    """Radians."""

    def __post_init__(self) -> None:
        for name in ("grasps", "drawn", "refined", "types", "steps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"prediction.{name} is {getattr(self, name)}", remedy="1 or more")


@dataclass(frozen=True, eq=False)
class Predictions:
    """``n`` grasps of some instances, those of an instance together and best first; object frames, SI."""

    row: Int64[Array, "n"]
    """The instance: row of the instance table."""
    rank: Int64[Array, "n"]
    """0 for the best of its instance."""
    grasp_type: Int64[Array, "n"]
    """Feix number."""
    T_object_hand: Float64[Array, "n 4 4"]
    pose: Float64[Array, "n 45"]
    """Radians, from the flat hand."""
    score: Float64[Array, "n"]
    """The loss of the last stage and what the checks found: small is good."""

    def __len__(self) -> int:
        return len(self.row)

    def grasps(self, hand: HandModel, object_name: str) -> Grasps:
        """Those predictions as grasps of an object (whose instances they must all be of)."""
        rotation, translation = hand.wrist_parameters(self.T_object_hand)
        return Grasps.make(object_name, self.pose, rotation, translation, self.grasp_type)

    def only(self, keep: Bool[Array, "n"] | Int[Array, "k"]) -> Predictions:
        """The predictions of a mask, or of rows in their order."""
        return Predictions(**{name: values[keep] for name, values in vars(self).items()})

    @classmethod
    def concatenate(cls, parts: list[Predictions]) -> Predictions:
        """One after the other."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


class Predictor:
    """A trained network at work.

    Args:
        model: the network that places hands, on the device of the stage.
        naming: the network that says which types are feasible; the same, or the same at another time of its training.
        space: the hand, there too.
        stage: screens and refines; what it has refined is checked before the best are chosen.
        config: how grasps are drawn.
    """

    def __init__(
        self,
        model: AffordanceModel,
        naming: AffordanceModel,
        space: HandSpace,
        stage: LastStage,
        config: PredictionConfig,
    ) -> None:
        self.model, self.naming, self.space, self.stage, self.config = model.eval(), naming.eval(), space, stage, config
        self._checked = stage.config.iterations > 0

    @torch.no_grad()
    def types(self, batch: Batch) -> Float[Tensor, "b 33"]:
        """Probability that each type is feasible."""
        return torch.sigmoid(self.naming(batch.points, batch.image).type_logits)

    def predict(self, batch: Batch, generator: torch.Generator) -> Predictions:
        """Grasps of a batch, drawn with a generator on the processor."""
        hands, instance = self._drawn(batch, generator)
        b, config = len(batch), self.config
        loss = self.stage.score(hands).view(b, -1)
        best = loss.topk(min(config.refined, loss.shape[1]), dim=1, largest=False).indices
        rows = (best + torch.arange(b, device=best.device)[:, None] * loss.shape[1]).flatten()
        refined, score = self.stage.refine(hands.rows(rows))
        if self._checked:
            score = score + torch.as_tensor(demerits(self.stage.rig, self.stage.models, refined)).to(score)
        return self._chosen(refined, score, batch.rows, instance[rows])

    @torch.no_grad()
    def _drawn(self, batch: Batch, generator: torch.Generator) -> tuple[Hands, Int[Tensor, "n"]]:
        """Hands in the object frames, ``drawn`` of each instance one after the other."""
        config, device = self.config, batch.points.device
        scene: Scene = self.model(batch.points, batch.image)
        b, n = len(batch), config.drawn
        likely, which = self.types(batch).topk(config.types, dim=1)
        kind = which.gather(1, _draw(likely**2, n, generator)).flatten()
        instance = torch.arange(b, device=device).repeat_interleave(n)
        places = torch.softmax(scene.place_logits[instance, kind], -1)
        centre = _draw(places, 1, generator)[:, 0]
        noise = torch.randn((b * n, self.model.vector), generator=generator).to(device)
        vector = self.model.sample(scene, instance, centre, kind, noise, config.steps)
        rotation, origin, dof = self.space.decode(vector)
        return to_object_frame(batch, instance, kind, rotation, origin, dof), instance

    def _chosen(
        self, hands: Hands, score: Float[Tensor, "n"], rows: Int[Tensor, "b"], instance: Int[Tensor, "n"]
    ) -> Predictions:
        """For each instance the best hands that differ."""
        config = self.config
        origin, rotation = (values.double().cpu().numpy() for values in (hands.origin, hands.rotation))
        kind, loss, owner = (v.cpu().numpy() for v in (hands.grasp_type, score, instance))
        chosen: list[int] = []
        ranks: list[int] = []
        for one in range(len(rows)):
            mine = np.flatnonzero(owner == one)
            taken: list[int] = []
            for k in mine[np.argsort(loss[mine], kind="stable")].tolist():
                if len(taken) < config.grasps and self._differs(k, taken, origin, rotation, kind):
                    taken.append(k)
            chosen += taken
            ranks += range(len(taken))
        keep = np.array(chosen, np.int64)
        return Predictions(
            row=rows.cpu().numpy()[owner[keep]],
            rank=np.array(ranks, np.int64),
            grasp_type=kind[keep].astype(np.int64) + 1,
            T_object_hand=make_transform(rotation[keep], origin[keep]),
            pose=self.space.anatomy.pose_from_dof(hands.dof.detach().double().cpu().numpy()[keep]),
            score=loss[keep].astype(np.float64),
        )

    def _differs(self, k: int, taken: list[int], origin: Array, rotation: Array, kind: Array) -> bool:
        if not taken:
            return True
        apart = np.linalg.norm(origin[taken] - origin[k], axis=1)
        turned = np.linalg.norm(axis_angle_from_rotation(rotation[taken].transpose(0, 2, 1) @ rotation[k]), axis=1)
        return bool(((apart >= self.config.apart) | (turned >= self.config.turned) | (kind[taken] != kind[k])).all())


def to_object_frame(
    batch: Batch,
    instance: Int[Tensor, "n"],
    kind: Int[Tensor, "n"],
    rotation: Float[Tensor, "n 3 3"],
    origin: Float[Tensor, "n 3"],
    dof: Float[Tensor, "n d"],
) -> Hands:
    """Hands of the net frames of instances, as hands on their objects with the support planes these stand on."""
    T = batch.T_net_object[instance]
    back = T[:, :3, :3].transpose(1, 2)
    up = back @ T.new_tensor([0.0, 0.0, 1.0])
    height = T[:, 2, 3] + batch.height[instance]
    plane = torch.cat([up, height[:, None]], 1)
    # where no plane is known, its height stands for very far
    plane = torch.where((batch.height[instance] < HIGH_UP)[:, None], plane, torch.zeros_like(plane))
    origin = (back @ (origin - T[:, :3, 3])[:, :, None])[..., 0]
    return Hands(batch.slot[instance], kind, back @ rotation, origin, dof, plane)


def _draw(weights: Float[Tensor, "b m"], count: int, generator: torch.Generator) -> Int[Tensor, "b k"]:
    """Columns drawn by weight; random numbers come from the processor, so that all devices draw alike."""
    drawn = torch.rand((len(weights), count), generator=generator).to(weights.device)
    share = (weights / weights.sum(1, keepdim=True)).cumsum(1)
    return torch.searchsorted(share.contiguous(), drawn).clamp_max(weights.shape[1] - 1)
