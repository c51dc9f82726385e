"""Does a policy learn a task from watching it? ``python -m benchmarks.study.in_context``.

Before every session the policy is shown sessions of the flawless annotator, in other worlds of the
task, with nothing in between; then it acts. It learns from them only what its context holds.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.study.record import write_whole

from bcannot_core.annotators import make_annotator
from bcannot_core.errors import BcannotError
from bcannot_core.evaluation.actors import Actors, Click, Frame
from bcannot_core.evaluation.participants import open_actors
from bcannot_core.evaluation.tasks import TaskEvaluation, evaluate_task
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task

_DEMONSTRATIONS = 0xDE30

Demonstration = tuple[Frame, Click]


class Shown(Actors):
    """Actors that are shown demonstrations at the beginning of every session.

    Parameters
    ----------
    actors : Actors
        Who acts.
    demonstrations : sequence of (frame, click)
        What they are shown.
    """

    def __init__(self, actors: Actors, demonstrations: Sequence[Demonstration]) -> None:
        self._actors, self._demonstrations = actors, demonstrations
        self.rows, self.name = actors.rows, actors.name

    def begin(self, row: int, session: Session) -> None:
        """Begin a session, and show the demonstrations in its row."""
        self._actors.begin(row, session)
        alive = [other == row for other in range(self.rows)]
        for frame, click in self._demonstrations:
            self._actors.observe([frame] * self.rows, [click] * self.rows, alive)

    def act(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Let the actors act."""
        return self._actors.act(frames, alive)

    def propose(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Ask the actors."""
        return self._actors.propose(frames, alive)

    def observe(
        self, frames: Sequence[Frame], clicks: Sequence[Click], alive: Sequence[bool]
    ) -> None:
        """Show clicks to the actors."""
        self._actors.observe(frames, clicks, alive)


def demonstrations(task: str, shots: int, seed: int, variant: str) -> list[Demonstration]:
    """Return the steps of flawless sessions, in worlds that no evaluation has."""
    steps: list[Demonstration] = []
    for shot in range(shots):
        words = np.random.SeedSequence(seed, spawn_key=(_DEMONSTRATIONS, shot))
        world = int(words.generate_state(1, np.uint64)[0] >> np.uint64(1))
        session = Session(make_task(task, world, variant=variant))
        annotator = make_annotator(session, seed=shot, behaviour="flawless")
        while not session.terminated:
            click = annotator.act()
            steps.append((session.frame().copy(), click))
            session.apply(click)
    return steps


def main(argv: Sequence[str]) -> int:
    """Run one command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study.in_context")
    parser.add_argument("policy")
    parser.add_argument("--task", required=True)
    parser.add_argument("--shots", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", default="original")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, required=True)
    asked = parser.parse_args(argv)
    try:
        # one row: others, in the midst of their sessions, would have to wait
        actors = open_actors(asked.policy, asked.task, 1, device=asked.device)
        shown = demonstrations(asked.task, asked.shots, asked.seed, asked.variant)
        evaluation = TaskEvaluation(
            asked.task, asked.episodes, asked.seed, asked.variant, forced=0, annotator=False
        )
        report = evaluate_task(Shown(actors, shown), evaluation)
    except BcannotError as error:
        print(f"in_context: {error}", file=sys.stderr)
        return 1
    plain = json.loads(json.dumps(report, default=float))
    write_whole(asked.json, {**plain, "shots": asked.shots, "shown": len(shown)})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
