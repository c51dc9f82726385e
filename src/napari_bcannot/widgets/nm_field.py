"""A field for a size in nanometres, kept as exactly as volumes state it."""

from qtpy.QtWidgets import QDoubleSpinBox

from napari_bcannot.widgets.parts import widen

DECIMALS = 6
"""Of a nanometre: over 100,000 voxels what is rounded off stays below a tenth of one."""
_NARROW = "QDoubleSpinBox {min-width: 40px; padding: 1px 4px;}"
"""Without the room that napari leaves for buttons, which it has none of."""


class NmField(QDoubleSpinBox):
    """A size in nm: with decimals as far as it has any.

    Parameters
    ----------
    tip : str
        What size it is.
    low, high : float
        The smallest and the largest one.
    value : float
        The first one.
    """

    def __init__(self, tip: str, low: float, high: float, value: float) -> None:
        super().__init__()
        self.setDecimals(DECIMALS)
        self.setRange(low, high)
        self.setValue(value)
        self.setToolTip(tip)
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setKeyboardTracking(False)
        widen(self)
        self.setStyleSheet(_NARROW)

    def textFromValue(self, value: float) -> str:
        """Return a size without the zeros at its end."""
        text = str(super().textFromValue(value))
        point = self.locale().decimalPoint()
        return text.rstrip("0").removesuffix(point) if point in text else text
