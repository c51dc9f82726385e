"""The neurites of a sitting as a table: their colours, names, nodes and status."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor, QFont
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_bcannot.neurites import Neurite, NeuriteList

COLUMNS = ("Neurite", "Nodes", "Status")
NAME, NODES, STATUS = range(3)
_ROLE = Qt.ItemDataRole
_DISPLAY = _ROLE.DisplayRole


class NeuriteTable(QAbstractTableModel):
    """A table that follows a list of neurites.

    Parameters
    ----------
    neurites : NeuriteList
        What is listed.
    rename : callable
        Gets a neurite and the name that was typed.
    """

    def __init__(self, neurites: "NeuriteList", rename: "Callable[[Neurite, str], None]") -> None:
        super().__init__()
        self._neurites = neurites
        self._rename = rename
        self._rows: list[Neurite] = list(neurites)
        self._signals = (neurites.added, neurites.removed, neurites.changed, neurites.activated)
        for signal, slot in zip(self._signals, self._slots, strict=True):
            signal.connect(slot)

    @property
    def _slots(self) -> tuple[Any, ...]:
        return self._anew, self._anew, self._changed, self._activated

    def close(self) -> None:
        """Follow the list no longer."""
        for signal, slot in zip(self._signals, self._slots, strict=True):
            signal.disconnect(slot)

    def neurite(self, row: int) -> "Neurite | None":
        """Return the neurite of a row."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def row(self, neurite: "Neurite | None") -> int:
        """Return the row of a neurite, -1 for none."""
        return next((i for i, one in enumerate(self._rows) if one is neurite), -1)

    def refresh(self) -> None:
        """Show the active neurite's nodes as they are now."""
        self._changed(self._neurites.active)

    # ------------------------------------------------------------------------- Qt's model
    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many neurites there are."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = int(_DISPLAY)) -> Any:
        """Return a column's title."""
        wanted = orientation == Qt.Orientation.Horizontal and role == _DISPLAY
        return COLUMNS[section] if wanted else None

    def flags(self, index: QModelIndex) -> Any:
        """Let names be edited."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == NAME else flags

    def data(self, index: QModelIndex, role: int = int(_DISPLAY)) -> Any:
        """Return what a cell shows."""
        one = self.neurite(index.row())
        if one is None:
            return None
        column = index.column()
        if role in (_DISPLAY, _ROLE.EditRole):
            return (one.name, one.trace.count, str(one.status))[column]
        if role == _ROLE.DecorationRole and column == NAME:
            return QColor(one.colour)
        if role == _ROLE.FontRole and one is self._neurites.active:
            font = QFont()
            font.setBold(True)
            return font
        if role == _ROLE.ToolTipRole:
            return _tip(one)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = int(_ROLE.EditRole)) -> bool:
        """Take the name that was typed."""
        one = self.neurite(index.row())
        if one is None or role != _ROLE.EditRole:
            return False
        self._rename(one, str(value))
        return True

    # --------------------------------------------------------------------------- internal
    def _anew(self, _: Any = None) -> None:
        self.beginResetModel()
        self._rows = list(self._neurites)
        self.endResetModel()

    def _changed(self, neurite: Any, _: str = "") -> None:
        row = self.row(neurite)
        if row >= 0:
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))

    def _activated(self, _: Any) -> None:
        if self._rows:
            last = self.index(len(self._rows) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)


class CompactTable(QTableView):
    """A table that asks for a few rows, and takes more where there is room."""

    def sizeHint(self) -> QSize:
        """Return room for a few rows."""
        return QSize(200, 118)

    def minimumSizeHint(self) -> QSize:
        """Return room for two rows."""
        return QSize(120, 78)


def neurite_view(model: NeuriteTable) -> QTableView:
    """Return a compact view of the table."""
    view = CompactTable()
    view.setModel(model)
    view.setToolTip("Click a neurite to go on with it; double-click its name to change it")
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    view.setShowGrid(False)
    side, header = view.verticalHeader(), view.horizontalHeader()
    if side is not None and header is not None:
        side.hide()
        side.setDefaultSectionSize(22)
        header.setHighlightSections(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in ((NODES, 60), (STATUS, 78)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
    return view


def _tip(one: "Neurite") -> str:
    config = one.trace.task.config
    way = "up" if config.direction > 0 else "down"
    begins = f"begins at {one.parent[0]}, z = {one.parent[1]}; " if one.parent else ""
    note = f"\n{one.note}" if one.note else ""
    return f"{one.name}: {begins}{way} from z = {one.trace.start_zyx[0]:g}{note}"
