"""Linear probes: what a policy's [cls] stream knows of phase, position and mistakes."""
