"""Datasets: what is written is read, and what is damaged is refused in one line."""

import contextlib
import errno
import pickle
import random
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.episodes import dataset, groups
from bcannot_core.episodes.dataset import EpisodeWriter, open_dataset, write_shard
from bcannot_core.episodes.episode import DataRef, Episode
from bcannot_core.episodes.pages import pages
from bcannot_core.episodes.schema import SCHEMA, encode, to_table
from bcannot_core.errors import DatasetError
from bcannot_core.session.clicks import ClickToken

REFERENCE = DataRef(
    "a.npz#box=0,9,0,9,0,9", (1, 2, 3), (30.0, 8.0, 8.5), (0.0, 255.0), "ab" * 8, "b.tif"
)


def make_episode(seed: int = 0, steps: int = 5, **changes: Any) -> Episode:
    """An episode with clicks like an annotator's."""
    rng = np.random.default_rng(abs(seed))
    clicks = []
    for i in range(steps):
        if i % 2:
            xy = 128 + rng.normal(0, 30, 2)
            clicks.append(
                ClickToken(*xy.astype(int).tolist(), "annotator", i % 9 == 0, 1289 + i, "place")
            )
        else:
            x, y = (rng.normal(0.5, 0.2, 2).clip(0.1, 0.9) * (80, 30)).astype(int).tolist()
            ms = int(rng.lognormal(6.2, 0.4))
            clicks.append(ClickToken(x + 300, y + 40, "annotator", 0, ms, "next_section"))
    values: dict[str, Any] = {
        "task": "neuron_tracing",
        "config": {"sections": 50, "nm_per_px": 10.0},
        "data": REFERENCE,
        "variant": "original",
        "seed": seed,
        "clicks": tuple(clicks),
        "meta": {"success": True},
    }
    return Episode(**{**values, **changes})


def dataset_with(path: Path, episodes: int, **options: Any) -> list[Episode]:
    made = [make_episode(i, steps=i % 7) for i in range(episodes)]
    with EpisodeWriter(path, **options) as writer:
        writer.extend(made)
    return made


plain = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | st.text()
json_values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(st.text(), json_values, max_size=3)
numbers = st.floats(-1e6, 1e6)
references = st.builds(
    DataRef,
    volume=st.text(),
    start_zyx=st.tuples(*[st.integers(-(2**40), 2**40)] * 3),
    voxel_nm=st.tuples(numbers, numbers, numbers),
    contrast=st.tuples(numbers, numbers),
    fingerprint=st.text(),
    labels=st.none() | st.text(),
)
tokens = st.builds(
    ClickToken,
    x=st.integers(0, 65535),
    y=st.integers(0, 65535),
    actor=st.sampled_from(["person", "policy", "annotator"]),
    flags=st.integers(0, 65535),
    ms=st.integers(0, 2**32 - 1),
    action=st.text(max_size=20),
)
episodes = st.builds(
    Episode,
    task=st.text(),
    config=mappings,
    data=st.none() | references,
    variant=st.text(),
    seed=st.integers(0, 2**63 - 1),
    clicks=st.lists(tokens, max_size=12).map(tuple),
    meta=mappings,
)


@given(written=st.lists(episodes, min_size=1, max_size=5))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, written: list[Episode]
) -> None:
    path = tmp_path_factory.mktemp("data")
    with EpisodeWriter(path) as writer:
        writer.extend(written)
    assert list(open_dataset(path)) == written


def test_any_order_and_any_slice_across_shards_and_row_groups(tmp_path: Path) -> None:
    made = dataset_with(tmp_path / "d", 1000, shard_episodes=600)
    data = open_dataset(tmp_path / "d")
    assert len(data.shards) == 2
    assert len(data) == 1000
    for i in random.Random(1).sample(range(-1000, 1000), 100):
        assert data[i] == made[i]
    assert data[590:610:3] == made[590:610:3]
    assert list(data) == made
    for i in (1000, -1001):
        with pytest.raises(IndexError):
            data[i]


def test_columns_with_one_value_an_episode(tmp_path: Path) -> None:
    made = dataset_with(tmp_path / "d", 20, shard_episodes=8)
    data = open_dataset(tmp_path / "d")
    assert data.column("steps").tolist() == [len(e) for e in made]
    assert set(data.column("task")) == {"neuron_tracing"}
    for name in ("x", "nothing"):
        with pytest.raises(DatasetError, match="no column"):
            data.column(name)


def test_a_click_takes_less_than_eight_bytes(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path / "d") as writer:
        writer.extend(make_episode(i, steps=110) for i in range(300))
    size = sum(file.stat().st_size for file in (tmp_path / "d").iterdir())
    assert size / (300 * 110) < 8


def test_appending_adds_a_shard_and_an_open_dataset_stays_as_it_was(tmp_path: Path) -> None:
    first = dataset_with(tmp_path / "d", 3)
    before = open_dataset(tmp_path / "d")
    second = dataset_with(tmp_path / "d", 4)
    assert list(before) == first
    assert list(open_dataset(tmp_path / "d")) == first + second
    assert [p.name for p in open_dataset(tmp_path / "d").shards] == [
        "episodes-00000.parquet",
        "episodes-00001.parquet",
    ]


APPEND = """
    import sys
    from bcannot_core.episodes.dataset import EpisodeWriter
    from bcannot_core.episodes.episode import Episode
    for i in range(5):
        with EpisodeWriter(sys.argv[1]) as writer:
            writer.append(Episode("t", {}, None, "original", int(sys.argv[2]) * 100 + i, ()))
"""


def test_writers_in_several_processes_never_overwrite_each_other(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(APPEND), str(tmp_path)]
    processes = [subprocess.Popen([*command, str(writer)]) for writer in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    seeds = sorted(episode.seed for episode in open_dataset(tmp_path))
    assert seeds == [writer * 100 + i for writer in range(3) for i in range(5)]


def test_a_writer_that_is_killed_leaves_no_half_shard(tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from bcannot_core.episodes import dataset
        from bcannot_core.episodes.episode import Episode
        def killed(*args): os.kill(os.getpid(), signal.SIGKILL)
        dataset.os.fsync = killed
        with dataset.EpisodeWriter(sys.argv[1]) as writer:
            writer.append(Episode("t", {}, None, "original", 0, ()))
    """
    first = dataset_with(tmp_path, 2)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=False)
    assert done.returncode == -9
    assert list(open_dataset(tmp_path)) == first


def test_a_dataset_goes_to_workers_and_reads_there(tmp_path: Path) -> None:
    made = dataset_with(tmp_path / "d", 10)
    data = open_dataset(tmp_path / "d")
    assert data[3] == made[3]
    copy = pickle.loads(pickle.dumps(data))
    assert list(copy) == made
    assert len(pickle.dumps(data)) < 2000


def test_several_datasets_and_single_shards_open_as_one(tmp_path: Path) -> None:
    first, second = dataset_with(tmp_path / "a", 3), dataset_with(tmp_path / "b", 2)
    shard = next((tmp_path / "b").glob("*.parquet"))
    assert list(open_dataset(tmp_path / "a", shard)) == first + second


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"clicks": (ClickToken(70_000, 1),)}, "x is 70000"),
        ({"clicks": (ClickToken(1, -1),)}, "y is -1"),
        ({"clicks": (ClickToken(1, 1, ms=2**32),)}, "ms is"),
        ({"clicks": (ClickToken(1, 10**30),)}, "y is 1000"),
        ({"config": {"a": object()}}, "JSON"),
        ({"meta": {"a": float("nan")}}, "JSON"),
    ],
)
def test_an_episode_that_cannot_be_stored_is_refused_at_once(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with EpisodeWriter(tmp_path) as writer:
        with pytest.raises(DatasetError, match=message):
            writer.append(make_episode(**changes))
        writer.append(make_episode())
    assert list(open_dataset(tmp_path)) == [make_episode()]


def test_a_full_disk_keeps_the_episodes_for_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = EpisodeWriter(tmp_path)
    writer.append(make_episode())

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bcannot_core.episodes.dataset.os.fsync", full)
        with pytest.raises(DatasetError, match="No space left"):
            writer.flush()
    assert list(tmp_path.iterdir()) == []
    writer.close()
    assert list(open_dataset(tmp_path)) == [make_episode()]


def test_nothing_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no dataset at"):
        open_dataset(tmp_path / "none")
    with pytest.raises(DatasetError, match="is empty"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no dataset was named"):
        open_dataset()
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot make dataset"):
        EpisodeWriter(tmp_path / "file")


def rewritten(path: Path, **changes: Any) -> None:
    """Write the one shard of a dataset again with another schema or table."""
    shard = next(path.glob("*.parquet"))
    table = pq.read_table(shard)
    if "metadata" in changes:
        table = table.replace_schema_metadata(changes["metadata"])
    for name, values in changes.get("columns", {}).items():
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, values)
    if "drop" in changes:
        table = table.drop_columns([changes["drop"]])
    pq.write_table(table, shard)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata": {}}, "not a shard of a bcannot dataset"),
        (
            {"metadata": {b"bcannot.format": b"bcannot-dataset", b"bcannot.version": b"9"}},
            "version '9'",
        ),
        ({"drop": "ms"}, "column 'ms' is missing"),
        ({"columns": {"seed": pa.array(["1", "2"])}}, "column 'seed' is of type string"),
        ({"columns": {"config": pa.array(["[]", "{"])}}, "not a JSON object"),
        ({"columns": {"steps": pa.array([1, 1], pa.int32())}}, "does not have 'steps' values"),
        ({"columns": {"x": pa.array([None, [1]], pa.list_(pa.uint16()))}}, "empty entries"),
        ({"columns": {"x": pa.array([[None], [1]], pa.list_(pa.uint16()))}}, "empty entries"),
        ({"columns": {"start_zyx": pa.array([[1], [1]], pa.list_(pa.int64()))}}, "reference"),
        ({"columns": {"contrast": pa.array([None, None], pa.list_(pa.float64()))}}, "reference"),
    ],
)
def test_a_shard_that_is_not_what_it_should_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with EpisodeWriter(tmp_path) as writer:
        writer.extend([make_episode(0, 2), make_episode(1, 2)])
    rewritten(tmp_path, **changes)
    with pytest.raises(DatasetError, match=message) as error:
        list(open_dataset(tmp_path))
    assert "\n" not in str(error.value)


def test_columns_that_are_not_known_are_ignored(tmp_path: Path) -> None:
    made = dataset_with(tmp_path, 3)
    shard = next(tmp_path.glob("*.parquet"))
    table = pq.read_table(shard)
    pq.write_table(table.append_column("mood", pa.array(["good"] * 3)), shard)
    assert list(open_dataset(tmp_path)) == made


DAMAGE = """
    import random, sys
    from pathlib import Path
    from bcannot_core.episodes.dataset import open_dataset
    from bcannot_core.errors import DatasetError
    source, rng = Path(sys.argv[1]), random.Random(3)
    whole, work = source.read_bytes(), source.with_name("work.parquet")
    good = list(open_dataset(source))
    refused = 0
    for i in range(400):
        data = bytearray(whole)
        if i % 4 == 0:
            del data[rng.randrange(len(data)):]
        else:
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        work.write_bytes(data)
        try:
            found = list(open_dataset(work))
        except DatasetError as error:
            assert len(str(error).splitlines()) == 1, error
            refused += 1
        else:
            assert len(found) == len(good)
    assert refused > 300, refused
"""


def test_truncated_and_bit_flipped_shards_are_refused(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path) as writer:
        writer.extend(make_episode(i, 20) for i in range(20))
    shard = next(tmp_path.glob("*.parquet"))
    subprocess.run([sys.executable, "-c", textwrap.dedent(DAMAGE), str(shard)], check=True)


def test_a_shard_of_nothing_and_one_of_something_else(tmp_path: Path) -> None:
    for content in (b"", b"PAR1", b"not parquet at all" * 100):
        (tmp_path / "a.parquet").write_bytes(content)
        with pytest.raises(DatasetError, match=r"a\.parquet is damaged"):
            open_dataset(tmp_path)


def shard_of(path: Path, rows: int, **columns: pa.Array) -> Path:
    """Write a shard of empty episodes with some columns; codes into dictionaries stay so."""
    table = to_table([encode(make_episode(i, 0)) for i in range(rows)])
    for name, values in columns.items():
        index = table.schema.get_field_index(name)
        table = table.set_column(index, pa.field(name, values.type, nullable=False), values)
    target = path / "a.parquet"
    options = {"compression": "zstd", "store_schema": False, "write_statistics": False}
    with pq.ParquetWriter(target, table.schema, **options) as writer:
        writer.add_key_value_metadata(SCHEMA.metadata)
        writer.write_table(table)
    return target


def repeated(text: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))


@pytest.mark.parametrize("column", ["meta", "action"])
def test_texts_that_are_long_when_decoded_are_refused_before(tmp_path: Path, column: str) -> None:
    texts: pa.Array = repeated("x" * 1_000_000, 300)
    if column == "action":
        texts = pa.ListArray.from_arrays(pa.array(range(301), pa.int32()), texts)
    shard = shard_of(tmp_path, 300, **{column: texts})
    assert shard.stat().st_size < 20_000
    data = open_dataset(shard)
    with pytest.raises(DatasetError, match=rf"a\.parquet.*300\d+ bytes .*'{column}'") as error:
        data[0]
    assert "\n" not in str(error.value)
    with pytest.raises(DatasetError, match=f"column '{column}'"):
        list(data.tables([column]))


def test_a_text_that_is_very_long_is_refused(tmp_path: Path) -> None:
    shard = shard_of(tmp_path, 1, meta=pa.array(["x" * 17_000_000]))
    with pytest.raises(DatasetError, match="one of 17000000"):
        list(open_dataset(shard))


def test_long_texts_are_read_whole(tmp_path: Path) -> None:
    made = [make_episode(i, 3, meta={"note": f"{i}" * 100_000}) for i in range(30)]
    write_shard(tmp_path / "a.parquet", made)
    assert list(open_dataset(tmp_path)) == made


def test_a_column_over_all_row_groups_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_with(tmp_path, 600)
    monkeypatch.setattr(dataset, "_MAX_COLUMN_BYTES", 4_000)
    assert open_dataset(tmp_path).column("steps").nbytes == 2400
    with pytest.raises(DatasetError, match="too large to be read at once"):
        open_dataset(tmp_path).column("task")


def test_more_values_than_a_row_group_may_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shard(tmp_path / "a.parquet", [make_episode(0, 600)])
    monkeypatch.setattr(groups, "_MAX_VALUES", 1000)
    with pytest.raises(DatasetError, match=r"a\.parquet: row group 0 .* column 'y', 600 values"):
        list(open_dataset(tmp_path))
    monkeypatch.setattr(groups, "_MAX_VALUES", 10_000)
    shard = shard_of(tmp_path, 1, start_zyx=pa.array([[1] * 50], pa.list_(pa.int64())))
    with pytest.raises(DatasetError, match="column 'start_zyx', 51 values"):
        list(open_dataset(shard))


def varint(value: int) -> bytes:
    """A whole number of a Parquet footer, in the three bytes that 150,001 takes."""
    return bytes(value * 2 >> shift & 127 | (128 if shift < 14 else 0) for shift in (0, 7, 14))


def test_pages_are_believed_more_than_the_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = pa.array([[0] * 150_001], pa.list_(pa.uint16()))
    shard = shard_of(tmp_path, 1, x=clicks)
    whole = shard.read_bytes()
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    shard.write_bytes(whole[:start] + whole[start:].replace(varint(150_001), varint(5)))
    assert pq.read_metadata(shard).row_group(0).column(11).num_values == 5
    monkeypatch.setattr(groups, "_MAX_VALUES", 10_000)
    with pytest.raises(DatasetError, match=r"column 'x', \d+ values or more"):
        list(open_dataset(shard))


@given(data=st.binary(max_size=60), values=st.integers(0, 10))
def test_any_bytes_are_pages_or_refused(data: bytes, values: int) -> None:
    with contextlib.suppress(ValueError):
        for page in pages(data, 0, values):
            assert page.decompressed >= 0
            assert page.values >= 0


def test_pages_are_those_that_were_written(tmp_path: Path) -> None:
    made = [make_episode(0, 3000, meta={"a": "b" * 5000})]
    table = to_table([encode(one) for one in made])
    pq.write_table(table, tmp_path / "a.parquet", data_page_size=500, data_page_version="2.0")
    column = pq.read_metadata(tmp_path / "a.parquet").row_group(0).column(11)
    start = min(column.data_page_offset, column.dictionary_page_offset)
    data = (tmp_path / "a.parquet").read_bytes()
    found = list(pages(data, start, column.num_values))
    assert sum(page.values for page in found[1:]) == 3000
    assert sum(page.decompressed for page in found) <= column.total_uncompressed_size
    assert list(open_dataset(tmp_path)) == made


def test_a_footer_that_pyarrow_does_not_bear_is_refused(tmp_path: Path) -> None:
    shard = tmp_path / "a.parquet"
    pq.write_table(to_table([encode(make_episode(0, 9))]), shard)
    whole = shard.read_bytes()
    for place in range(len(whole) - 8 - int.from_bytes(whole[-8:-4], "little"), len(whole) - 8):
        shard.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            pq.ParquetFile(shard).read_row_group(0)
        except (pa.ArrowException, OSError) as error:
            if "histogram" in str(error):
                break
    else:
        pytest.skip("this pyarrow writes no histograms")
    code = """
        import sys
        from bcannot_core.episodes.dataset import open_dataset
        from bcannot_core.errors import DatasetError
        try:
            list(open_dataset(sys.argv[1]))
        except DatasetError as error:
            print(error)
    """  # asked about such columns pyarrow ends the process
    command = [sys.executable, "-c", textwrap.dedent(code), str(shard)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "histogram" in done.stdout


def test_a_named_shard_replaces_the_one_of_that_name(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_shard(tmp_path / "a.parquet", [make_episode(seed)])
    assert list(open_dataset(tmp_path)) == [make_episode(2)]
    assert pq.read_schema(tmp_path / "a.parquet").names == SCHEMA.names


def test_every_column_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    columns = text.partition("\nColumns:\n")[2].partition("\n## ")[0]
    assert [name for name in SCHEMA.names if f"`{name}`" not in columns] == []
