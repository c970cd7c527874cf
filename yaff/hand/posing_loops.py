"""Compiled loops that pose hands and take derivatives on a processor.

The mathematics are those of :mod:`yaff.hand.torch_skinning`. Bones are in level order, where the parent of bone k is
bone k - 5 or the wrist; ``table`` holds the rotation matrices of the joints in MANO's order, nine numbers each. What is
done once for each hand is summed in float64 whatever the arrays are; what is done for each vertex is not.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yaff.geometry.compiled import compiled, inlined

Array = np.ndarray


@inlined
def half_angle(x: float, y: float, z: float) -> tuple[float, float, float]:
    """The angle t of a vector, cos(t / 2), and sin(t / 2) / t."""
    square = x * x + y * y + z * z
    angle = np.sqrt(square)
    if angle < 1e-4:
        return angle, 1.0 - square / 8.0, 0.5 - square / 48.0
    return angle, np.cos(0.5 * angle), np.sin(0.5 * angle) / angle


@compiled
def turn(vectors: Float[Array, "n 48"], table: Float[Array, "n k"]) -> None:
    """Rotation matrices of 16 axis-angle vectors (radians) into the first 144 columns of ``table``."""
    for i in range(len(vectors)):
        for j in range(16):
            x, y, z = (
                np.float64(vectors[i, 3 * j]),
                np.float64(vectors[i, 3 * j + 1]),
                np.float64(vectors[i, 3 * j + 2]),
            )
            _, w, scale = half_angle(x, y, z)
            x, y, z = scale * x, scale * y, scale * z
            real = w * w - x * x - y * y - z * z
            table[i, 9 * j] = real + 2.0 * x * x
            table[i, 9 * j + 1] = 2.0 * (x * y - w * z)
            table[i, 9 * j + 2] = 2.0 * (x * z + w * y)
            table[i, 9 * j + 3] = 2.0 * (x * y + w * z)
            table[i, 9 * j + 4] = real + 2.0 * y * y
            table[i, 9 * j + 5] = 2.0 * (y * z - w * x)
            table[i, 9 * j + 6] = 2.0 * (x * z - w * y)
            table[i, 9 * j + 7] = 2.0 * (y * z + w * x)
            table[i, 9 * j + 8] = real + 2.0 * z * z


@compiled
def turn_backward(
    vectors: Float[Array, "n 48"], on_table: Float[Array, "n k"], on_vectors: Float[Array, "n 48"]
) -> None:
    """The gradient on axis-angle vectors from that on their matrices, through quaternions ``(w, u)``."""
    for i in range(len(vectors)):
        for j in range(16):
            x, y, z = (
                np.float64(vectors[i, 3 * j]),
                np.float64(vectors[i, 3 * j + 1]),
                np.float64(vectors[i, 3 * j + 2]),
            )
            angle, w, scale = half_angle(x, y, z)
            square = angle * angle
            # d(scale)/dt / t, by its series near zero, where the difference cancels
            if square < 0.01:
                slope = square * (1 / 960 - square * (1 / 107520 - square / 23224320)) - 1 / 24
            else:
                slope = (0.5 * w - scale) / square
            a, b, c = scale * x, scale * y, scale * z
            g = on_table[i, 9 * j : 9 * j + 9]
            g00, g01, g02 = np.float64(g[0]), np.float64(g[1]), np.float64(g[2])
            g10, g11, g12 = np.float64(g[3]), np.float64(g[4]), np.float64(g[5])
            g20, g21, g22 = np.float64(g[6]), np.float64(g[7]), np.float64(g[8])
            trace = g00 + g11 + g22
            p, q, r = g21 - g12, g02 - g20, g10 - g01
            on_w = 2.0 * (w * trace + a * p + b * q + c * r)
            on_a = 2.0 * ((2.0 * g00 - trace) * a + (g01 + g10) * b + (g02 + g20) * c + w * p)
            on_b = 2.0 * ((g01 + g10) * a + (2.0 * g11 - trace) * b + (g12 + g21) * c + w * q)
            on_c = 2.0 * ((g02 + g20) * a + (g12 + g21) * b + (2.0 * g22 - trace) * c + w * r)
            along = slope * (x * on_a + y * on_b + z * on_c) - 0.5 * scale * on_w
            on_vectors[i, 3 * j] = scale * on_a + along * x
            on_vectors[i, 3 * j + 1] = scale * on_b + along * y
            on_vectors[i, 3 * j + 2] = scale * on_c + along * z


@compiled
def place_bones(
    table: Float[Array, "n k"],
    skeleton: Float[Array, "m 31 3"],
    translation: Float[Array, "n 3"],
    bones: Float[Array, "n 16 3 4"],
    transforms: Float[Array, "n 12 16"],
    joints: Float[Array, "n 16 3"],
) -> None:
    """``bones`` ``[A | o]``, ``transforms`` ``[A | o - A J]`` (bones last) and joints (MANO's order)."""
    pose = np.empty((16, 3, 4))
    for i in range(len(table)):
        rest = skeleton[i if len(skeleton) > 1 else 0]
        for k in range(16):
            place = 0 if k == 0 else 1 + 3 * ((k - 1) % 5) + (k - 1) // 5
            parent = pose[0 if k < 6 else k - 5]
            for r in range(3):
                if k == 0:
                    for c in range(3):
                        pose[0, r, c] = table[i, 3 * r + c]
                    pose[0, r, 3] = rest[0, r] + translation[i, r]
                else:
                    for c in range(3):
                        total = 0.0
                        for q in range(3):
                            total += parent[r, q] * table[i, 9 * place + 3 * q + c]
                        pose[k, r, c] = total
                    total = parent[r, 3]
                    for q in range(3):
                        total += parent[r, q] * rest[15 + k, q]
                    pose[k, r, 3] = total
                shifted = pose[k, r, 3]
                for c in range(3):
                    shifted -= pose[k, r, c] * rest[k, c]
                    transforms[i, 4 * r + c, k] = pose[k, r, c]
                    bones[i, k, r, c] = pose[k, r, c]
                transforms[i, 4 * r + 3, k] = shifted
                bones[i, k, r, 3] = pose[k, r, 3]
                joints[i, place, r] = pose[k, r, 3]


@compiled
def place_bones_backward(
    table: Float[Array, "n k"],
    skeleton: Float[Array, "m 31 3"],
    bones: Float[Array, "n 16 3 4"],
    on_transforms: Float[Array, "n 12 16"],
    on_joints: Float[Array, "n 16 3"],
    on_table: Float[Array, "n k"],
    on_translation: Float[Array, "n 3"],
    on_skeleton: Float[Array, "n 31 3"],
) -> None:
    """Adds the gradient on the rotation matrices to ``on_table``; writes those on translation and skeleton."""
    on = np.empty((16, 3, 4))
    for i in range(len(table)):
        rest = skeleton[i if len(skeleton) > 1 else 0]
        for k in range(16):
            place = 0 if k == 0 else 1 + 3 * ((k - 1) % 5) + (k - 1) // 5
            for c in range(3):
                on_skeleton[i, k, c] = 0.0
            for r in range(3):
                shifted = np.float64(on_transforms[i, 4 * r + 3, k])
                for c in range(3):
                    on[k, r, c] = on_transforms[i, 4 * r + c, k] - shifted * rest[k, c]
                    on_skeleton[i, k, c] -= bones[i, k, r, c] * shifted
                on[k, r, 3] = shifted + on_joints[i, place, r]
        for k in range(15, 0, -1):
            place = 1 + 3 * ((k - 1) % 5) + (k - 1) // 5
            above = 0 if k < 6 else k - 5
            for q in range(3):
                total = 0.0
                for r in range(3):
                    total += bones[i, above, r, q] * on[k, r, 3]
                on_skeleton[i, 15 + k, q] = total
                for c in range(3):
                    total = 0.0
                    for r in range(3):
                        total += bones[i, above, r, q] * on[k, r, c]
                    on_table[i, 9 * place + 3 * q + c] += total
            for r in range(3):
                for q in range(3):
                    total = on[k, r, 3] * rest[15 + k, q]
                    for c in range(3):
                        total += on[k, r, c] * table[i, 9 * place + 3 * q + c]
                    on[above, r, q] += total
                on[above, r, 3] += on[k, r, 3]
        for r in range(3):
            for c in range(3):
                on_table[i, 3 * r + c] += on[0, r, c]
            on_translation[i, r] = on[0, r, 3]
            on_skeleton[i, 0, r] += on[0, r, 3]


@compiled
def move_skin(blended: Float[Array, "n 3 4 v"], rest: Float[Array, "n 3 v"], vertices: Float[Array, "n 3 v"]) -> None:
    """``vertices = M (rest, 1)``."""
    for i in range(len(rest)):
        x, y, z = rest[i, 0], rest[i, 1], rest[i, 2]
        for r in range(3):
            a, b, c, d, out = blended[i, r, 0], blended[i, r, 1], blended[i, r, 2], blended[i, r, 3], vertices[i, r]
            for k in range(len(x)):
                out[k] = a[k] * x[k] + b[k] * y[k] + c[k] * z[k] + d[k]


@compiled
def move_skin_backward(
    blended: Float[Array, "n 3 4 v"],
    rest: Float[Array, "n 3 v"],
    pull: Float[Array, "n 3 v"],
    on_blended: Float[Array, "n 3 4 v"],
    on_rest: Float[Array, "n 3 v"],
) -> None:
    """Gradients on the blended matrices and on the rest vertices, from that on the vertices."""
    for i in range(len(rest)):
        f, g, h = pull[i, 0], pull[i, 1], pull[i, 2]
        for c in range(3):
            a, b, d, x, out = blended[i, 0, c], blended[i, 1, c], blended[i, 2, c], rest[i, c], on_rest[i, c]
            for k in range(len(x)):
                out[k] = a[k] * f[k] + b[k] * g[k] + d[k] * h[k]
            for r in range(3):
                here, out = pull[i, r], on_blended[i, r, c]
                for k in range(len(x)):
                    out[k] = here[k] * x[k]
        for r in range(3):
            on_blended[i, r, 3] = pull[i, r]
