"""Training: sample streams, the trainer, recipes."""
