"""What the *Learn from me* widget looks like: fields and buttons, no behaviour."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_bcannot.learning import Progress, SessionEntry
from napari_bcannot.widgets.loss_plot import LossPlot
from napari_bcannot.widgets.parts import (
    button,
    combo,
    fine_print,
    offer,
    row,
    show_progress,
    text,
    widen,
)

_STEPS = 1000
_PATH = Qt.ItemDataRole.UserRole
_BUSY = ("reading", "before", "after")


class LearnView(QWidget):
    """Sessions to choose from, how to learn, progress, plot, scores and the model card."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions = QListWidget()
        self.sessions.setToolTip("Tick the sessions to learn from")
        self.sessions.setMinimumHeight(90)
        self.all = button("All", "Tick every session", small=True)
        self.none = button("None", "Tick no session", small=True)
        self.add = button("Add folder…", "Add a folder of sessions, or a dataset", small=True)
        self.refresh = button("Refresh", "Look again for recorded sessions", small=True)
        self.start = button("Learn", "Let the policy learn from the ticked sessions")
        self.pause = button("Pause", "Wait after this update, and go on later")
        self.stop = button("Stop", "End; Learn under the same name goes on from there")
        self.progress = QProgressBar()
        self.progress.setRange(0, _STEPS)
        self.plot = LossPlot()
        self.status = text("")
        self._make_fields()
        self._make_result()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addWidget(self._sessions_box(), 1)
        layout.addWidget(self._how_box())
        layout.addWidget(row(self.start, self.pause, self.stop))
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self._result_box())

    def _make_fields(self) -> None:
        self.policy = combo("The policy to begin with; it stays as it is")
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of the new policy")
        self.name.setToolTip("What the new policy is called in the list of policies")
        self.minutes = QDoubleSpinBox()
        self.minutes.setRange(0.5, 600.0)
        self.minutes.setDecimals(1)
        self.minutes.setValue(10.0)
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip("Time for the updates, at most")
        self.device = combo("Where to learn; auto is a GPU where there is one")
        for words, value in (("auto", "auto"), ("CPU", "cpu"), ("GPU", "cuda")):
            self.device.addItem(words, value)
        widen(self.minutes)

    def _make_result(self) -> None:
        self.scores = QLabel()
        self.scores.setTextFormat(Qt.TextFormat.RichText)
        self.own = combo("Your own policies")
        self.card = button("Model card", "What this policy was made from", small=True)
        self.card.setCheckable(True)
        self.card_text = QTextBrowser()
        self.card_text.setMinimumHeight(140)
        self.card_text.setVisible(False)

    def _sessions_box(self) -> QWidget:
        box = QGroupBox("Learn from")
        inner = QVBoxLayout(box)
        inner.addWidget(self.sessions, 1)
        inner.addWidget(row(self.all, self.none, self.add, self.refresh))
        inner.addWidget(
            fine_print("Nodes that you corrected count more. One neurite in five is held out.")
        )
        return box

    def _how_box(self) -> QWidget:
        box = QGroupBox("How")
        form = QFormLayout(box)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Begin with", self.policy)
        form.addRow("New policy", self.name)
        form.addRow("Time", row(self.minutes, self.device))
        return box

    def _result_box(self) -> QWidget:
        box = QGroupBox("On the neurites held out")
        inner = QVBoxLayout(box)
        inner.addWidget(self.scores)
        inner.addWidget(row(self.own, self.card))
        inner.addWidget(self.card_text)
        return box

    # --------------------------------------------------------------------------- contents
    def show_sessions(self, entries: list[SessionEntry]) -> None:
        """List sessions; those ticked before stay ticked, new ones are."""
        unticked = {str(self._item(i).data(_PATH)) for i in self._rows() if not self._ticked(i)}
        self.sessions.clear()
        for entry in entries:
            self.sessions.addItem(entry.label)
            item = self._item(self.sessions.count() - 1)
            item.setData(_PATH, str(entry.path))
            item.setToolTip(entry.tip)
            on = entry.useful and str(entry.path) not in unticked
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            if not entry.useful:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def tick_all(self, on: bool) -> None:
        """Tick every session that can be used, or none."""
        for i in self._rows():
            if self._item(i).flags() & Qt.ItemFlag.ItemIsEnabled:
                state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
                self._item(i).setCheckState(state)

    def chosen(self) -> list[str]:
        """Return the paths of the ticked sessions."""
        return [str(self._item(i).data(_PATH)) for i in self._rows() if self._ticked(i)]

    def _rows(self) -> range:
        return range(self.sessions.count())

    def _item(self, i: int):  # type: ignore[no-untyped-def]
        return self.sessions.item(i)

    def _ticked(self, i: int) -> bool:
        return bool(self._item(i).checkState() == Qt.CheckState.Checked)

    def show_policies(self, shipped: str, own: list[str]) -> None:
        """Offer the policies to begin with, and the cards of the person's own."""
        offer(self.policy, [(f"{shipped} (shipped)", shipped), *((name, name) for name in own)])
        offer(self.own, [(name, name) for name in own])
        for widget in (self.own, self.card):
            widget.setEnabled(bool(own))

    def show_progress(self, progress: Progress, *, running: bool, paused: bool) -> None:
        """Show how far it has come, and what can be done now."""
        for widget in (self.sessions, self.policy, self.name, self.minutes, self.device):
            widget.setEnabled(not running)
        self.start.setEnabled(not running)
        self.pause.setEnabled(running)
        self.stop.setEnabled(running)
        self.pause.setText("Go on" if paused else "Pause")
        unknown = running and progress.stage in _BUSY and progress.done == 0 and not paused
        done = 0 if unknown else round(progress.done * _STEPS)
        show_progress(self.progress, done, 0 if unknown else _STEPS)
        self.status.setText(f"Paused. {progress.message}" if paused else progress.message)
        self.plot.show_losses(progress.losses)
        self.scores.setText(_scores(progress))

    def show_card(self, card: str) -> None:
        """Show a model card, or hide it where it is empty."""
        self.card_text.setMarkdown(card)
        self.card_text.setVisible(bool(card))


def _scores(progress: Progress) -> str:
    """Return the scores before and after as a table."""
    if progress.before is None:
        return "Scores before and after are shown here."
    cells = [("", "right proposals", "corrections per 100 sections")]
    for name, score in (("before", progress.before), ("after", progress.after)):
        if score is None:
            cells.append((name, "…", "…"))
        else:
            cells.append((name, f"{score['right']:.0%}", f"{score['corrections_per_100']:.1f}"))
    rows = ("".join(f"<td style='padding-right:14px'>{c}</td>" for c in line) for line in cells)
    return f"<table>{''.join(f'<tr>{r}</tr>' for r in rows)}</table>"
