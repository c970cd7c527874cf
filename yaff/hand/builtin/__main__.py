"""Builds the asset and writes it beside this file."""

from yaff.hand.builtin.asset import ASSET, build, write

write(ASSET, build())
