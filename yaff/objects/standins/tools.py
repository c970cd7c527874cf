"""Stand-ins of the banana and of tools. Millimetres in the tables, metres in the parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yaff.objects.standins.parts import Part, Section, chain, hull, sweep, union

_MM = 1e-3
Point = tuple[float, float, float]


def _path(rows: Sequence[tuple[float, ...]], z: float = 0.0) -> list[Point]:
    """Points (metres) from rows (x, y) or (x, y, z) in mm."""
    return [(row[0] * _MM, row[1] * _MM, (row[2] if len(row) > 2 else z) * _MM) for row in rows]


def _plate(points: Sequence[tuple[float, float]], low: float, high: float) -> Part:
    """The hull of points (x, y) in mm, between two heights in mm."""
    return hull(np.array([(x * _MM, y * _MM, z * _MM) for x, y in points for z in (low, high)]))


def _pin(x: float, y: float, radius: float, low: float, high: float) -> Part:
    """An upright cylinder; mm."""
    return chain([Section((x * _MM, y * _MM, z * _MM), radius * _MM, radius * _MM) for z in (low, high)])


def banana() -> Part:
    """Banana lying in the xy plane: a bent tube up to 38 mm thick, 172 mm long in y, tapered to both ends."""
    rows = [  # x, y, z of the middle, half-width in the plane, half-width along z
        (-11.5, -101.0, -1.0, 3.5, 3.5), (-12.3, -97.0, -1.2, 8.0, 7.5), (-14.0, -88.0, -1.0, 12.0, 11.5),
        (-15.5, -75.0, -0.5, 14.5, 14.0), (-16.5, -60.0, 0.3, 16.0, 16.0), (-17.0, -40.0, 1.0, 17.2, 17.3),
        (-16.3, -20.0, 1.4, 18.2, 18.0), (-14.0, 0.0, 1.5, 18.6, 18.3), (-8.5, 19.0, 1.5, 18.8, 18.3),
        (0.5, 36.0, 1.0, 18.5, 17.8), (12.0, 50.0, 0.3, 17.5, 16.8), (25.0, 61.0, -1.5, 15.0, 14.5),
        (37.0, 67.5, -5.0, 11.5, 11.0), (46.0, 70.0, -8.5, 8.0, 7.5), (53.0, 70.7, -10.0, 5.8, 5.6),
        (73.0, 71.0, -10.5, 5.6, 5.4),
    ]  # fmt: skip
    path = _path(rows)
    return sweep(path, [(r[3] * _MM, r[4] * _MM) for r in rows], up=(0.0, 0.0, 1.0), power=2.0, join=1.05)


def power_drill() -> Part:
    """Drill lying on its side: barrel along x (185 mm), grip along -y, battery at its foot."""
    along_x = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    barrel = [  # x, middle y, half-width y, middle z, half-width z
        (-101.5, 46.5, 8.0, 1.5, 8.0), (-97.0, 46.5, 14.0, 1.5, 13.5), (-86.0, 46.5, 19.0, 1.5, 18.0),
        (-50.0, 47.0, 21.5, 1.5, 20.0), (-36.0, 48.0, 23.0, 1.5, 21.5), (0.0, 48.5, 21.5, 1.5, 23.5),
        (40.0, 46.0, 22.5, 1.5, 24.0), (68.0, 44.5, 23.5, 1.5, 23.0), (77.0, 46.0, 20.5, 1.5, 21.0),
        (83.0, 48.0, 13.0, 1.5, 14.0),
    ]  # fmt: skip
    body = chain(
        [Section((x * _MM, y * _MM, z * _MM), a * _MM, b * _MM, 3.0, *along_x) for x, y, a, z, b in barrel], join=1.06
    )
    grip_rows = [  # y, x from, x to, half-width z
        (34.0, -30.0, 66.0, 15.0), (20.0, -29.0, 58.0, 15.0), (9.0, -18.0, 46.0, 15.5), (-2.0, -15.5, 44.5, 15.5),
        (-14.0, -14.0, 45.5, 15.5), (-18.0, 3.0, 46.5, 15.5), (-40.0, 7.5, 50.5, 16.0), (-65.0, 12.5, 53.0, 16.5),
        (-80.0, 14.0, 53.0, 17.5),
    ]  # fmt: skip
    along_y = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    grip = chain(
        [
            Section((0.5 * (a + b) * _MM, y * _MM, 1.5 * _MM), 0.5 * (b - a) * _MM, c * _MM, 2.8, *along_y)
            for y, a, b, c in grip_rows
        ],
        join=1.08,
    )
    battery_rows = [(-77.0, -10.0, 52.0, 20.0), (-83.0, -38.0, 54.0, 25.0), (-98.0, -43.0, 59.0, 28.0),
                    (-112.0, -46.0, 58.0, 28.0), (-114.5, -44.0, 54.0, 26.0)]  # fmt: skip
    battery = chain(
        [
            Section((0.5 * (a + b) * _MM, y * _MM, 2.5 * _MM), 0.5 * (b - a) * _MM, c * _MM, 4.0, *along_y)
            for y, a, b, c in battery_rows
        ],
        join=1.10,
    )
    return union([body, grip, battery])


def scissors() -> Part:
    """Closed scissors lying in the xy plane, 198 mm long: two open finger rings, two arms, a blade of 4 mm."""

    def ring(centre: tuple[float, float], half: tuple[float, float], turn: float, width: float) -> Part:
        angle = 2.0 * np.pi * np.arange(24) / 24
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        u, v = half[0] * np.cos(angle), half[1] * np.sin(angle)
        rows = [(float(x), float(y)) for x, y in zip(centre[0] + c * u - s * v, centre[1] + s * u + c * v, strict=True)]
        return sweep(_path(rows), (width * _MM, 7.0 * _MM), up=(0.0, 0.0, 1.0), closed=True, join=1.12)

    left = ring((-34.0, -27.0), (16.5, 21.0), -25.0, 5.0)
    right = ring((12.5, -37.0), (13.0, 32.5), -8.0, 4.6)
    left_arm = sweep(
        _path([(-26.0, -4.0), (-12.0, 6.0), (2.0, 15.0), (12.0, 28.0), (15.0, 44.0)]),
        [(8.0 * _MM, 7.0 * _MM), (9.0 * _MM, 7.0 * _MM), (11.0 * _MM, 7.0 * _MM), (10.0 * _MM, 7.0 * _MM),
         (8.5 * _MM, 5.5 * _MM)],
        up=(0.0, 0.0, 1.0),
    )  # fmt: skip
    right_arm = sweep(
        _path([(7.0, -8.0), (10.0, 6.0), (12.0, 20.0), (14.0, 40.0)]),
        [(8.0 * _MM, 7.0 * _MM), (8.5 * _MM, 7.0 * _MM), (9.0 * _MM, 7.0 * _MM), (8.0 * _MM, 6.0 * _MM)],
        up=(0.0, 0.0, 1.0),
    )
    blade = _plate([(5.0, 40.0), (22.5, 40.0), (33.0, 80.0), (41.0, 127.0), (38.5, 129.0), (36.0, 124.0)], -2.0, 2.0)
    return union([left, right, left_arm, right_arm, blade])


def large_marker() -> Part:
    """Marker along y, 121 mm long and up to 19 mm thick, with a stub at one end."""
    rows = [  # y, middle x, radius
        (-58.0, 1.1, 9.3), (-50.0, 1.0, 9.3), (-30.0, 0.45, 9.05), (0.0, -0.1, 8.75), (20.0, -0.65, 8.4),
        (31.0, -0.7, 8.3), (33.5, -0.7, 7.7), (36.0, -0.8, 7.75), (40.0, -0.8, 8.2), (50.0, -1.2, 8.9),
        (57.0, -1.2, 9.25),
    ]  # fmt: skip
    plane = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    barrel = chain([Section((x * _MM, y * _MM, -0.5e-3), r * _MM, r * _MM, 2.0, *plane) for y, x, r in rows])
    stub = chain([Section((-1.3e-3, y * _MM, -0.5e-3), 4.6e-3, 4.6e-3, 2.0, *plane) for y in (57.0, 62.7)])
    return barrel + stub


def large_clamp() -> Part:
    """Spring clamp lying in the xy plane, jaws closed: two arms 22 to 23 mm wide, webs between them and a hinge pin."""
    left = sweep(
        _path([(-64.0, 66.0, 8.5), (-56.0, 48.0, 7.0), (-42.0, 27.0, 4.5), (-30.0, 10.0, 2.0), (-28.0, -8.0, 0.5),
               (-30.0, -27.0, -1.0), (-24.0, -46.0, -3.0), (-10.0, -62.0, -4.5), (2.0, -67.0, -5.0)]),
        [(6.0 * _MM, 11.0 * _MM)] * 9, up=(0.0, 0.0, 1.0), power=4.0,
    )  # fmt: skip
    right = sweep(
        _path([(43.0, 83.0, -1.0), (45.0, 70.0, -1.0), (37.0, 50.0, -1.0), (26.0, 27.0, -1.0), (24.0, 8.0, -1.5),
               (31.0, -10.0, -2.0), (36.0, -28.0, -3.0), (30.0, -50.0, -4.0), (20.0, -66.0, -5.0),
               (10.0, -76.0, -5.0)]),
        [(6.0 * _MM, 11.5 * _MM)] * 10, up=(0.0, 0.0, 1.0), power=4.0,
    )  # fmt: skip
    webs = [
        _plate([(-30.0, 12.0), (-26.0, -8.0), (-4.0, -9.0), (-4.0, 6.0)], low, high)
        for low, high in ((9.0, 13.0), (-13.0, -9.0))
    ]
    webs += [
        _plate([(26.0, 14.0), (30.0, -8.0), (2.0, -9.0), (2.0, 6.0)], low, high)
        for low, high in ((7.0, 12.0), (-14.0, -9.0))
    ]
    return union([left, right, *webs, _pin(0.0, -2.0, 7.5, -18.0, 18.0)])


def extra_large_clamp() -> Part:
    """Spring clamp lying in the xy plane, closed: two arms 23 mm wide that meet in one jaw, webs and a hinge pin."""
    upper = sweep(
        _path([(84.0, 87.0), (74.0, 87.5), (58.0, 72.0), (37.0, 51.0), (17.0, 34.0), (0.0, 31.5), (-18.0, 36.0),
               (-36.0, 38.5), (-55.0, 28.0), (-72.0, 13.0), (-88.0, -1.0)]),
        [(5.0 * _MM, 11.5 * _MM)] * 11, up=(0.0, 0.0, 1.0), power=4.0,
    )  # fmt: skip
    lower = sweep(
        _path([(103.0, -63.0), (93.0, -67.5), (72.0, -59.0), (42.0, -43.5), (15.0, -30.0), (-5.0, -29.5),
               (-18.0, -39.0),
               (-34.0, -45.5), (-55.0, -38.0), (-74.0, -26.0), (-90.0, -15.0)]),
        [(5.0 * _MM, 11.5 * _MM)] * 11, up=(0.0, 0.0, 1.0), power=4.0,
    )  # fmt: skip
    jaw = _pin(-95.0, -9.5, 8.5, -11.5, 11.5)
    webs = [
        _plate([(-20.0, y), (16.0, y), (7.0, 4.0), (-9.0, 4.0)], low, high)
        for y in (34.0, -32.0)
        for low, high in ((9.0, 13.0), (-13.0, -9.0))
    ]
    return union([upper, lower, jaw, *webs, _pin(-1.0, 1.0, 7.5, -18.0, 18.0)])
