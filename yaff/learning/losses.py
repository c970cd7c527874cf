"""What the network is taught by: types as a set, places, the flow, and the hand that the flow ends in.

The end of the path that the network names at time t is a hand. Late in the path, where it should be the right one, its
skin is held against that of the true grasp, against the object (what touches there touches here; nothing is inside) and
against the support plane.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from yaff.geometry.signed_distance import TorchSignedDistance
from yaff.learning.batches import HIGH_UP, Batch
from yaff.learning.config import LossConfig
from yaff.learning.hand_space import DECIMETRE, HandSpace
from yaff.learning.model import LEAST_LEFT, AffordanceModel, Scene

CENTIMETRE = 0.01


class Losses(nn.Module):
    """The losses of a batch.

    Args:
        config: their weights.
        space: the hand.
        distance: of the objects, in the order of their slots.
        vertices: skin vertices to pose, spread over the hand.
        bfloat16: whether the network computes in bfloat16; all else is float32 in any case.
    """

    _vertices: Tensor

    def __init__(
        self,
        config: LossConfig,
        space: HandSpace,
        distance: TorchSignedDistance,
        vertices: Int[np.ndarray, "v"],
        *,
        bfloat16: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.space, self.distance, self.narrow = config, space, distance, bfloat16
        self.register_buffer("_vertices", torch.as_tensor(vertices), persistent=False)

    def forward(self, model: AffordanceModel, batch: Batch, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
        """Every loss, unweighted, by the name of its weight; ``total`` is their weighted sum; ``top1``, which is none,
        is the share of instances whose likeliest type is feasible.

        What is random (times and noise of the flow, which hands are posed) is drawn from ``generator``, on the
        processor, so that all devices draw alike.
        """
        config, narrow = self.config, torch.autocast(batch.points.device.type, torch.bfloat16, enabled=self.narrow)
        with narrow:
            scene = model(batch.points, batch.image)
        losses = {"types": self._types(scene, batch)}
        centre, losses["places"] = self._places(scene, batch, generator)
        b, k = centre.shape
        instance = torch.arange(b, device=centre.device).repeat_interleave(k)
        centre, kind = centre.reshape(-1), batch.grasp_type.reshape(-1)
        truth = self.space.encode(batch.rotation.flatten(0, 1), batch.origin.flatten(0, 1), batch.dof.flatten(0, 1))
        about = scene.centres[instance, centre] / DECIMETRE
        target = torch.cat([truth[:, :3] - about, truth[:, 3:]], -1)
        noise = torch.randn(target.shape, generator=generator).to(target.device)
        time = torch.rand(len(target), generator=generator).to(target.device)
        path = (1.0 - time[:, None]) * noise + time[:, None] * target
        with narrow:
            end = model.flow(path, time, model.condition(scene, instance, centre, kind)).float()
        left = (1.0 - time).clamp_min(LEAST_LEFT)
        # the error of the velocity is that of the end over the time left; bounded, or the last moments are all
        weight = (1.0 / left**2).clamp_max(25.0)
        losses["flow"] = (weight[:, None] * (end - target) ** 2).mean() / 4.0
        late = torch.nonzero(time >= config.late)[:, 0]
        late = late[torch.randperm(len(late), generator=generator)[: config.hands].to(late.device)]
        if len(late):
            end = torch.cat([end[late, :3] + about[late], end[late, 3:]], -1)
            losses |= self._hands(end, batch, instance[late], late)
        weighted = [getattr(config, name) * value for name, value in losses.items()]
        likeliest = batch.types.gather(1, scene.type_logits.argmax(1, keepdim=True))
        return losses | {"total": torch.stack(weighted).sum(), "top1": likeliest.float().mean()}

    def _types(self, scene: Scene, batch: Batch) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(scene.type_logits.float(), batch.types.float())

    def _places(self, scene: Scene, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A centre for each grasp, drawn near the middle of its contacts, and how well the places are known."""
        apart = (batch.contact[:, :, None] - scene.centres[:, None]).pow(2).sum(-1)
        near = torch.softmax(-0.5 * apart / self.config.place_spread**2, -1)
        drawn = torch.rand(near.shape[:2], generator=generator).to(near.device)
        centre = (near.cumsum(-1) < drawn[..., None]).sum(-1).clamp_max(near.shape[-1] - 1)
        rows = batch.grasp_type[..., None].expand(-1, -1, near.shape[-1])
        logits = torch.log_softmax(scene.place_logits.float().gather(1, rows), -1)
        return centre, -(near * logits).sum(-1).mean()

    def _hands(
        self, end: Float[Tensor, "n w"], batch: Batch, instance: Int[Tensor, "n"], rows: Int[Tensor, "n"]
    ) -> dict[str, Tensor]:
        """Losses of the hands at the ends of paths against the true ones of ``rows`` of the batch."""
        config, space = self.config, self.space
        skin = space.vertices(*space.decode(end), self._vertices)
        with torch.no_grad():
            rotation, origin, dof = (v.flatten(0, 1)[rows] for v in (batch.rotation, batch.origin, batch.dof))
            true_skin = space.vertices(rotation, origin, dof, self._vertices)
            true_distance = self._distances(true_skin, batch, instance)
        distance = self._distances(skin, batch, instance)
        touches = (true_distance < 0.003).float()
        off = nn.functional.smooth_l1_loss(distance / CENTIMETRE, true_distance / CENTIMETRE, reduction="none")
        inside = torch.relu(-distance - config.skin_depth) / CENTIMETRE
        height = skin[..., 2] + batch.height[instance][:, None]
        # where no plane is known, its height stands for very far
        below = torch.relu(-height) / CENTIMETRE * (batch.height[instance] < HIGH_UP)[:, None]
        apart = (skin - true_skin) / CENTIMETRE
        return {
            "vertices": nn.functional.smooth_l1_loss(apart, torch.zeros_like(apart)),
            "contact": (off * touches).sum() / touches.sum().clamp_min(1.0),
            "penetration": (inside**2).mean(),
            "plane": (below**2).clamp_max(25.0).mean(),
        }

    def _distances(self, skin: Tensor, batch: Batch, instance: Tensor) -> Tensor:
        """Signed distance of skin (net frame) to the objects of these instances, metres."""
        T = batch.T_net_object[instance]
        local = (skin - T[:, None, :3, 3]) @ T[:, :3, :3]
        return self.distance(local, batch.slot[instance][:, None])
