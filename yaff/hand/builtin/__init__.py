"""The built-in right hand: our own mesh, weights and joints behind MANO's interface, built from tables.

``load()`` reads the committed asset; ``build()`` makes the same arrays from scratch (some 5 seconds);
``python -m yaff.hand.builtin`` writes the asset anew.
"""

from __future__ import annotations

from yaff.hand.builtin.asset import ASSET, build, digest, load, write

__all__ = ["ASSET", "build", "digest", "load", "write"]
