"""Episodes: click tokens, datasets, replay."""
