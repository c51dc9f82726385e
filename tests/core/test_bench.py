"""The measurements of speed, against a clock that the measured objects move themselves."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bcannot_core.evaluation import bench_latency, bench_render
from bcannot_core.evaluation.bench_latency import action_times, measure_latency, run_length
from bcannot_core.evaluation.bench_render import measure_render


class Clock:
    """Time that passes only when somebody lets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        """Half of the time is somebody else's."""
        return self.now / 2


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (bench_latency, bench_render):
        times = SimpleNamespace(perf_counter=clock.perf_counter, process_time=clock.process_time)
        monkeypatch.setattr(module, "time", times)
    return clock


class SlowingPolicy:
    """Takes 10 ms, and ``growth`` seconds more with every step of its history."""

    def __init__(self, clock: Clock, growth: float = 0.0) -> None:
        self.clock, self.growth = clock, growth
        self.steps = 0
        self.resets = 0

    def reset(self) -> None:
        self.steps = 0
        self.resets += 1

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        self.clock.now += 0.010 + self.growth * self.steps
        self.steps += 1
        return self.steps, 0


class ShortSession:
    """Ends after seven clicks; drawing takes 1 ms and a click 1 ms."""

    made = 0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.clicks = 0
        type(self).made += 1

    @property
    def terminated(self) -> bool:
        return self.clicks >= 7

    def frame(self) -> np.ndarray:
        self.clock.now += 0.001
        return np.zeros((4, 4, 3), np.uint8)

    def apply(self, click_xy: tuple[int, int], actor: str = "person") -> SimpleNamespace:
        assert not self.terminated and actor == "policy"
        self.clock.now += 0.001
        self.clicks += 1
        return SimpleNamespace(action="place")


def test_a_constant_policy_has_a_flat_latency(clock: Clock) -> None:
    figures = measure_latency(SlowingPolicy(clock), lambda: ShortSession(clock), repeats=2)
    assert figures["median_ms"] == pytest.approx(12.0)
    assert figures["p95_ms"] == pytest.approx(12.0)
    assert figures["ratio_step500_step10"] == pytest.approx(1.0)
    assert figures["steps"] == 2 * run_length()


def test_a_policy_that_slows_down_is_seen(clock: Clock) -> None:
    policy = SlowingPolicy(clock, growth=0.012 / 490)
    figures = measure_latency(policy, lambda: ShortSession(clock), repeats=1)
    assert figures["ratio_step500_step10"] == pytest.approx(2.0, rel=0.03)
    assert figures["step500_ms"] > figures["step10_ms"]


def test_a_machine_that_slows_down_is_not_the_policys_fault(clock: Clock) -> None:
    class Tired(SlowingPolicy):
        def act(self, frame: np.ndarray) -> tuple[int, int]:
            self.clock.now += 0.02 * self.clock.now
            return super().act(frame)

    figures = measure_latency(Tired(clock), lambda: ShortSession(clock), repeats=1)
    assert figures["ratio_step500_step10"] < 1.0


def test_actions_are_compared_with_their_like(clock: Clock) -> None:
    class Moody(ShortSession):
        """A click that places takes 20 ms more; there are more of them late than early."""

        def apply(self, click_xy: tuple[int, int], actor: str = "person") -> SimpleNamespace:
            super().apply(click_xy, actor)
            step = click_xy[0]
            places = step % 2 == 0 if step < 100 else step % 4 > 0
            self.clock.now += 0.020 * places
            return SimpleNamespace(action="place" if places else "next_section")

    figures = measure_latency(SlowingPolicy(clock), lambda: Moody(clock), repeats=1)
    assert figures["ratio_step500_step10"] == pytest.approx(1.0)
    assert figures["step10_ms"] == pytest.approx(22.0)


def test_the_history_goes_on_over_sessions(clock: Clock) -> None:
    policy = SlowingPolicy(clock)
    ShortSession.made = 0
    advanced: list[int] = []
    run = action_times(policy, lambda: ShortSession(clock), 20, advanced.append)
    assert (policy.resets, policy.steps, ShortSession.made) == (1, 20, 3)
    assert len(run.seconds) == len(run.actions) == len(advanced) == 20


class TimedEnv:
    """An environment whose reset takes 10 ms and whose five steps take 2 ms each."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seeds: list[int | None] = []
        self.left = 0

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        self.clock.now += 0.010
        self.seeds.append(seed)
        self.left = 5
        return None, {}

    def step(self, click: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.left > 0
        self.clock.now += 0.002
        self.left -= 1
        return None, 0.0, self.left == 0, False, {}


def test_frames_per_second_count_everything(clock: Clock) -> None:
    env = TimedEnv(clock)

    def annotator(_seed: int) -> Any:
        def act() -> tuple[int, int]:
            clock.now += 0.001
            return 0, 0

        return SimpleNamespace(act=act)

    figures = measure_render(env, annotator, seconds=1.0, seed=5)
    # an episode is 6 frames in 10 + 5 * (2 + 1) = 25 ms
    assert figures["frames_per_s"] == pytest.approx(6 / 0.025)
    assert figures["frames_per_cpu_s"] == pytest.approx(2 * 6 / 0.025)
    assert figures["step_us"] == pytest.approx(2000)
    assert figures["episodes"] == 40 and figures["frames"] == 240
    assert env.seeds == list(range(5, 46))
