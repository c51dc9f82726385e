"""Worlds of the synthetic tasks: drawn from a seed, with their ground truth."""
