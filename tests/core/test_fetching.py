"""Looking at a pyramid never waits; what it lacks is fetched in the background, or cancelled."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bcannot_core.errors import VolumeFormatError, VolumeUnreachableError
from bcannot_core.volumes import Contrast, ScaleInfo, Volume
from bcannot_core.volumes import fetching as module
from bcannot_core.volumes.base import Box, Shape
from bcannot_core.volumes.cache import BlockCache, CachedSource, PaletteBlock, compact
from bcannot_core.volumes.fetching import Fetcher
from bcannot_core.volumes.multiscale import Pyramid, middle_first
from bcannot_core.volumes.volume import VolumeInfo

FINE: NDArray[np.uint8] = (
    np.random.default_rng(1).integers(1, 255, (8, 1024, 1280)).astype(np.uint8)
)
WHOLE: Box = (3, 4, 0, 1024, 0, 1280)


class Server:
    """What a volume is read from; it can be held up, fail, or have damaged parts."""

    concurrent = True

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.down = False
        self.damaged: set[Box] = set()
        self.reads: list[tuple[int, Box]] = []

    def source(self, level: int, array: NDArray[Any], chunks: Shape) -> Any:
        server = self

        class Source:
            shape: Shape = array.shape
            dtype = array.dtype
            concurrent = True

            def read(self, box: Box) -> NDArray[Any]:
                server.reads.append((level, box))
                assert server.open.wait(20)
                if server.down:
                    raise VolumeUnreachableError("the server is gone: ABORTED: curl 7")
                if box in server.damaged:
                    raise VolumeFormatError("half a chunk")
                return array[box[0] : box[1], box[2] : box[3], box[4] : box[5]]

        made = Source()
        made.chunks = chunks  # type: ignore[attr-defined]
        return made


def make_volume(
    server: Server, fine: NDArray[Any] = FINE, levels: int = 2, chunks: Shape = (4, 128, 128)
) -> Volume:
    """Return a volume of levels that are half as wide each."""
    arrays = [fine[:, :: 2**i, :: 2**i] for i in range(levels)]
    scales = tuple(
        ScaleInfo(i, str(i), a.shape, (30.0, 4.0 * 2**i, 4.0 * 2**i)) for i, a in enumerate(arrays)
    )
    known: dict[int, Volume] = {}

    def reopen(index: int) -> Volume:
        if index not in known:
            info = VolumeInfo("v", scales[index].voxel_nm, scales, index)
            source = server.source(index, arrays[index], chunks)
            known[index] = Volume(source, info, Contrast(0, 255), reopen)
        return known[index]

    return reopen(0)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it does not come"
        threading.Event().wait(0.002)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.open.set()


@pytest.fixture
def fetcher(server: Server) -> Iterator[Fetcher]:
    made = Fetcher(Pyramid(make_volume(server)))
    yield made
    made.close()
    server.open.set()
    until(lambda: made.idle)


# --------------------------------------------------------------------------------- pyramid
def test_levels_go_down_to_a_small_overview(server: Server) -> None:
    wide = np.zeros((3, 1500, 5000), np.uint8)
    pyramid = Pyramid(make_volume(server, wide, levels=1))
    assert [level.shape for level in pyramid.levels] == [
        (3, 1500, 5000),
        (3, 750, 2500),
        (3, 375, 1250),
        (3, 188, 625),
    ]
    assert pyramid.levels[3].voxel_nm == (30.0, 32.0, 32.0)
    assert pyramid.stored == 1


def test_a_level_that_is_not_stored_shows_every_nth_voxel(server: Server) -> None:
    wide = np.random.default_rng(2).integers(1, 255, (2, 700, 2100)).astype(np.uint8)
    pyramid = Pyramid(make_volume(server, wide, levels=1))
    box = (1, 2, 5, 300, 7, 1001)
    assert np.array_equal(pyramid.read(1, box)[0], wide[1, ::2, ::2][5:300, 7:1001])
    picture, missing = pyramid.peek(1, box)
    assert not missing
    assert np.array_equal(picture[0], wide[1, ::2, ::2][5:300, 7:1001])
    assert np.array_equal(pyramid.read(2, (0, 1, 0, 175, 0, 525))[0], wide[0, ::4, ::4])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_there_is_shown_exactly(data: st.DataObject) -> None:
    pyramid = PYRAMID
    level = data.draw(st.integers(0, len(pyramid.levels) - 1))
    box: list[int] = []
    for size in pyramid.levels[level].shape:
        low = data.draw(st.integers(0, size - 1))
        box += [low, data.draw(st.integers(low + 1, size))]
    z0, z1, y0, y1, x0, x1 = box
    where = (z0, z1, y0, y1, x0, x1)
    exact = pyramid.read(level, where)
    picture, missing = pyramid.peek(level, where)
    assert not missing
    assert np.array_equal(picture, exact)
    step = 2**level
    assert np.array_equal(exact, FINE[:, ::step, ::step][z0:z1, y0:y1, x0:x1])


PYRAMID = Pyramid(make_volume(Server(), levels=2))


def test_what_is_missing_is_shown_from_a_coarser_level(server: Server) -> None:
    pyramid = Pyramid(make_volume(server))
    pyramid.read(1, (3, 4, 0, 512, 0, 640))
    picture, missing = pyramid.peek(0, WHOLE)
    assert len(missing) == 80
    assert np.array_equal(picture[0, ::2, ::2], FINE[3, ::2, ::2])
    assert np.array_equal(picture[0, 1::2, 1::2], FINE[3, ::2, ::2])


def test_a_picture_too_large_for_the_cache_is_planned_coarser(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyramid = Pyramid(make_volume(server))
    cache = BlockCache(5 * 2**20)
    for source in pyramid.sources:
        monkeypatch.setattr(source, "_cache", cache)
    plan = pyramid.plan(0, WHOLE)
    assert plan is not None
    assert (plan[0], len(plan[1])) == (1, 20)
    cache.budget_bytes = 2**16
    assert pyramid.plan(0, WHOLE) is None


def test_blocks_in_the_middle_come_first(server: Server) -> None:
    plan = Pyramid(make_volume(server)).plan(0, WHOLE)
    assert plan is not None
    (_, y, x) = plan[1][0].block
    assert (y, x) in {(3, 4), (3, 5), (4, 4), (4, 5)}
    assert middle_first([]) == []


@pytest.mark.parametrize("kind", ["<u4", "<u8", "<i8"])
@pytest.mark.parametrize("count", [1, 5, 300, 70_000])
def test_ids_are_kept_small_and_come_back(kind: str, count: int) -> None:
    rng = np.random.default_rng(count)
    low = 0 if kind[1] == "u" else -50
    ids = (rng.choice(2**31 - 100, count, replace=False) + low).astype(kind)
    block = np.append(ids, ids[rng.integers(0, count, 80 * 1000 - count)]).reshape(8, 100, 100)
    kept = compact(block)
    assert np.array_equal(kept[:, 3:50, ::2], block[:, 3:50, ::2])
    if count <= 300:
        assert isinstance(kept, PaletteBlock)
        assert kept.nbytes < block.nbytes / 1.5
    else:
        assert kept is not block


def test_labels_are_read_through_the_cache_as_they_are() -> None:
    ids = np.random.default_rng(0).integers(0, 5, (6, 300, 300)).astype(np.uint64) + 2**60
    server = Server()
    source = CachedSource(server.source(0, ids, (4, 64, 64)), BlockCache())
    for _ in range(2):
        assert np.array_equal(source.read((1, 5, 10, 290, 3, 200)), ids[1:5, 10:290, 3:200])
    assert len(server.reads) == 1


# --------------------------------------------------------------------------------- fetching
def test_looking_does_not_wait_and_what_lacks_comes(server: Server, fetcher: Fetcher) -> None:
    server.open.clear()
    begun: list[Fetcher] = []
    fetcher.woken = begun.append
    assert not fetcher.look(0, WHOLE).any()
    state = fetcher.state()
    assert (state.waiting, state.total, state.busy, begun) == (80, 80, True, [fetcher])
    server.open.set()
    until(lambda: not fetcher.state().busy)
    assert np.array_equal(fetcher.look(0, WHOLE)[0], FINE[3])
    assert fetcher.version == 80
    until(lambda: fetcher.idle)
    assert threading.active_count() < 20


def test_no_block_is_fetched_twice(server: Server, fetcher: Fetcher) -> None:
    for _ in range(3):
        fetcher.look(0, WHOLE)
        fetcher.look(1, (3, 4, 0, 512, 0, 640))
    until(lambda: fetcher.idle)
    fine = [box for level, box in server.reads if level == 0]
    assert len(fine) == len(set(fine))


def test_the_newest_look_counts(server: Server, fetcher: Fetcher) -> None:
    server.open.clear()
    fetcher.look(0, (0, 1, 0, 1024, 0, 1280))
    until(lambda: len(server.reads) == module.THREADS)
    fetcher.look(0, (7, 8, 0, 128, 0, 128))
    assert fetcher.state().waiting == 1
    server.open.set()
    until(lambda: not fetcher.state().busy)
    until(lambda: fetcher.idle)
    upper = [box for level, box in server.reads if level == 0 and box[0] == 0]
    assert len(upper) <= module.THREADS + 1, "what nobody looks at any more was fetched"
    assert np.array_equal(fetcher.look(0, (7, 8, 0, 128, 0, 128))[0], FINE[7, :128, :128])


def test_the_small_picture_does_not_end_the_fetching_of_the_large_one(
    server: Server, fetcher: Fetcher
) -> None:
    server.open.clear()
    fetcher.look(0, WHOLE)
    fetcher.look(1, (3, 4, 0, 512, 0, 640))
    assert fetcher.state().waiting == 80 + 20
    server.open.set()
    until(lambda: not fetcher.state().busy)
    assert np.array_equal(fetcher.look(0, WHOLE)[0], FINE[3])


def test_neighbouring_sections_are_there_before_they_are_asked_for(
    server: Server, fetcher: Fetcher
) -> None:
    box = (3, 4, 0, 256, 0, 256)
    fetcher.look(0, box)
    until(lambda: not fetcher.state().busy)
    until(lambda: fetcher.idle)
    reads = len(server.reads)
    for z in range(8):  # the blocks are four sections deep: both are there
        assert np.array_equal(fetcher.look(0, (z, z + 1, 0, 256, 0, 256))[0], FINE[z, :256, :256])
    assert len(server.reads) == reads


def test_a_cancelled_picture_is_not_fetched_until_another_is_looked_at(
    server: Server, fetcher: Fetcher
) -> None:
    server.open.clear()
    fetcher.look(0, WHOLE)
    until(lambda: len(server.reads) == module.THREADS)
    fetcher.cancel()
    assert not fetcher.state().busy
    fetcher.look(0, WHOLE)
    fetcher.look(1, (3, 4, 0, 512, 0, 640))
    assert not fetcher.state().busy
    server.open.set()
    until(lambda: fetcher.idle)
    assert len(server.reads) == module.THREADS
    fetcher.look(0, (4, 5, 0, 1024, 0, 1280))
    until(lambda: not fetcher.state().busy)
    assert np.array_equal(fetcher.look(0, (4, 5, 0, 1024, 0, 1280))[0], FINE[4])


def test_a_dead_server_is_said_and_asked_again_when_the_person_wants(
    server: Server, fetcher: Fetcher
) -> None:
    server.down = True
    fetcher.look(0, WHOLE)
    until(lambda: fetcher.state().failed and fetcher.idle)
    state = fetcher.state()
    assert (state.message, state.busy) == ("the server is gone", False)
    reads = len(server.reads)
    assert reads <= module.THREADS
    fetcher.look(0, WHOLE)
    assert len(server.reads) == reads, "a server that is down is asked at every look"
    server.down, version = False, fetcher.version
    fetcher.retry()
    assert fetcher.version > version
    assert not fetcher.state().failed
    fetcher.look(0, WHOLE)
    until(lambda: not fetcher.state().busy)
    assert np.array_equal(fetcher.look(0, WHOLE)[0], FINE[3])


def test_a_dead_server_is_asked_again_after_a_while(
    server: Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.down = True
    fetcher.look(0, WHOLE)
    until(lambda: fetcher.state().failed and fetcher.idle)
    assert not fetcher.retry_due
    server.down = False
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    assert fetcher.retry_due
    fetcher.look(0, WHOLE)
    until(lambda: not fetcher.state().busy)
    assert not fetcher.state().failed


def test_a_damaged_part_is_black_and_the_rest_is_there(server: Server, fetcher: Fetcher) -> None:
    server.damaged.add((0, 4, 128, 256, 256, 384))
    fetcher.look(0, WHOLE)
    until(lambda: not fetcher.state().busy)
    expected = FINE[3].copy()
    expected[128:256, 256:384] = 0
    assert np.array_equal(fetcher.look(0, WHOLE)[0], expected)
    assert "half a chunk" in fetcher.state().message
    assert not fetcher.state().failed


def test_a_slow_server_is_said(
    server: Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.open.clear()
    fetcher.look(0, WHOLE)
    assert not fetcher.state().slow
    monkeypatch.setattr(module, "SLOW_S", 0.0)
    assert fetcher.state().slow


def test_what_does_not_fit_beside_others_is_not_fetched_for_ever(
    server: Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = BlockCache(12 * 2**20)
    for source in fetcher.pyramid.sources:
        monkeypatch.setattr(source, "_cache", cache)
    fetcher.look(0, WHOLE)
    until(lambda: not fetcher.state().busy and fetcher.idle)
    cache.budget_bytes = 2**20  # somebody else fills the cache
    cache.put((-1, 0, 0, 0), np.zeros(2**19, np.uint8))
    cache.budget_bytes = 12 * 2**20
    version = fetcher.version
    fetcher.look(0, WHOLE)
    assert not fetcher.state().busy
    until(lambda: fetcher.idle)  # its neighbours may be fetched, beside which it has no room
    assert fetcher.version == version, "each look asks for the next one"
    fetcher.look(0, (4, 5, 0, 1024, 0, 1280))
    fetcher.look(0, WHOLE)
    until(lambda: not fetcher.state().busy)
    assert np.array_equal(fetcher.look(0, WHOLE)[0], FINE[3])


def test_a_closed_fetcher_fetches_nothing(server: Server, fetcher: Fetcher) -> None:
    fetcher.close()
    fetcher.look(0, WHOLE)
    assert not fetcher.state().busy
    assert server.reads == []


def test_exact_reading_waits(fetcher: Fetcher) -> None:
    assert np.array_equal(fetcher.read(0, WHOLE)[0], FINE[3])


EXITING = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from test_fetching import Server, WHOLE, make_volume
from bcannot_core.volumes.fetching import Fetcher
from bcannot_core.volumes.multiscale import Pyramid
server = Server()
server.open.clear()
later = threading.Timer(0.5, server.open.set)
later.daemon = True  # else its end would be waited for first
later.start()
fetcher = Fetcher(Pyramid(make_volume(server)))
fetcher.look(0, WHOLE)
import atexit
from bcannot_core.volumes import fetching
atexit.unregister(fetching.end_fetching)
atexit.register(lambda: print(len(server.reads), fetcher.idle))
atexit.register(fetching.end_fetching)
"""


def test_the_end_of_the_process_waits_for_what_is_being_read_and_no_more() -> None:
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", EXITING, here]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    reads, idle = done.stdout.split()
    assert idle == "True"
    assert int(reads) <= module.THREADS
