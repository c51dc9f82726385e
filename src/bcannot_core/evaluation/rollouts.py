"""Sessions of a policy, kept as a dataset: to look at, to draw in a report, to learn from."""

from hashlib import blake2b
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
        """Write what was kept into a dataset's folder, as one shard.

        Its name follows from what is in it: the sessions of other policies stay beside it, and the
        same evaluation done again adds nothing.
        """
        folder.mkdir(parents=True, exist_ok=True)
        of = self.evaluation
        episodes = [episode for _, episode in sorted(self._kept, key=lambda one: one[0])]
        digest = blake2b(self.policy.encode(), digest_size=4)
        for episode in episodes:
            places = [(click.x, click.y) for click in episode.clicks]
            digest.update(repr((episode.seed, places)).encode())
        variant = of.variant.replace(":", "-")
        name = f"rollouts-{of.task}-{variant}-{of.seed}-{digest.hexdigest()}.parquet"
        write_shard(folder / name, episodes)
        return folder / name
