"""The napari plugin of bcannot."""
