"""Learning from a person: a policy goes on learning from corrected sessions, without any labels.

What comes out is a policy of its own, with a card that says what it learned from and how it does on
sessions it did not see; the one it began with stays as it is.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from bcannot_core.episodes.episode import Episode
from bcannot_core.errors import BcannotError, DatasetError
from bcannot_core.policy.averaging import mean_state
from bcannot_core.policy.checkpoint import (
    load_glance,
    read_config,
    resolve_policy,
    save_checkpoint,
)
from bcannot_core.policy.glance_policy import GlancePolicy
from bcannot_core.policy.network import PolicyNet
from bcannot_core.policy.policy import choose_device
from bcannot_core.training.card import learned_card
from bcannot_core.training.held_out import HeldOutScore, score_held_out
from bcannot_core.training.learn_control import LearnControl
from bcannot_core.training.learning_options import Learned, LearnOptions, check_name
from bcannot_core.training.learning_state import LearningState, origin_of
from bcannot_core.training.lesson_stage import LessonStage
from bcannot_core.training.lessons import Corrected, Lesson, corrected_session, lessons_of
from bcannot_core.training.sources import tissue_at
from bcannot_core.training.store import RunLog, environment
from bcannot_core.training.tissue import Tissue

LEAST_SESSIONS = 2
_SAVE_S = 120.0

Progress = Callable[[Mapping[str, Any]], None]


def learn(
    episodes: Sequence[Episode],
    options: LearnOptions,
    *,
    control: LearnControl | None = None,
    progress: Progress | None = None,
) -> Learned | None:
    """Let a policy learn from sessions that a person corrected.

    Parameters
    ----------
    episodes : sequence of Episode
        Sessions of neuron tracing; no labels are used.
    options : LearnOptions
        How, and where to. Where an earlier attempt of that name was stopped, it goes on, if it was
        from the same policy and sessions.
    control : LearnControl, optional
        To pause, resume and stop from another thread.
    progress : callable, optional
        Is given mappings with a ``stage``: ``reading``, ``before``, ``learning``, ``after``. While
        learning with ``update``, ``updates``, ``done`` (0…1) and the losses ``total``, ``lessons``
        and ``rehearsal``, and ``right``, the share of clicks near the node.

    Returns
    -------
    Learned or None
        None where it was stopped before the end; what was learned is kept.

    Raises
    ------
    UsageError
        The name cannot be used.
    DatasetError
        No session can be learned from.
    VolumeError
        A volume cannot be read.
    """
    check_name(options)
    return _Learning(options, control or LearnControl(), progress or _nothing).carry_out(episodes)


class _Learning:
    def __init__(self, options: LearnOptions, control: LearnControl, progress: Progress) -> None:
        self.options, self.control, self.progress = options, control, progress
        self.start = resolve_policy(options.start_from)
        self.net = load_glance(self.start)
        self.net.to(choose_device(options.device))
        self.log = RunLog(options.work_folder / "log.jsonl")
        self.problems: list[str] = []
        self.state = LearningState(options.work_folder)
        torch.manual_seed(options.recipe.seed)

    def carry_out(self, episodes: Sequence[Episode]) -> Learned | None:
        self.log.write({"stage": "run", "recipe": asdict(self.options.recipe), **environment()})
        prepared = self._prepare(episodes)
        if prepared is None:
            return None
        learned_from, held, lessons, tissues = prepared
        before = self._score(self.net, held, "before")
        if self.control.stopped:
            return None
        known = {k: v.clone() for k, v in self.net.glance.state_dict().items()}
        stage = LessonStage(self.net.glance, lessons, tissues, self.options.recipe)
        seconds = self._update_all(stage)
        if seconds is None:
            return None
        share = self.options.recipe.share
        kept = mean_state([(known, 1 - share), (stage.optimizer.average, share)])
        self.net.glance.load_state_dict(kept)
        after = self._score(self.net, held, "after")
        if self.control.stopped:
            return None
        result = Learned(
            self.options.out,
            before,
            after,
            stage.update,
            len(learned_from),
            len(held),
            sum(len(session.nodes) for session in learned_from),
            sum(len(session.corrections) for session in learned_from),
            round(seconds, 1),
            tuple(self.problems),
        )
        self._save(result, learned_from)
        self.state.remove()
        self.log.write({"stage": "result", **result.to_json()})
        return result

    def _prepare(
        self, episodes: Sequence[Episode]
    ) -> tuple[list[Corrected], list[Corrected], list[Lesson], list[Tissue]] | None:
        """Read sessions, pictures and tissue; None where that was stopped."""
        sessions, usable = [], []
        rehearsal = self.options.rehearsal
        total = len(episodes) + len(rehearsal)
        for i, episode in enumerate(episodes):
            self._tell("reading", i / total)
            if not self.control.keep_on():
                return None
            try:
                sessions.append(corrected_session(episode))
                usable.append(episode)
            except BcannotError as error:
                self.problems.append(str(error))
        if not sessions:
            why = self.problems[0] if self.problems else "none was given"
            raise DatasetError(f"there is no session to learn from: {why}")
        share = self.options.recipe.held_out
        learned_from, held = hold_out(sessions, share)
        self.state.origin = origin_of(self.net, usable, share)
        lessons = lessons_of(learned_from)
        if not lessons:
            raise DatasetError("the sessions hold no two nodes in a row: trace some neurites first")
        tissues = []
        for i, address in enumerate(rehearsal):
            self._tell("reading", (len(episodes) + i) / total)
            if not self.control.keep_on():
                return None
            tissues.append(tissue_at(address, address))
        return learned_from, held, lessons, tissues

    def _tell(self, stage: str, done: float, **more: Any) -> None:
        self.progress({"stage": stage, "done": round(done, 4), **more})

    def _score(self, net: PolicyNet, held: Sequence[Corrected], stage: str) -> HeldOutScore | None:
        """Score a copy of the network on the sessions held out."""
        self._tell(stage, 0.0)
        copy = PolicyNet(net.config)
        copy.load_state_dict(net.state_dict())
        policy = GlancePolicy(copy, device=self.options.device)
        score = score_held_out(policy, held, self.control.keep_on) if held else None
        self._tell(stage, 1.0, score=None if score is None else score.to_json())
        return score

    def _update_all(self, stage: LessonStage) -> float | None:
        """Make the updates that are left; return their time in seconds, None where stopped."""
        kept, aside = self.state.take()
        if aside:
            self.problems.append(aside)
        spent = 0.0
        if kept is not None:
            stage.restore(*kept)
            spent = float(kept[0]["seconds"])
        self.log.rewind(stage.name, stage.update)
        stage.fill()
        saved = time.monotonic()
        done = 0.0
        while done < 1:
            if not self.control.keep_on():
                self._keep(stage, spent)
                return None
            begun = time.monotonic()
            entry = stage.one_update(done)
            spent += time.monotonic() - begun
            done = self._share(stage.update, spent)
            self._tell(stage.name, done, update=stage.update, **entry)
            self.log.write({"stage": stage.name, "update": stage.update - 1, **entry})
            if time.monotonic() - saved > _SAVE_S:
                self._keep(stage, spent)
                saved = time.monotonic()
        self._keep(stage, spent)
        return spent

    def _share(self, update: int, seconds: float) -> float:
        """Return how much of the updates, or of the time for them, has passed."""
        minutes = self.options.minutes
        share = update / max(1, self.options.recipe.updates)
        return share if minutes is None else max(share, seconds / (60 * minutes))

    def _keep(self, stage: LessonStage, seconds: float) -> None:
        values, tensors = stage.state()
        self.state.save({**values, "seconds": seconds}, tensors)

    def _save(self, result: Learned, sessions: Sequence[Corrected]) -> None:
        base = read_config(self.start).get("training")
        training = {
            **(base if isinstance(base, dict) else {}),
            "learned": {"recipe": asdict(self.options.recipe), **result.to_json()},
            "learned_from": self.start.name,
        }
        card = learned_card(self.options.name, self.start, result.to_json(), sessions)
        save_checkpoint(self.net, self.options.out, card=card, training=training)


def hold_out(
    sessions: Sequence[Corrected], share: float
) -> tuple[list[Corrected], list[Corrected]]:
    """Divide sessions into those to learn from and those to score on, evenly spread.

    Raises
    ------
    DatasetError
        There are none with nodes.
    """
    usable = [session for session in sessions if len(session.nodes) > 1]
    if not usable:
        raise DatasetError("the sessions hold no traced neurites: trace and correct some first")
    if len(usable) < LEAST_SESSIONS or share <= 0:
        return usable, []
    every = max(2, round(1 / min(share, 0.5)))
    held = usable[every - 1 :: every] or usable[-1:]
    return [session for session in usable if session not in held], held


def _nothing(_entry: Mapping[str, Any]) -> None:
    """Tell nobody."""
