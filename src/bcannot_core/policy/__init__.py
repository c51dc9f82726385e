"""Policies: frame encoder, glance, block-causal transformer, click head, checkpoints."""
