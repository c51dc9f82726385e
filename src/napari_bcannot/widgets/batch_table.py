"""The table of a batch: a start point a row, and what came of it."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

if TYPE_CHECKING:
    from napari_bcannot.batch import BatchController, BatchRow

COLUMNS = ("name", "start (z, y, x)", "status", "nodes", "sure")
_DISPLAY, _TIP = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole
_ALIGN = Qt.ItemDataRole.TextAlignmentRole
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class BatchTable(QAbstractTableModel):
    """Shows a controller's rows; quick with very many of them.

    Parameters
    ----------
    controller : BatchController
        Whose rows are shown.
    """

    def __init__(self, controller: "BatchController") -> None:
        super().__init__()
        self._controller = controller
        controller.listed.connect(self._reset)
        controller.row_changed.connect(self._row_changed)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many start points there are."""
        return 0 if parent is not None and parent.isValid() else len(self._controller.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many columns there are."""
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = int(_DISPLAY)) -> Any:
        """Return a column's title."""
        if role == _DISPLAY and orientation == Qt.Orientation.Horizontal:
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = int(_DISPLAY)) -> Any:
        """Return what a cell shows."""
        row = self._controller.rows[index.row()]
        if role == _DISPLAY:
            return _cells(row)[index.column()]
        if role == _TIP:
            return row.problem or "Double-click to go there"
        if role == _ALIGN and index.column() >= 3:
            return int(_RIGHT)
        return None

    def _reset(self) -> None:
        self.beginResetModel()
        self.endResetModel()

    def _row_changed(self, row: int) -> None:
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))


def table_view(model: BatchTable) -> QTableView:
    """Return a compact view of the table."""
    view = QTableView()
    view.setModel(model)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setMinimumHeight(140)
    side, header = view.verticalHeader(), view.horizontalHeader()
    if side is not None and header is not None:
        side.hide()
        header.setResizeContentsPrecision(50)  # rows: a long list is not measured as a whole
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(34)
    return view


def _cells(row: "BatchRow") -> tuple[str, ...]:
    where = ", ".join(f"{at:g}" for at in row.start.zyx)
    nodes = str(row.nodes) if row.trace is not None else ""
    sure = "" if row.confidence is None else f"{row.confidence:.2f}"
    return row.start.name, where, row.status, nodes, sure
