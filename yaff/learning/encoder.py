"""Points to features: local ones round centres spread over the object, which then look at each other.

The first stage is PointNet++'s set abstraction (Qi et al., NeurIPS 2017) by nearest neighbours, in plain PyTorch; the
second lets the centres attend to each other, so that each knows the whole object, its neighbours and the plane.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from yaff.learning.batches import FEATURES
from yaff.learning.hand_space import DECIMETRE


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers with GELU between them and after the last."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.GELU()]
    return nn.Sequential(*layers)


class Attention(nn.Module):
    """A transformer layer, normalised first: attention, then a perceptron on each centre."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self._heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.combine = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Float[Tensor, "b c w"]) -> Float[Tensor, "b c w"]:
        """The centres' features with what each has seen of the others of its batch entry added; w wide, as before."""
        b, c, w = x.shape
        query, key, value = self.project(self.before(x)).view(b, c, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        x = x + self.combine(seen.transpose(1, 2).reshape(b, c, w))
        return x + self.perceptron(self.between(x))


class PointEncoder(nn.Module):
    """Features of centres on the object and of the whole.

    Args:
        width: of the features of a centre.
        whole: of the features of the whole.
        centres: how many points of the object are centres.
        neighbours: points taken in round each.
        layers: of attention.
    """

    def __init__(self, width: int, whole: int, centres: int, neighbours: int, layers: int) -> None:
        super().__init__()
        self._centres, self._neighbours = centres, neighbours
        half = width // 2
        self.point = perceptron(FEATURES, half)
        self.relative = nn.Linear(3, width)
        self.lift = nn.Linear(half, width)
        self.around = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.place = perceptron(FEATURES, width)
        self.attention = nn.ModuleList(Attention(width) for _ in range(layers))
        self.final = nn.LayerNorm(width)
        self.pooled = perceptron(2 * width, whole)

    def forward(
        self, points: Float[Tensor, "b n 8"]
    ) -> tuple[Float[Tensor, "b c 3"], Float[Tensor, "b c w"], Float[Tensor, "b g"]]:
        """Centres (metres), their features, and features of the whole, of batches as
        :class:`~yaff.learning.batches.Batch` has them."""
        centres = points[:, : self._centres, :3]
        scale = points.new_tensor([1 / DECIMETRE] * 3 + [1.0] * 3 + [1 / DECIMETRE, 1.0])
        scaled = points * scale
        with torch.no_grad():
            # |a - b|^2 by one product of matrices; exact enough to know who is near
            square = (points[..., :3] ** 2).sum(-1)
            apart = square[:, None] - 2.0 * centres @ points[..., :3].transpose(1, 2)
            near = apart.topk(self._neighbours, dim=-1, largest=False).indices
        lifted = self.lift(self.point(scaled))
        offsets = (gathered(points[..., :3], near) - centres[:, :, None]) / (0.3 * DECIMETRE)
        around = self.around(gathered(lifted, near) + self.relative(offsets)).amax(2)
        x = around + self.place(scaled[:, : self._centres])
        for layer in self.attention:
            x = layer(x)
        x = self.final(x)
        return centres, x, self.pooled(torch.cat([x.amax(1), x.mean(1)], -1))


class ImageEncoder(nn.Module):
    """Features of a crop of the colour image, to be added to those of the whole object; nothing at the start."""

    def __init__(self, whole: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((4, 16, 32, 64, 64)):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GELU()]
        self.layers, self.leave = nn.Sequential(*layers), nn.Linear(64, whole)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, image: Float[Tensor, "b 4 s s"]) -> Float[Tensor, "b g"]:
        """What to add to the features of the whole.

        Args:
            image: crops as :func:`~yaff.learning.images.colour_crops` makes them: three colours, -1 to 1, and where
                there is image. Without any image in a crop the answer is zero.
        """
        # a frame without an image says nothing
        there = (image[:, 3].amax((1, 2)) > 0.0).to(image.dtype)
        return self.leave(self.layers(image).mean((2, 3))) * there[:, None]


def gathered(values: Float[Tensor, "b n w"], rows: Int[Tensor, "b c k"]) -> Float[Tensor, "b c k w"]:
    """Rows of each batch entry's values."""
    b, c, k = rows.shape
    flat = rows.reshape(b, c * k, 1).expand(-1, -1, values.shape[-1])
    return values.gather(1, flat).view(b, c, k, -1)
