"""Evaluation: closed loop, teacher forced, baselines, measurements of speed, reports."""
