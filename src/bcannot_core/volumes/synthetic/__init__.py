"""The parts of the synthetic electron microscope.

`bcannot_core.volumes.synthetic_em` is its face.
"""
