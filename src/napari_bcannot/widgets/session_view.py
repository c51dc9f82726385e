"""What the *Sessions* widget looks like: the list, the buttons and the slider, no behaviour."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QGroupBox,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QSlider,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_bcannot.replaying import clock
from napari_bcannot.widgets.parts import button, combo, fine_print, row, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bcannot_core.sittings import SittingInfo

COLUMNS = ("Begun", "Length", "Neurites", "Clicks", "Yours", "Volume", "")
SPEEDS: tuple[tuple[str, float], ...] = (
    ("2 events/s", 2.0),
    ("5 events/s", 5.0),
    ("10 events/s", 10.0),
    ("20 events/s", 20.0),
)
_USUAL_SPEED = 2
_FOLDER = Qt.ItemDataRole.UserRole
STATES = {"recording": "open", "interrupted": "interrupted", "closed": "", "damaged": "damaged"}
STATE_TIPS = {
    "recording": "It is open in napari just now",
    "interrupted": "napari ended before the session was closed; nothing that was done is lost",
    "closed": "",
}


class RestoreBar(QFrame):
    """Says that a session was interrupted and offers to bring it back."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.says = text()
        self.restore = button("Restore", "Bring the session back and go on with it", small=True)
        self.later = button("Not now", "It stays in the list of sessions", small=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(5)
        layout.addWidget(self.says)
        layout.addWidget(row(self.restore, self.later))
        self.hide()

    def offer(self, info: "SittingInfo | None") -> None:
        """Offer a session, or nothing."""
        self.setVisible(info is not None)
        if info is not None:
            self.says.setText(
                f"The session of {when(info.begun_ms)} was interrupted: "
                f"{_count(len(info.neurites), 'neurite')}, {_count(info.clicks, 'click')}."
            )


class SessionView(QWidget):
    """The sessions, what can be done with them, and a replay."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.bar = RestoreBar()
        self.list = _list()
        self.open = button("Open", "Bring the session back into the viewer and go on with it")
        self.replay = button("Replay", "Look at the session click by click")
        self.export = button("Export…", "Write the chosen sessions as a dataset, to train on")
        self.delete = button("Delete…", "Delete the chosen sessions from the disk")
        self.status = text()
        self.where = fine_print()
        self.folder = button("Folder…", "Look at sessions in another folder", small=True)
        self.player = self._player()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(5)
        layout.addWidget(self.bar)
        layout.addWidget(self.list, 1)
        layout.addWidget(row(self.open, self.replay, self.export, self.delete))
        layout.addWidget(self.player)
        layout.addWidget(self.status)
        layout.addWidget(row(self.where, self.folder))
        self.show_choice()
        self.show_replay(False)

    def _player(self) -> QGroupBox:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip("Look at any moment of the session")
        self.position = QLabel("")
        self.position.setMinimumWidth(self.position.fontMetrics().horizontalAdvance("0000 / 0000"))
        self.back = button("Back", "The moment before")
        self.play = button("Play", "Let the session go on by itself, or hold it")
        self.step = button("Step", "The next moment")
        self.speed = combo("How fast it plays")
        for words, rate in SPEEDS:
            self.speed.addItem(words, rate)
        self.speed.setCurrentIndex(_USUAL_SPEED)
        self.caption = text()
        self.caption.setMinimumHeight(2 * self.caption.fontMetrics().lineSpacing())
        self.caption.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.end = button("Close replay", "Take the replay out of the viewer", small=True)
        box = QGroupBox()
        inside = QVBoxLayout(box)
        inside.setContentsMargins(6, 6, 6, 6)
        inside.setSpacing(5)
        inside.addWidget(row(self.slider, self.position))
        inside.addWidget(row(self.back, self.play, self.step, self.speed))
        inside.addWidget(self.caption)
        inside.addWidget(self.end, 0, Qt.AlignmentFlag.AlignRight)
        return box

    # ------------------------------------------------------------------------------- list
    @property
    def chosen(self) -> list[Path]:
        """The folders of the chosen sessions, from the top of the list."""
        items = (self.list.topLevelItem(i) for i in range(self.list.topLevelItemCount()))
        return [Path(item.data(0, _FOLDER)) for item in items if item and item.isSelected()]

    def show_sessions(self, infos: "Sequence[SittingInfo]") -> None:
        """List the sessions; what was chosen stays chosen as far as it is there."""
        chosen = set(self.chosen)
        self.list.blockSignals(True)
        self.list.clear()
        for info in infos:
            item = _item(info)
            self.list.addTopLevelItem(item)
            item.setSelected(info.folder in chosen)
        self.list.blockSignals(False)
        self.show_choice()

    def choose(self, folder: Path) -> None:
        """Choose one session of the list."""
        for i in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(i)
            if item is not None:
                item.setSelected(Path(item.data(0, _FOLDER)) == folder)

    def show_choice(self) -> None:
        """Let be pressed what can be done with what is chosen."""
        count = len(self.chosen)
        for one in (self.open, self.replay):
            one.setEnabled(count == 1)
        for many in (self.export, self.delete):
            many.setEnabled(count > 0)

    def show_where(self, root: Path) -> None:
        """Say where the sessions lie."""
        self.where.setText(str(root))
        self.where.setToolTip(str(root))

    # ----------------------------------------------------------------------------- replay
    def show_replay(self, on: bool, title: str = "", length: int = 0) -> None:
        """Show the slider of a replay, or hide it."""
        self.player.setVisible(on)
        self.player.setTitle(title)
        self.slider.blockSignals(True)
        self.slider.setRange(0, length)
        self.slider.blockSignals(False)

    def show_moment(self, count: int, caption: str) -> None:
        """Say where the replay is."""
        self.slider.blockSignals(True)
        self.slider.setValue(count)
        self.slider.blockSignals(False)
        last = self.slider.maximum()
        self.position.setText(f"{count} / {last}")
        self.caption.setText(caption)
        self.back.setEnabled(count > 0)
        self.step.setEnabled(count < last)

    def show_playing(self, on: bool) -> None:
        """Say whether the replay goes on by itself."""
        self.play.setText("Hold" if on else "Play")


def when(ms: int) -> str:
    """Return a time as people read it."""
    return datetime.fromtimestamp(ms / 1000).strftime("%d %b %Y, %H:%M")


def _list() -> QTreeWidget:
    made = QTreeWidget()
    made.setHeaderLabels(list(COLUMNS))
    made.setRootIsDecorated(False)
    made.setUniformRowHeights(True)
    made.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    made.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    made.setMinimumHeight(120)
    header = made.header()
    if header is not None:
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(COLUMNS.index("Volume"), QHeaderView.ResizeMode.Stretch)
    return made


def _item(info: "SittingInfo") -> QTreeWidgetItem:
    if info.state == "damaged":
        item = QTreeWidgetItem([info.folder.name, "", "", "", "", "", STATES["damaged"]])
    else:
        share = f"{100 * info.by_person / info.clicks:.0f} %" if info.clicks else ""
        item = QTreeWidgetItem([
            when(info.begun_ms), clock(info.changed_ms - info.begun_ms), str(len(info.neurites)),
            str(info.clicks), share, ", ".join(map(_short, info.volumes)), STATES[info.state],
        ])  # fmt: skip
    item.setData(0, _FOLDER, str(info.folder))
    tip = info.problem or STATE_TIPS.get(info.state, "")
    about = "\n".join(filter(None, (", ".join(info.neurites), "\n".join(info.volumes), tip)))
    for column in range(len(COLUMNS)):
        item.setToolTip(column, about)
    for column in (1, 2, 3, 4):
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item


def _short(address: str) -> str:
    place = address.split("#")[0].rstrip("/")
    return place.rsplit("/", 1)[-1].removeprefix("memory:") or address


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
