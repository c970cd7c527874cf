"""Training and judging the model: configuration, data, checkpoints, the loop, the tables and pictures of a run."""
