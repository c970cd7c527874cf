"""Stand-ins of boxes, cans, bottles and vessels. Millimetres in the tables, metres in the parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yaff.objects.standins.parts import Part, Section, box, chain, hull, placed, stacked, sweep, turn_z, union, vessel

_MM = 1e-3


def _levels(rows: Sequence[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    return [(z * _MM, a * _MM, b * _MM) for z, a, b in rows]


def _round(rows: Sequence[tuple[float, float]], centre: tuple[float, float]) -> Part:
    """A body of revolution from rows (height, radius) in mm about a vertical axis at ``centre`` in mm."""
    return stacked(_levels([(z, r, r) for z, r in rows]), centre=(centre[0] * _MM, centre[1] * _MM))


def _carton(size: tuple[float, float, float], centre: tuple[float, float, float], turn: float) -> Part:
    """A box of a size (mm) at a centre (mm), turned about z by so many degrees."""
    upright = box((size[0] * _MM, size[1] * _MM, size[2] * _MM), (0.0, 0.0, 0.0))
    return placed(upright, turn_z(np.radians(turn)), np.array(centre) * _MM)


def master_chef_can() -> Part:
    """Coffee can: upright, 102 mm across and 139 mm tall, closed, a rim at both ends."""
    return _round([(-73.0, 51.0), (-69.0, 51.0), (-68.5, 49.8), (62.0, 49.8), (62.5, 51.0), (66.0, 51.0)], (-1.4, 0.5))


def cracker_box() -> Part:
    """Carton, 67 x 161 x 211 mm, standing."""
    return _carton((67.0, 161.0, 211.0), (-2.2, -1.9, -4.8), 0.0)


def sugar_box() -> Part:
    """Carton, 43 x 91 x 175.5 mm, standing, turned a little about z."""
    return _carton((43.0, 91.0, 175.5), (0.6, -1.7, -4.6), -2.2)


def tomato_soup_can() -> Part:
    """Upright can, 67 mm across and 100.5 mm tall, closed, a rim at both ends."""
    rows = [(-59.0, 31.5), (-57.5, 33.3), (-55.5, 33.3), (-54.5, 32.7), (37.0, 32.7), (38.5, 33.5), (41.5, 33.5)]
    return _round(rows, (-0.4, 1.7))


def mustard_bottle() -> Part:
    """Squeeze bottle, 191 mm tall: an oval body with a waist (96 x 56 mm at its widest), shoulder, cap and spout."""
    body = [
        (-83.5, 38.0, 23.0), (-80.0, 45.0, 27.5), (-60.0, 47.8, 27.8), (-40.0, 45.4, 25.6), (-20.0, 40.3, 25.0),
        (0.0, 41.6, 25.0), (10.0, 45.3, 25.1), (20.0, 47.7, 25.1), (30.0, 47.7, 25.2), (40.0, 46.2, 25.4),
        (50.0, 41.6, 26.0),
    ]  # fmt: skip
    shoulder = [(50.0, 41.6, 26.0), (60.0, 33.3, 27.0), (70.0, 23.3, 23.3), (75.0, 19.7, 19.8)]
    cap = [(75.0, 20.2), (86.0, 20.3), (88.0, 17.5)]
    spout = [(88.0, 12.5), (92.0, 11.8), (100.0, 10.3), (107.5, 8.8)]
    parts = [stacked(_levels(body), power=2.7), stacked(_levels(shoulder), power=2.4)]
    parts += [_round(cap, (0.0, 0.0)), _round(spout, (0.0, 0.0))]
    return placed(union(parts), turn_z(np.radians(-23.5)), np.array([-1.0, -2.0, 0.0]) * _MM)


def tuna_fish_can() -> Part:
    """Flat upright can, 85 mm across and 33 mm tall, closed."""
    return _round([(-20.8, 39.0), (-19.0, 41.5), (-17.0, 42.3), (10.5, 42.3), (11.0, 42.6), (12.6, 42.6)], (0.0, -0.2))


def pudding_box() -> Part:
    """Carton lying on its largest side, 111 x 88.5 x 36.5 mm, turned 27.6 degrees about z."""
    return _carton((111.0, 88.5, 36.5), (-1.0, 3.6, -3.6), 27.6)


def gelatin_box() -> Part:
    """Carton lying on its largest side, 88 x 72 x 29 mm, turned 103.3 degrees about z."""
    return _carton((88.0, 72.0, 29.0), (-1.3, 0.5, -4.0), 103.3)


def potted_meat_can() -> Part:
    """Closed can of nearly rectangular section, 101 x 57 mm at the rim of its lid and 82.5 mm tall."""
    can = [(-49.5, 46.5, 24.5), (-47.5, 47.9, 25.6), (24.0, 47.9, 25.6), (29.0, 49.5, 27.3)]
    rim = [(29.0, 50.6, 28.6), (33.0, 50.6, 28.6)]
    parts = [stacked(_levels(can), power=4.2, piece_sides=20), stacked(_levels(rim), power=4.2, piece_sides=20)]
    return placed(union(parts), turn_z(np.radians(3.3)), np.array([-2.3, -0.5, 0.0]) * _MM)


def _profile(rows: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(r * _MM, z * _MM) for r, z in rows]


def pitcher_base() -> Part:
    """Open at the top, as the base is without its lid."""
    outer = _profile([(48.0, -146.5), (53.5, -138.0), (57.5, -60.0), (63.0, 50.0), (66.0, 87.0)])
    inner = _profile([(46.0, -142.5), (50.5, -136.0), (54.5, -60.0), (60.0, 50.0), (63.0, 87.0)])
    body = vessel(outer, inner)
    handle = sweep(
        [
            (x * _MM, 0.0, z * _MM)
            for x, z in [
                (64.0, 79.0), (76.0, 81.0), (89.0, 75.0), (96.0, 62.0), (98.5, 40.0), (98.5, 10.0), (95.0, -15.0),
                (87.0, -35.0), (74.0, -52.0), (58.0, -64.0),
            ]
        ],
        (6.5 * _MM, 12.0 * _MM),
        up=(0.0, 1.0, 0.0),
        power=4.0,
    )  # fmt: skip
    spout = hull(
        np.array(
            [(-61.5, -18, 50), (-61.5, 18, 50), (-64, -22, 86), (-64, 22, 86), (-78, -9, 68), (-78, 9, 68),
             (-76, -12, 86), (-76, 12, 86)]
        ) * _MM
    )  # fmt: skip
    whole = union([body, handle, spout])
    return placed(whole, turn_z(np.radians(45.0)), np.array([-13.5, -13.6, 0.0]) * _MM)


def bleach_cleanser() -> Part:
    """Bottle, 250.5 mm tall, wide at the foot, drawn in at the neck, with a round cap; closed."""
    rows = [  # height, x from, x to, half-width y
        (-111.5, -52.0, 38.5, 29.0), (-107.0, -55.8, 41.8, 33.0), (-100.0, -56.2, 42.4, 33.7),
        (-91.0, -51.5, 43.1, 32.6), (-60.0, -50.5, 44.7, 31.2), (-20.0, -47.8, 45.9, 28.9), (0.0, -45.7, 46.2, 27.7),
        (20.0, -42.8, 46.1, 26.4), (40.0, -39.0, 45.3, 25.0), (60.0, -31.4, 43.8, 25.0), (70.0, -27.7, 42.8, 27.1),
        (80.0, -25.7, 45.3, 26.5), (90.0, -27.7, 42.3, 25.7), (100.0, -31.2, 38.6, 25.0), (105.0, -26.5, 36.5, 24.7),
        (110.0, -19.6, 33.7, 21.7), (115.0, -13.5, 22.4, 17.4), (119.0, -11.0, 19.0, 15.0),
    ]  # fmt: skip
    body = [
        Section((0.5 * (a + b) * _MM, 2.3 * _MM, z * _MM), 0.5 * (b - a) * _MM, c * _MM, 2.7) for z, a, b, c in rows
    ]
    return chain(body) + _round([(118.0, 15.2), (136.0, 15.0), (139.0, 13.5)], (4.0, 2.3))


def bowl() -> Part:
    """Open bowl, 161 mm across and 55 mm tall, with a wall of about 2 mm and a lip."""
    outer = _profile(
        [(44.0, -24.3), (57.0, -11.0), (66.5, 2.5), (72.0, 14.0), (74.5, 25.0), (80.5, 28.3), (77.0, 30.8)]
    )
    inner = _profile([(43.0, -22.6), (55.5, -9.6), (64.9, 3.6), (70.2, 14.6), (72.6, 25.6), (74.3, 29.2), (76.5, 31.0)])
    return placed(vessel(outer, inner, sectors=20, wall_join=1.5), np.eye(3), np.array([0.2, -1.1, 0.0]) * _MM)


def mug() -> Part:
    """Open mug, 81 mm tall with a wall of about 2.4 mm, wider at the lip, and a handle towards +x that fingers pass."""
    outer = _profile([(35.0, -38.8), (39.5, -35.5), (40.8, -30.0), (40.9, 36.0), (46.3, 40.6)])
    inner = _profile([(34.0, -36.3), (36.5, -34.0), (38.4, -29.5), (38.6, 36.0), (44.8, 42.2)])
    body = vessel(outer, inner)
    handle = sweep(
        [
            (x * _MM, 0.0, z * _MM)
            for x, z in [
                (40.0, 28.5), (52.0, 28.0), (60.5, 24.0), (66.0, 14.5), (67.0, 2.0), (64.5, -9.0), (58.0, -18.0),
                (49.0, -23.5), (40.0, -25.5),
            ]
        ],
        (2.9 * _MM, 6.0 * _MM),
        up=(0.0, 1.0, 0.0),
        power=2.6,
    )  # fmt: skip
    handle = placed(handle, np.eye(3), np.array([0.0, -3.0, 0.0]) * _MM)
    return placed(body + handle, np.eye(3), np.array([-3.7, 0.8, 0.0]) * _MM)


def wood_block() -> Part:
    """Block, 88 x 88 x 205 mm, standing, turned 12.3 degrees about z."""
    return _carton((88.0, 88.0, 205.0), (-1.8, 2.1, -17.4), -12.3)


def foam_brick() -> Part:
    """Block, 51 x 77 x 50.6 mm."""
    return _carton((51.0, 77.0, 50.6), (0.0, -0.2, 8.3), -0.7)
