"""What the *Review* widget looks like: a list of places and buttons, no behaviour."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_bcannot.review_keys import REVIEW_SHORTCUTS
from napari_bcannot.widgets.parts import button, fine_print, row, show_progress, text, widen

if TYPE_CHECKING:
    from napari_bcannot.review_shown import Entry, ReviewSnapshot

MOST_ROWS = 500
"""So many places are listed at most: the worst ones."""
LEAST_DOUBT = 10
_COLUMNS = ("Doubt", "Neurite", "Sections", "What speaks against it")
_KEYS = {shortcut.command: shortcut for shortcut in REVIEW_SHORTCUTS}


class ReviewView(QWidget):
    """Fields and buttons of a review; `show_snapshot` brings them up to date."""

    def __init__(self) -> None:
        super().__init__()
        self.look = button("Look", "Look at every trace again with the policy of Trace neuron")
        self.cancel = button("Cancel", "Stop looking; what was found stays", small=True)
        self.least = QSpinBox()
        self.least.setRange(0, 99)
        self.least.setValue(LEAST_DOUBT)
        self.least.setSuffix(" %")
        self.least.setToolTip("List the places that are doubted at least so much")
        widen(self.least, small=True)
        self.progress = QProgressBar()
        self.status = text()
        self.places = _tree()
        self.comment = QLineEdit()
        self.comment.setPlaceholderText("Why (optional, kept with the decision)")
        self.comment.setToolTip("Kept with the next decision in the session's record")
        self.accept, self.correct, self.split, self.skip, self.back = (
            _key_button(name) for name in ("accept", "correct", "split", "skip", "back")
        )
        self.found = fine_print()
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addWidget(row(self.look, self.cancel))
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(row(self.accept, self.correct, self.split))
        layout.addWidget(row(self.back, self.skip))
        layout.addWidget(self.comment)
        layout.addWidget(row(text("Places doubted at least"), self.least))
        layout.addWidget(self.places, 1)
        layout.addWidget(self.found)

    def show_snapshot(self, shown: "ReviewSnapshot", *, here: bool) -> None:
        """Show a review; ``here`` says whether a place is at hand."""
        done, total = shown.progress
        self.progress.setVisible(shown.looking)
        show_progress(self.progress, done, total)
        self.cancel.setVisible(shown.looking)
        self.look.setEnabled(not shown.looking and shown.stale > 0)
        self.look.setText(_look_text(shown))
        self.status.setText(shown.text)
        for one in (self.accept, self.correct, self.split, self.comment):
            one.setEnabled(here)
        self.skip.setEnabled(bool(shown.entries))
        self.back.setEnabled(shown.can_go_back)
        self._show_places(shown)
        more = len(shown.entries) - MOST_ROWS
        left = f"the worst {MOST_ROWS} of {len(shown.entries)}" if more > 0 else ""
        said = f"{shown.verdicts} decided" if shown.verdicts else ""
        self.found.setText(" · ".join(part for part in (left, said) if part))

    def _show_places(self, shown: "ReviewSnapshot") -> None:
        entries = shown.entries[:MOST_ROWS]
        tree = self.places
        tree.blockSignals(True)
        while tree.topLevelItemCount() > len(entries):
            tree.takeTopLevelItem(tree.topLevelItemCount() - 1)
        for i, entry in enumerate(entries):
            item = tree.topLevelItem(i)
            if item is None:
                item = QTreeWidgetItem(tree)
            _fill(item, entry)
        if 0 <= shown.at < len(entries):
            tree.setCurrentItem(tree.topLevelItem(shown.at))
        else:
            tree.setCurrentItem(None)
        tree.blockSignals(False)


def _tree() -> QTreeWidget:
    tree = QTreeWidget()
    tree.setHeaderLabels(list(_COLUMNS))
    tree.setRootIsDecorated(False)
    tree.setUniformRowHeights(True)
    tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    tree.setMinimumHeight(140)
    tree.setToolTip("Worst first; double-click one to look at it")
    header = tree.header()
    assert header is not None
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setStretchLastSection(True)
    return tree


def _fill(item: QTreeWidgetItem, entry: "Entry") -> None:
    span = f"{entry.z_from}" if entry.z_from == entry.z_to else f"{entry.z_from} – {entry.z_to}"
    words = (f"{entry.doubt:.0%}", entry.name, span, entry.why)
    for column, word in enumerate(words):
        if item.text(column) != word:
            item.setText(column, word)
    item.setTextAlignment(0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    item.setIcon(1, _swatch(entry.colour))
    item.setData(0, Qt.ItemDataRole.UserRole, (entry.number, entry.section))


def _swatch(colour: str) -> QIcon:
    made = QPixmap(10, 10)
    made.fill(QColor(colour))
    return QIcon(made)


def _key_button(name: str) -> QPushButton:
    shortcut = _KEYS[name]
    return button(f"{shortcut.does} ({shortcut.label})", f"{shortcut.tells} [{shortcut.label}]")


def _look_text(shown: "ReviewSnapshot") -> str:
    if not shown.stale:
        return "Look"
    traces = "1 trace" if shown.stale == 1 else f"{shown.stale} traces"
    return f"Look at {traces}"
