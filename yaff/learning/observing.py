"""What a camera sees of the objects in its view, for a batch of instances, compiled.

Points of an object and of its neighbours are put into a coarse depth buffer round the object (z-buffering of points);
those that face the camera and lie nearest are seen. No image is rendered: a few microseconds for an instance.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from yaff.geometry.compiled import compiled, inlined

Array = np.ndarray

GRID = 28
"""Cells of the depth buffer along each side of an object's rectangle in the image."""
SLACK = 0.012
"""Metres by which a point may lie behind the nearest one of its cell and still be seen."""
LEAST_SEEN = 24
"""With fewer visible points than this, an object is taken as if nothing stood before it."""


@inlined
def _mix(state):  # type: ignore[no-untyped-def]
    """One step of splitmix64 (Steele, Lea, Flood 2014): the next state, and 64 well-mixed bits of it."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, z ^ (z >> np.uint64(31))


@compiled
def observe(
    points: Float[Array, "o p 3"],
    normals: Float[Array, "o p 3"],
    slot: Int[Array, "b"],
    T_camera_object: Float[Array, "b 4 4"],
    neighbour_start: Int[Array, "b1"],
    neighbour_slot: Int[Array, "n"],
    T_camera_neighbour: Float[Array, "n 4 4"],
    intrinsics: Float[Array, "b 3 3"],
    image_size: Int[Array, "2"],
    occlusion: bool,
    hidden: Bool[Array, "b p"],
    reach: float,
    seeds: Int[Array, "b"],
    object_out: Float[Array, "b k 6"],
    clutter_out: Float[Array, "b m 6"],
    clutter_count: Int[Array, "b"],
) -> None:
    """Points and normals (camera frame, metres) of each instance and of what stands within ``reach`` of it.

    Writes ``k`` points of the object, in the order of the cloud, and up to ``m`` of its neighbours. Without
    ``occlusion`` the points are of the whole surface. ``hidden`` are points that something else is known to hide.
    """
    count, wanted, most = points.shape[1], object_out.shape[1], clutter_out.shape[1]
    place = np.empty((count, 6), np.float32)
    cell = np.empty(count, np.int64)
    seen = np.empty(count, np.bool_)
    buffer = np.empty(GRID * GRID, np.float32)
    for b in range(len(slot)):
        state = np.uint64(seeds[b])
        which, T = slot[b], T_camera_object[b]
        centre = np.zeros(3)
        low_u, high_u, low_v, high_v = 1e9, -1e9, 1e9, -1e9
        for i in range(count):
            for axis in range(3):
                value, turned = T[axis, 3], 0.0
                for k in range(3):
                    value += T[axis, k] * points[which, i, k]
                    turned += T[axis, k] * normals[which, i, k]
                place[i, axis], place[i, 3 + axis] = value, turned
                centre[axis] += value / count
            depth = max(place[i, 2], 1e-3)
            u, v = place[i, 0] / depth, place[i, 1] / depth
            low_u, high_u, low_v, high_v = min(low_u, u), max(high_u, u), min(low_v, v), max(high_v, v)
        visible = count
        for i in range(count):
            seen[i] = True
        if occlusion:
            scale_u, scale_v = GRID / (high_u - low_u + 1e-6), GRID / (high_v - low_v + 1e-6)
            for k in range(GRID * GRID):
                buffer[k] = 1e9
            for i in range(count):
                depth = max(place[i, 2], 1e-3)
                column = min(int((place[i, 0] / depth - low_u) * scale_u), GRID - 1)
                line = min(int((place[i, 1] / depth - low_v) * scale_v), GRID - 1)
                cell[i] = line * GRID + column
                buffer[cell[i]] = min(buffer[cell[i]], place[i, 2])
            for n in range(neighbour_start[b], neighbour_start[b + 1]):
                N, other = T_camera_neighbour[n], neighbour_slot[n]
                for i in range(count):
                    x = N[0, 3] + N[0, 0] * points[other, i, 0] + N[0, 1] * points[other, i, 1]
                    x += N[0, 2] * points[other, i, 2]
                    y = N[1, 3] + N[1, 0] * points[other, i, 0] + N[1, 1] * points[other, i, 1]
                    y += N[1, 2] * points[other, i, 2]
                    z = N[2, 3] + N[2, 0] * points[other, i, 0] + N[2, 1] * points[other, i, 1]
                    z += N[2, 2] * points[other, i, 2]
                    depth = max(z, 1e-3)
                    column = int(np.floor((x / depth - low_u) * scale_u))
                    line = int(np.floor((y / depth - low_v) * scale_v))
                    # a point of a larger object stands for more than a cell
                    for dl in range(-1, 2):
                        for dc in range(-1, 2):
                            if 0 <= line + dl < GRID and 0 <= column + dc < GRID:
                                at = (line + dl) * GRID + column + dc
                                buffer[at] = min(buffer[at], z)
            visible, facing = 0, 0
            K = intrinsics[b]
            for i in range(count):
                depth = max(place[i, 2], 1e-3)
                towards = place[i, 0] * place[i, 3] + place[i, 1] * place[i, 4] + place[i, 2] * place[i, 5] < 0.0
                px = K[0, 0] * place[i, 0] / depth + K[0, 2]
                py = K[1, 1] * place[i, 1] / depth + K[1, 2]
                inside = -0.5 <= px <= image_size[0] - 0.5 and -0.5 <= py <= image_size[1] - 0.5
                seen[i] = towards and inside and not hidden[b, i] and place[i, 2] <= buffer[cell[i]] + SLACK
                visible += seen[i]
                facing += towards
            if visible < LEAST_SEEN:
                visible = 0
                for i in range(count):
                    towards = place[i, 0] * place[i, 3] + place[i, 1] * place[i, 4] + place[i, 2] * place[i, 5] < 0.0
                    seen[i] = towards or facing < LEAST_SEEN
                    visible += seen[i]
        # selection sampling (Knuth, TAOCP 3.4.2, algorithm S), over as many rounds as it takes
        written = 0
        while written < wanted:
            left, needed = visible, min(visible, wanted - written)
            for i in range(count):
                if seen[i] and needed > 0:
                    state, bits = _mix(state)
                    if (bits >> np.uint64(11)) * (1.0 / 9007199254740992.0) * left < needed:
                        for k in range(6):
                            object_out[b, written, k] = place[i, k]
                        written += 1
                        needed -= 1
                    left -= 1
        # reservoir sampling of what stands near (Vitter 1985, algorithm R)
        met = 0
        for n in range(neighbour_start[b], neighbour_start[b + 1]):
            N, other = T_camera_neighbour[n], neighbour_slot[n]
            for i in range(0, count, 2):
                far = 0.0
                for axis in range(3):
                    value, turned = N[axis, 3], 0.0
                    for k in range(3):
                        value += N[axis, k] * points[other, i, k]
                        turned += N[axis, k] * normals[other, i, k]
                    place[0, axis], place[0, 3 + axis] = value, turned
                    far += (value - centre[axis]) ** 2
                if far <= reach * reach:
                    at = met
                    if met >= most:
                        state, bits = _mix(state)
                        at = np.int64(bits % np.uint64(met + 1))
                    if at < most:
                        for k in range(6):
                            clutter_out[b, at, k] = place[0, k]
                    met += 1
        clutter_count[b] = min(met, most)
