"""Random sessions: whatever is clicked, the state stays whole and the log tells how it came."""

import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes import Contrast, Volume

GREY = np.random.default_rng(3).integers(0, 256, (6, 330, 420), dtype=np.uint8)


def make_task(shape, start, nm_per_px, direction):
    depth, height, width = shape
    volume = Volume.from_array(
        GREY[:depth, :height, :width], voxel_nm=(30, 10, 12), contrast=Contrast(0, 255)
    )
    start = tuple(min(n - 1, int(share * n)) for share, n in zip(start, shape, strict=True))
    config = TracingConfig(sections=5, nm_per_px=nm_per_px, direction=direction)
    return NeuronTracing(TracingWorld(volume, start), config)


class RandomSession(RuleBasedStateMachine):
    @initialize(
        shape=st.tuples(st.integers(1, 6), st.integers(1, 330), st.integers(1, 420)),
        start=st.tuples(*[st.floats(0, 1)] * 3),
        nm_per_px=st.sampled_from([10.0, 12.0, 7.5, 25.0]),
        direction=st.sampled_from([-1, 1]),
    )
    def begin(self, shape, start, nm_per_px, direction):
        self.task = make_task(shape, start, nm_per_px, direction)
        self.session = Session(self.task)
        self.log = []
        self.model = {}  # section -> node, the obvious way
        self.stack = []
        self.session.subscribe(self.follow)

    def follow(self, outcome, token):
        """Keep the obvious model of nodes and edits, from outcomes alone."""
        self.log.append(token)
        if outcome.action in ("place", "remove"):
            z = outcome.detail["z"]
            self.stack.append((z, self.model.get(z)))
            self.model[z] = outcome.detail["node_yx"]
        elif outcome.action == "undo":
            z, node = self.stack.pop()
            self.model[z] = node

    @rule(x=st.integers(0, 425), y=st.integers(0, 435))
    def click_anywhere(self, x, y):
        before = self.session.state
        outcome = self.session.apply((x, y))
        assert (outcome.action == "none") == (outcome.state_after is before)

    @rule(x=st.integers(0, 255), y=st.integers(0, 255))
    def click_canvas(self, x, y):
        outcome = self.session.apply(self.session.click_for((x, y)))
        before, after = outcome.state_before, outcome.state_after
        assert before.section == after.section
        if outcome.action == "pan":
            assert before.nodes is after.nodes
            assert not (16 <= x < 240 and 16 <= y < 240)
        if outcome.action == "place":
            assert 16 <= x < 240
            assert 16 <= y < 240
            inner = 64 <= x < 192 and 64 <= y < 192
            assert after.view == (before.view if inner else after.nodes.get(after.section))

    @rule(name=st.sampled_from(["next_section", "previous_section", "remove"]))
    def click_button(self, name):
        outcome = self.session.apply(self.session.click_for(name))
        assert outcome.state_after.view == outcome.state_before.view

    @rule()
    def undo(self):
        could, before = self.session.can_undo, self.session.state
        assert could == bool(self.stack) or self.session.terminated
        outcomes = self.session.undo()
        assert len(outcomes) == could
        if could:
            assert self.session.state.last_edit is before.last_edit.earlier
            assert self.session.state.view == before.last_edit.view

    @rule()
    def undo_then_redo(self):
        before = self.session.state
        if self.session.undo():
            last = before.last_edit
            self.session.redo()
            after = self.session.state
            assert after.nodes == before.nodes
            assert after.section == last.section
            assert after.last_edit.earlier is last.earlier

    @rule()
    def redo(self):
        could = self.session.can_redo
        outcomes = self.session.redo()
        assert bool(outcomes) == could
        if could:
            assert outcomes[-1].action in ("place", "remove")

    @invariant()
    def state_is_whole(self):
        state, task = self.session.state, self.task
        _, height, width = task.world.volume.shape
        assert 0 <= state.section < task.sections
        for y, x in [task.point(state.view), *(node[1:] for node in task.nodes_zyx(state))]:
            assert 0 <= math.floor(y + 0.5) < height
            assert 0 <= math.floor(x + 0.5) < width
        kept = {z: node for z, node in self.model.items() if node is not None}
        assert {z: (y, x) for z, y, x in task.nodes_zyx(state)} == kept
        assert state.nodes.count == len(kept)

    @invariant()
    def log_only_grows(self):
        assert self.session.clicks == self.log

    @invariant()
    def frame_is_that_of_the_state(self):
        fresh = Session(self.task)
        assert (
            self.session.frame() == fresh.screen.draw(self.task.content(self.session.state))
        ).all()

    def teardown(self):
        if not hasattr(self, "session"):
            return
        again = Session(self.task)
        for token in self.log:
            assert again.apply(token[:2]).action == token.action
        assert again.state.nodes == self.session.state.nodes
        assert again.state.view == self.session.state.view
        assert again.can_redo == self.session.can_redo
        assert again.can_undo == self.session.can_undo


RandomSession.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=25)
TestRandomSession = RandomSession.TestCase
