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
from napari_bcannot.turns import counted
from napari_bcannot.widgets.parts import button, combo, fine_print, row, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bcannot_core.sittings import SittingInfo

COLUMNS = ("Begun", "Neurites", "Clicks", "Volume", "")
SPEEDS: tuple[tuple[str, float], ...] = (
    ("2 events/s", 2.0),
    ("5 events/s", 5.0),
    ("10 events/s", 10.0),
    ("20 events/s", 20.0),
)
_USUAL_SPEED = 2
_FOLDER, _ABOUT = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
STATES = {"recording": "open", "interrupted": "interrupted", "closed": "", "damaged": "damaged"}
STATE_TIPS = {
    "recording": "It is open in napari just now",
    "interrupted": "napari ended before it was closed; nothing that was done is lost",
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
                f"{counted(len(info.neurites), 'neurite')}, {counted(info.clicks, 'click')}."
            )


class SessionView(QWidget):
    """The sessions, what can be done with them, and a replay."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.list = _list()
        self.open = button("Open", "Bring the session back into the viewer and go on with it")
        self.replay = button("Replay", "Look at the session click by click")
        self.restore = button(
            "Restore", "Bring back the latest session that was interrupted, by a crash, say"
        )
        self.export = button("Export…", "Write the chosen sessions as a dataset, to train on")
        self.delete = button("Delete…", "Delete the chosen sessions from the disk")
        self.about = fine_print()
        self.status = text()
        self.where = fine_print()
        self.folder = button("Folder…", "Look at sessions in another folder", small=True)
        self.player = self._player()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(5)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.about)
        layout.addWidget(row(self.open, self.replay, self.restore))
        layout.addWidget(row(self.export, self.delete))
        layout.addWidget(self.player)
        layout.addWidget(self.status)
        layout.addWidget(row(self.where, self.folder))
        self.show_choice()
        self.show_restorable(False)
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
        bar = self.list.verticalScrollBar()
        at = bar.value() if bar is not None else 0
        self.list.blockSignals(True)
        self.list.clear()
        for info in infos:
            item = _item(info)
            self.list.addTopLevelItem(item)
            item.setSelected(info.folder in chosen)
        self.list.blockSignals(False)
        if bar is not None:
            bar.setValue(at)
        self.show_choice()

    def choose(self, folder: Path) -> None:
        """Choose one session of the list."""
        for i in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(i)
            if item is not None:
                item.setSelected(Path(item.data(0, _FOLDER)) == folder)

    def show_choice(self) -> None:
        """Let be pressed what can be done with what is chosen."""
        items = self.list.selectedItems()
        count = len(items)
        self.about.setText(str(items[0].data(0, _ABOUT)) if count == 1 else "")
        for one in (self.open, self.replay):
            one.setEnabled(count == 1)
        for many in (self.export, self.delete):
            many.setEnabled(count > 0)

    def show_restorable(self, there_is: bool) -> None:
        """Say whether there is something to restore."""
        self.restore.setEnabled(there_is)

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
    return datetime.fromtimestamp(ms / 1000).strftime("%d %b %Y %H:%M")


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
        words = [info.folder.name, "", "", "", STATES["damaged"]]
    else:
        volumes = ", ".join(map(_short, info.volumes))
        counts = [str(len(info.neurites)), str(info.clicks)]
        words = [when(info.begun_ms), *counts, volumes, STATES[info.state]]
    item = QTreeWidgetItem(words)
    item.setData(0, _FOLDER, str(info.folder))
    item.setData(0, _ABOUT, _about(info))
    tip = [", ".join(info.neurites), *info.volumes, STATE_TIPS.get(info.state, ""), info.problem]
    for column in range(len(COLUMNS)):
        item.setToolTip(column, "\n".join(filter(None, tip)))
    for column in (1, 2):
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item


def _about(info: "SittingInfo") -> str:
    """Return a line on a session that is chosen."""
    if info.state == "damaged":
        return info.problem
    share = f"{100 * info.by_person / info.clicks:.0f} % of the clicks are yours"
    facts = [
        f"{clock(info.changed_ms - info.begun_ms)} long",
        *([share] if info.clicks else []),
        STATE_TIPS.get(info.state, ""),
        info.problem,
    ]
    return " · ".join(filter(None, facts))


def _short(address: str) -> str:
    place = address.split("#")[0].rstrip("/")
    return place.rsplit("/", 1)[-1].removeprefix("memory:") or address
