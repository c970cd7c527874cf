"""Data in the formats of others, read into ours: one module for each format."""
