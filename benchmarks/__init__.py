"""Figures that the docs quote, each measured by a command: ``python -m benchmarks``."""
