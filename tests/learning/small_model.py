"""A network of which a training step takes milliseconds."""

from __future__ import annotations

from yaff.learning.config import ModelConfig

SMALL = ModelConfig(width=32, whole=32, centres=12, neighbours=8, layers=1, flow_width=32, flow_layers=2)
