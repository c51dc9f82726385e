"""A small live plot of losses, drawn by Qt alone."""

from collections.abc import Sequence
from math import isfinite, log

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_bcannot.widgets.parts import is_dark

_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 18, 18
_NAMES = ("your sessions", "rehearsed tissue")
_DARK = ("#ffb454", "#5ac8ff")
_LIGHT = ("#b35c00", "#0069a8")

Loss = tuple[float, float, float]


class LossPlot(QWidget):
    """Draws two losses over the share of the updates that is done, on a logarithmic scale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._losses: list[Loss] = []
        self.setMinimumHeight(130)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.setToolTip("How wrong the policy still is; both lines are to fall or stay low")

    def show_losses(self, losses: Sequence[Loss]) -> None:
        """Draw (done 0…1, loss on sessions, loss on rehearsed tissue; NaN where there is none)."""
        self._losses = list(losses)
        self.update()

    def paintEvent(self, _event: object) -> None:
        """Draw axes, lines and legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.8))
        painter.setFont(font)
        ink = self.palette().windowText().color()
        faint = QColor(ink)
        faint.setAlphaF(0.25)
        area = QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)
        painter.setPen(QPen(faint, 1))
        painter.drawRect(area)
        if len(self._losses) < 2:
            painter.setPen(QPen(ink, 1))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "losses appear here")
            painter.end()
            return
        low, high = self._range()
        painter.setPen(QPen(ink, 1))
        for value in (low, (low * high) ** 0.5, high):
            y = self._y(value, low, high, area)
            painter.drawText(
                QRectF(0, y - 8, _LEFT - 4, 16),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{value:.2g}",
            )
        for name, x in (("0 %", area.left()), ("100 %", area.right() - 40)):
            painter.drawText(QRectF(x, area.bottom() + 2, 40, 14), 0, name)
        self._lines(painter, area, low, high)
        painter.end()

    def _lines(self, painter: QPainter, area: QRectF, low: float, high: float) -> None:
        x = area.left()
        for i, (name, colour) in enumerate(
            zip(_NAMES, _DARK if is_dark(self) else _LIGHT, strict=True)
        ):
            points = [
                QPointF(area.left() + loss[0] * area.width(), self._y(loss[i + 1], low, high, area))
                for loss in self._losses
                if isfinite(loss[i + 1])
            ]
            painter.setPen(QPen(QColor(colour), 1.8))
            painter.drawPolyline(QPolygonF(points))
            painter.drawText(QPointF(x, _TOP - 5), f"— {name}")
            x += 24 + painter.fontMetrics().horizontalAdvance(name)

    def _range(self) -> tuple[float, float]:
        values = [v for loss in self._losses for v in loss[1:] if isfinite(v) and v > 0]
        low, high = (min(values), max(values)) if values else (0.1, 1.0)
        return low * 0.92, high * 1.08

    @staticmethod
    def _y(value: float, low: float, high: float, area: QRectF) -> float:
        share = (log(max(value, low)) - log(low)) / (log(high) - log(low))
        return float(area.bottom() - share * area.height())
