"""From points to a distribution over grasps: which types, where on the object, and how the hand takes it there.

1. :class:`~yaff.learning.encoder.PointEncoder`: features of the object and of centres on it.
2. *Types*: for each of the 33, whether the object affords it here (independent answers: a set, not a choice).
3. *Places*: given a type, at which centre hand and object touch.
4. *Hands*: given type and centre, a conditional flow (Lipman et al., "Flow matching for generative modelling", ICLR
   2023) carries noise to the vector of a hand (:mod:`yaff.learning.hand_space`) about that centre. The network answers
   with the end of the path and not with its velocity, so that what it means is a hand at any time, which losses
   through the hand need.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from yaff.learning.config import ModelConfig
from yaff.learning.encoder import ImageEncoder, PointEncoder
from yaff.learning.hand_space import DECIMETRE
from yaff.store.columns import TYPES

LEAST_LEFT = 0.05
"""The end of a path is never divided by less time than this."""


class Scene(NamedTuple):
    """What the network has made of a batch."""

    centres: Float[Tensor, "b c 3"]
    """Net frame, metres."""
    local: Float[Tensor, "b c w"]
    whole: Float[Tensor, "b g"]
    type_logits: Float[Tensor, "b 33"]
    place_logits: Float[Tensor, "b 33 c"]


class Flow(nn.Module):
    """Noise, time and condition -> the hand at the end of the path. Residual layers, scaled and shifted by the
    condition (adaptive normalisation)."""

    _waves: Tensor

    def __init__(self, width: int, layers: int, vector: int, condition: int) -> None:
        super().__init__()
        self.enter = nn.Linear(vector, width)
        self.condition = nn.Sequential(nn.Linear(condition + 16, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(layers))
        self.modulate = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(layers))
        for layer in self.modulate:
            assert isinstance(layer, nn.Linear)
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.leave = nn.Linear(width, vector)
        self.register_buffer("_waves", 2.0 * math.pi * 2.0 ** torch.arange(8).float() / 4.0, persistent=False)

    def forward(
        self, x: Float[Tensor, "n v"], time: Float[Tensor, "n"], condition: Float[Tensor, "n c"]
    ) -> Float[Tensor, "n v"]:
        """Vectors of hands at the end of the path.

        Args:
            x: where on their paths they are, as vectors of hands.
            time: how far along, 0 (noise) to 1 (the hand).
            condition: what the hands are for, from :meth:`AffordanceModel.condition`.
        """
        waves = time[:, None] * self._waves
        condition = self.condition(torch.cat([condition, waves.sin(), waves.cos()], -1))
        h = self.enter(x) + condition
        for layer, norm, modulate in zip(self.layers, self.norms, self.modulate, strict=True):
            scale, shift, gate = modulate(condition).chunk(3, -1)
            h = h + gate * layer(norm(h) * (1.0 + scale) + shift)
        return self.leave(h)


class AffordanceModel(nn.Module):
    """The network.

    Args:
        config: its size.
        vector: numbers in the vector of a hand.
    """

    def __init__(self, config: ModelConfig, vector: int) -> None:
        super().__init__()
        self.config, self.vector = config, vector
        self.encoder = PointEncoder(config.width, config.whole, config.centres, config.neighbours, config.layers)
        self.image_encoder = ImageEncoder(config.whole) if config.image else None
        self.types = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(config.whole, config.whole), nn.GELU(), nn.Linear(config.whole, TYPES)
        )
        self.place_of_type = nn.Embedding(TYPES, config.width)
        self.place = nn.Sequential(nn.Linear(config.width + config.whole, config.width), nn.GELU())
        self.type_embedding = nn.Embedding(TYPES, 32)
        self.flow = Flow(config.flow_width, config.flow_layers, vector, config.width + config.whole + 32)

    def forward(self, points: Float[Tensor, "b n 8"], image: Float[Tensor, "b 4 s s"] | None = None) -> Scene:
        """What there is to grasp, and where; the image is looked at by a model that was made for one."""
        centres, local, whole = self.encoder(points)
        if self.image_encoder is not None and image is not None:
            whole = whole + self.image_encoder(image)
        each = self.place(torch.cat([local, whole[:, None].expand(-1, local.shape[1], -1)], -1))
        place = torch.einsum("tw,bcw->btc", self.place_of_type.weight, each) / math.sqrt(self.config.width)
        return Scene(centres, local, whole, self.types(whole), place)

    def condition(
        self, scene: Scene, instance: Int[Tensor, "n"], centre: Int[Tensor, "n"], grasp_type: Int[Tensor, "n"]
    ) -> Float[Tensor, "n k"]:
        """What the flow is told of hands of these types (0 for type 1) at these centres of these instances."""
        return torch.cat([scene.local[instance, centre], scene.whole[instance], self.type_embedding(grasp_type)], -1)

    def sample(
        self,
        scene: Scene,
        instance: Int[Tensor, "n"],
        centre: Int[Tensor, "n"],
        grasp_type: Int[Tensor, "n"],
        noise: Float[Tensor, "n v"],
        steps: int = 10,
    ) -> Float[Tensor, "n v"]:
        """Vectors of hands in the net frame: the flow followed from the noise by Euler's method."""
        condition = self.condition(scene, instance, centre, grasp_type)
        x = noise
        for step in range(steps):
            t = step / steps
            end = self.flow(x, x.new_full((len(x),), t), condition).float()
            x = x + (end - x) * ((1.0 / steps) / (1.0 - t))
        return torch.cat([x[:, :3] + scene.centres[instance, centre] / DECIMETRE, x[:, 3:]], -1)


def parameter_count(model: nn.Module) -> int:
    """Numbers that are learnt."""
    return sum(p.numel() for p in model.parameters())
