"""Let a policy learn a new kind of tissue from corrections, and see that it keeps the old.

    python benchmarks/learn_from_me.py [--work DIR] [--sessions N] [--updates N …] [--json FILE]

A policy traces neurites of a tissue it never saw, with a scripted person who corrects it; the
sessions keep clicks, no labels. The policy learns from them as ``bcannot learn`` lets it, in rounds
that each begin with what came of the one before. Then the old and the new policy trace other
neurites, alone, in other volumes of the new tissue and in two of the kinds that the old one was
trained on. What is in DIR already is not done again.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bcannot_core.annotators import Flag, make_annotator
from bcannot_core.episodes.dataset import EpisodeWriter, open_dataset
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.evaluation.tracing import EvaluationOptions, draw_paths, evaluate_tracing
from bcannot_core.policy.policy import Policy
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingWorld
from bcannot_core.tracing import TraceOptions
from bcannot_core.training.learning import learn
from bcannot_core.training.learning_options import LearnOptions
from bcannot_core.training.lesson_stage import LearnRecipe
from bcannot_core.volumes import open_volume

TAUGHT = "synthetic://expanded?seed=700"
NEW = tuple(f"synthetic://expanded?seed={seed}" for seed in (701, 801, 802))
OLD = (
    "synthetic://default?seed=901&shape=64,224,224",
    "synthetic://sections30?seed=901&shape=48,256,256",
)
NAME = "learned"
GAIN, LOSS, MINUTES = 0.10, 0.02, 15.0
MOST_CLICKS = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("runs/learn_from_me"))
    parser.add_argument("--policy", default="default")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--sections", type=int, default=40, help="of a session, at most")
    parser.add_argument("--updates", type=int, nargs="+", default=[1400], help="of each round")
    parser.add_argument("--episodes", type=int, default=40, help="to score on, in each volume")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    record_sessions(asked)
    rounds = [learn_from_them(asked, i) for i in range(len(asked.updates))]
    found: dict[str, Any] = {"rounds": rounds}
    for kind, volumes in (("new", NEW), ("old", OLD)):
        for which in (asked.policy, rounds[-1]["folder"]):
            label = f"{kind}_{'before' if which == asked.policy else 'after'}"
            found[label] = kept(asked, label, lambda w=which, v=volumes: score(w, v, asked))
            shown = {key: found[label][key] for key in ("skeleton_accuracy", "coverage", "product")}
            print(f"{label:11} {shown}", flush=True)
    found["verdict"] = verdict(found)
    for name, value in found["verdict"].items():
        print(f"{name:34} {value}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


def kept(asked: argparse.Namespace, name: str, make: Any) -> dict[str, Any]:
    """Return a result that is in the work folder already, or make it."""
    path = asked.work / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(make(), indent=1) + "\n")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def record_sessions(asked: argparse.Namespace) -> None:
    """Let the policy trace with a person who corrects it; keep the sessions without labels."""
    dataset = asked.work / "sessions"
    if dataset.exists():
        return
    policy = Policy.load(asked.policy, device="cpu")
    volume, labels = open_volume(TAUGHT), open_volume(TAUGHT, labels=True)
    trace = TraceOptions(asked.sections)
    paths = draw_paths(labels, EvaluationOptions(episodes=asked.sessions, seed=11, trace=trace))
    episodes = []
    for path in paths:
        y, x = path.points_yx[0]
        world = TracingWorld(volume, (path.z0, float(y), float(x)), labels, path)
        session = corrected_session(NeuronTracing(world, trace.config()), policy)
        episode = episode_of(session)
        assert episode.data is not None
        episodes.append(replace(episode, data=replace(episode.data, labels=None)))
    with EpisodeWriter(dataset) as writer:
        writer.extend(episodes)


def corrected_session(task: NeuronTracing, policy: Policy) -> Session:
    """Trace with a policy; a person who knows the neurite takes over whenever it errs.

    A wrong node stands until the person takes it back and places the right one; Done pressed too
    early, and steps that lead nowhere, the person replaces.
    """
    policy.reset()
    session = Session(task)
    person = make_annotator(session, behaviour="flawless")
    while not session.terminated and len(session.clicks) < MOST_CLICKS:
        frame = session.frame().copy()
        wish = person.act()
        click = policy.propose(frame).click_xy
        does = task.action_for(session.screen.hit(*click), session.state).name
        if does == person.action and not person.flags & Flag.CORRECTION:
            policy.observe(frame, click)
            session.apply(click, "policy")
        else:
            policy.observe(frame, wish, trusted=True)
            session.apply(wish, "person")
    return session


def learn_from_them(asked: argparse.Namespace, number: int) -> dict[str, Any]:
    """Let the policy learn a round; return what came of it, with the processor time it took."""
    recipe = replace(LearnRecipe(), seed=asked.seed + number, updates=asked.updates[number])
    start = str(asked.work / f"{NAME}-{number}") if number else asked.policy
    name = f"{NAME}-{number + 1}"
    work = asked.work / f"run-{number + 1}"
    options = LearnOptions(name, start, recipe, "cpu", root=asked.work, work=work)

    def make() -> dict[str, Any]:
        wall, cpu = time.perf_counter(), time.process_time()
        learned = learn(list(open_dataset(asked.work / "sessions")), options, progress=tell)
        assert learned is not None
        spent = time.process_time() - cpu
        return {
            **learned.to_json(),
            "cpu_minutes": round(spent / 60, 2),
            "wall_minutes": round((time.perf_counter() - wall) / 60, 2),
            "threads": torch.get_num_threads(),
        }

    return kept(asked, f"round-{number + 1}", make)


def tell(entry: Any) -> None:
    """Show now and then how far it has come."""
    if entry["stage"] != "learning":
        print(entry, flush=True)
    elif entry["update"] % 20 == 0:
        print(entry["update"], {k: v for k, v in entry.items() if k != "stage"}, flush=True)


def score(policy: str, volumes: tuple[str, ...], asked: argparse.Namespace) -> dict[str, Any]:
    """Return the means over the neurites of some volumes, traced by the policy alone."""
    acting = Policy.load(policy, device="cpu")
    options = EvaluationOptions(episodes=asked.episodes, seed=5, forced=0, trace=TraceOptions(30))
    parts = [
        evaluate_tracing(acting, open_volume(v), open_volume(v, labels=True), options)
        for v in volumes
    ]
    names = ("skeleton_accuracy", "coverage", "done_rate", "mistakes", "sections_mean")
    means = {name: round(sum(p[name] for p in parts) / len(parts), 4) for name in names}
    means["product"] = round(means["skeleton_accuracy"] * means["coverage"], 4)
    centre = sum(p["baseline:centre"]["skeleton_accuracy"] for p in parts) / len(parts)
    each = [e["skeleton_accuracy"] for p in parts for e in p["per_episode"]]
    return {
        **means,
        "centre_accuracy": round(centre, 4),
        "volumes": {v: p["skeleton_accuracy"] for v, p in zip(volumes, parts, strict=True)},
        "accuracies": each,
    }


def verdict(found: dict[str, Any]) -> dict[str, Any]:
    """Return gain, loss and time, and whether they are as they should be."""

    def rise(kind: str, name: str = "skeleton_accuracy") -> float:
        after, before = (float(found[f"{kind}_{when}"][name]) for when in ("after", "before"))
        return round(after - before, 4)

    gain, lost = rise("new"), -rise("old")
    minutes = round(sum(one["cpu_minutes"] for one in found["rounds"]), 2)
    return {
        "gain on the new tissue": gain,
        "gain in accuracy × coverage": rise("new", "product"),
        "loss on the old tissue": round(lost, 4),
        "loss in accuracy × coverage": round(-rise("old", "product"), 4),
        "minutes of processor time": minutes,
        f"gain of at least {GAIN}": gain >= GAIN,
        f"loss of at most {LOSS}": lost <= LOSS,
        f"at most {MINUTES} minutes": minutes <= MINUTES,
    }


if __name__ == "__main__":
    main()
