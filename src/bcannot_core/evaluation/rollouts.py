"""Sessions of a policy, kept as a dataset: to look at, to draw in a report, to learn from."""

from pathlib import Path
from typing import TYPE_CHECKING

from bcannot_core.episodes.shards import write_shard
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.evaluation.judged import EpisodeResult
from bcannot_core.evaluation.tasks import TaskEvaluation
from bcannot_core.session import Session

if TYPE_CHECKING:
    from bcannot_core.episodes.episode import Episode


class Rollouts:
    """Collects what a policy did.

    Parameters
    ----------
    policy : str
        Its name.
    evaluation : TaskEvaluation
        What it was evaluated on.
    """

    def __init__(self, policy: str, evaluation: TaskEvaluation) -> None:
        self.policy, self.evaluation = policy, evaluation
        self._kept: list[tuple[int, Episode]] = []

    def keep(self, session: Session, result: EpisodeResult) -> None:
        """Keep a session with its result."""
        meta = {
            "policy": self.policy,
            "success": bool(result.score.get("success", False)),
            "done": result.done,
            "mistakes": result.mistakes,
        }
        episode = episode_of(session, meta, seed=result.seed)
        self._kept.append((result.number, episode))

    def write(self, folder: Path) -> Path:
        """Write what was kept into a dataset's folder, a shard for each task and seed."""
        folder.mkdir(parents=True, exist_ok=True)
        of = self.evaluation
        path = folder / f"rollouts-{of.task}-{of.variant.replace(':', '-')}-{of.seed}.parquet"
        write_shard(path, [episode for _, episode in sorted(self._kept, key=lambda one: one[0])])
        return path
