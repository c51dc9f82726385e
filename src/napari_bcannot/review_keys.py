"""The review's keys. None of them is taken by napari's points and vectors layers."""

from napari_bcannot.shortcuts import Shortcut

REVIEW_SHORTCUTS = (
    Shortcut("accept", "Y", "Y", "Accept", "Say that the node is right, and go on"),
    Shortcut("correct", "R", "R", "Correct", "Click where the node belongs"),
    Shortcut("split", "H", "H", "Split here", "From the section in view on it is another neurite"),
    Shortcut("skip", "N", "N", "Next", "Leave the place undecided and go to the next one"),
    Shortcut("back", "Shift-N", "Shift+N", "Back", "Go back to the place before"),
)
"""Of the review widget, while a place is looked at."""
