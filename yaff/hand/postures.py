"""Postures worth knowing by name, as angles of anatomical degrees of freedom: for pictures and for tests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np


def _posture(degrees: Mapping[str, int]) -> Mapping[str, float]:
    return MappingProxyType({name: float(np.deg2rad(angle)) for name, angle in degrees.items()})


def _fingers(mcp: int, pip: int, dip: int) -> dict[str, int]:
    return {
        f"{finger}.{joint}.flexion": angle
        for finger in ("index", "middle", "ring", "pinky")
        for joint, angle in (("mcp", mcp), ("pip", pip), ("dip", dip))
    }


def _thumb(abduction: int, flexion: int, rotation: int, mcp: int, ip: int) -> dict[str, int]:
    names = ("cmc.abduction", "cmc.flexion", "cmc.rotation", "mcp.flexion", "ip.flexion")
    return {f"thumb.{name}": angle for name, angle in zip(names, (abduction, flexion, rotation, mcp, ip), strict=True)}


def _opposition(
    finger: str, abduction: int, flexion: tuple[int, int, int], thumb: tuple[int, int, int, int, int]
) -> Mapping[str, float]:
    bent = dict(zip((f"{finger}.{joint}.flexion" for joint in ("mcp", "pip", "dip")), flexion, strict=True))
    return _posture({**bent, f"{finger}.mcp.abduction": abduction, **_thumb(*thumb)})


POSTURES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "flat": _posture({}),
        "relaxed": _posture({**_fingers(20, 29, 14), **_thumb(23, 6, 17, 9, 11)}),
        "fist": _posture(
            {
                **_fingers(78, 86, 55),
                "index.dip.flexion": 63,
                "ring.mcp.flexion": 74,
                "ring.dip.flexion": 43,
                "pinky.mcp.flexion": 74,
                "pinky.mcp.abduction": -7,
                "pinky.pip.flexion": 83,
                "pinky.dip.flexion": 26,
                **_thumb(66, 34, 52, 29, 46),
            }
        ),
        "MCP 90": _posture(_fingers(90, 0, 0)),
        "PIP 90": _posture(_fingers(0, 90, 0)),
        "hook": _posture(_fingers(0, 60, 80)),
        "thumb bent": _posture(_thumb(0, 0, 0, 56, 73)),
        "thumb abducted": _posture(_thumb(57, 0, 29, 0, 0)),
        "thumb adducted": _posture(_thumb(0, 20, 0, 0, 0)),
        "thumb to index": _opposition("index", -19, (75, 31, 10), (41, 32, 48, -3, -6)),
        "thumb to middle": _opposition("middle", -12, (93, 14, -2), (55, 42, 60, 4, -15)),
        "thumb to ring": _opposition("ring", 15, (87, 24, -5), (70, 48, 44, 1, -14)),
        "thumb to little finger": _opposition("pinky", 20, (105, 0, -10), (70, 48, 10, 15, -15)),
        "spread": _posture(
            {
                "index.mcp.abduction": 20,
                "ring.mcp.abduction": 12,
                "pinky.mcp.abduction": 18,
                **_thumb(10, -15, 0, -5, -10),
            }
        ),
        "point": _posture(
            {
                **_fingers(74, 86, 45),
                "index.mcp.flexion": 0,
                "index.pip.flexion": 0,
                "index.dip.flexion": 0,
                "pinky.mcp.flexion": 70,
                "pinky.mcp.abduction": -7,
                **_thumb(55, 30, 45, 25, 40),
            }
        ),
    }
)
"""Name -> degree of freedom -> radians; what is not named is 0. All lie within the limits of :class:`Anatomy`."""
