"""Signed distances in torch, differentiable, of one object or of several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from yaff.errors import InputError
from yaff.geometry.blocks import Blocks, joined, look_up, look_up_with_gradient
from yaff.geometry.signed_distance import SignedDistanceGrid


class TorchSignedDistance:
    """The same signed distance as a differentiable torch function ``(*batch, 3) -> (*batch)``.

    On the processor by the kernel that NumPy uses, elsewhere by torch's own operations. Several grids may be given;
    then each point says which it asks.

    Args:
        grid: the sampled distances of one object, or of several.
        dtype: floating type of points and result.
        device: where the samples live; points must be there too.
    """

    def __init__(
        self,
        grid: SignedDistanceGrid | Sequence[SignedDistanceGrid],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.dtype = dtype
        self.device = torch.device(device)
        grids = [grid] if isinstance(grid, SignedDistanceGrid) else list(grid)
        self._count = len(grids)
        self._blocks = grids[0].blocks if len(grids) == 1 else joined([one.blocks for one in grids])
        self._elsewhere = None if self.device.type == "cpu" else TorchBlocks(self._blocks, dtype, self.device)

    def __call__(
        self, points: Float[Tensor, "*batch 3"], which: Int[Tensor, "*#batch"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """Signed distance at points (metres, object frame), metres.

        Args:
            points: where.
            which: of which of several objects, 0 the first; the first without it. Broadcast against the points.

        Raises:
            InputError: if there is no such object.
        """
        points = points.to(self.dtype)
        flat = points.reshape(-1, 3)
        rows = None if which is None else which.broadcast_to(points.shape[:-1]).reshape(-1)
        if rows is not None and len(rows) and not (int(rows.min()) >= 0 and int(rows.max()) < self._count):
            raise InputError(f"points ask for objects {int(rows.min())} to {int(rows.max())} of {self._count}")
        if self._elsewhere is not None:
            first = torch.zeros(len(flat), dtype=torch.long, device=self.device) if rows is None else rows
            value = self._elsewhere(flat, first)
        else:
            value: Any = _LookUp.apply(flat, self._blocks, rows)
        return value.reshape(points.shape[:-1])


class _LookUp(torch.autograd.Function):
    """The compiled look-up, its gradient kept for the way back."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, blocks: Blocks, which: Tensor | None) -> Tensor:
        places = points.detach().contiguous().numpy()
        rows = None if which is None else which.numpy()
        if not ctx.needs_input_grad[0]:
            return torch.from_numpy(look_up(blocks, places, rows))
        value, slope = look_up_with_gradient(blocks, places, rows)
        ctx.save_for_backward(torch.from_numpy(slope))
        return torch.from_numpy(value)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore
        (slope,) = ctx.saved_tensors
        return gradients[0][:, None] * slope, None, None


class TorchBlocks:
    """The same look-up of the same blocks by torch's own operations, for any device and differentiable throughout."""

    def __init__(self, blocks: Blocks, dtype: torch.dtype, device: torch.device) -> None:
        self._origin = torch.tensor(blocks.origin, dtype=dtype, device=device)
        self._size = torch.tensor(blocks.size, dtype=dtype, device=device)
        self._shape = torch.tensor(blocks.shape, device=device)
        self._first = torch.tensor(blocks.first, device=device)
        self._table = torch.tensor(blocks.table, device=device)
        self._unit = torch.tensor(blocks.unit, dtype=dtype, device=device)
        self._pool = torch.tensor(blocks.pool, device=device)
        self._dtype = dtype

    def __call__(self, points: Float[Tensor, "n 3"], which: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Signed distance (metres) at points, of object ``which``."""
        shape, size = self._shape[which], self._size[which, None]
        place = (points - self._origin[which]) / size
        inside = torch.minimum(place.clamp(min=0.0), shape.to(self._dtype))
        value, slope = self._interpolate(inside, shape, which)
        slope = slope / size
        foot = value[:, None] / slope.norm(dim=1, keepdim=True).clamp(min=1e-6) * slope
        away = (place - inside).detach().abs().amax(dim=1) > 0.0
        # the surface point is held still, so that the gradient is the unit vector from it
        aim = (points - (self._origin[which] + size * inside) + foot).detach()
        far = torch.where(away[:, None], aim, torch.ones_like(aim))
        length = far.norm(dim=1)
        beyond = length + ((far / length[:, None]) * (points - points.detach())).sum(dim=1)
        return torch.where(away, beyond, value)

    def _interpolate(
        self, inside: Float[Tensor, "n 3"], shape: Int[Tensor, "n 3"], which: Int[Tensor, "n"]
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
        block = torch.minimum(inside.detach().floor().long(), shape - 1)
        entry = self._table[self._first[which] + (block[:, 0] * shape[:, 1] + block[:, 1]) * shape[:, 2] + block[:, 2]]
        cells = torch.bitwise_left_shift(torch.ones_like(entry), entry & 7)
        fine = (inside - block) * cells[:, None]
        cell = torch.minimum(fine.detach().floor().long(), cells[:, None] - 1)
        part = fine - cell
        row = cells + 1
        start = (entry >> 3) + (cell[:, 0] * row + cell[:, 1]) * row + cell[:, 2]
        step = torch.stack([row * row, row, torch.ones_like(row)], dim=-1)
        corners = torch.tensor([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], device=start.device)
        value = self._pool[start[:, None] + step @ corners.T].to(self._dtype).reshape(-1, 2, 2, 2)
        u, v, w = part[:, 0, None, None], part[:, 1, None], part[:, 2]
        along_x = value[:, 1] - value[:, 0]
        on_x = value[:, 0] + u * along_x
        along_y = on_x[:, 1] - on_x[:, 0]
        on_y = on_x[:, 0] + v * along_y
        along_z = on_y[:, 1] - on_y[:, 0]
        slope_x = torch.lerp(along_x[:, 0], along_x[:, 1], v)
        slope = torch.stack(
            [torch.lerp(slope_x[:, 0], slope_x[:, 1], w), torch.lerp(along_y[:, 0], along_y[:, 1], w), along_z], dim=-1
        )
        unit = self._unit[which]
        return unit * (on_y[:, 0] + w * along_z), (unit * cells)[:, None] * slope
