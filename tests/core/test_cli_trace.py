"""``bcannot trace``: one and many traces, and every kind of bad input."""

import json
import subprocess
import sys
from concurrent.futures import BrokenExecutor, CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CentrePolicy

from bcannot_core.errors import UsageError, VolumeUnreachableError
from bcannot_core.tracing import trace_many
from bcannot_core.tracing.starts import read_starts
from bcannot_core.volumes import read_swc

GIB = 2**30


@pytest.fixture
def volume(tmp_path: Path, labelled_npz: Path) -> Path:
    """The grey values alone, as a file without a voxel size."""
    path = tmp_path / "em.npy"
    with np.load(labelled_npz) as arrays:
        np.save(path, arrays["em"])
    return path


def test_a_trace_is_written_in_nanometres(
    cli: Any, tmp_path: Path, volume: Path, centre_policy: Path
) -> None:
    out, report = tmp_path / "n.swc", tmp_path / "r.json"
    argv = ("--policy", centre_policy, "--sections", 10, "--voxel-nm", "30,10,10")
    code, said, err = cli(
        "trace", volume, "--start", "2,20,60", "--out", out, "--json", report, *argv
    )
    assert (code, err) == (0, "")
    skeleton = read_swc(out)
    expected = [[(2 + i) * 30.0, 200.0, 600.0] for i in range(10)]
    np.testing.assert_allclose(skeleton.zyx_nm, expected)
    assert skeleton.parents.tolist() == list(range(-1, 9))
    (entry,) = json.loads(report.read_text())["traces"]
    assert entry["nodes"] == 10 and entry["stopped"] == "done" and entry["start_zyx"] == [2, 20, 60]
    assert "n.swc" in said and "done" in said


def test_backwards_and_every_other_section(
    cli: Any, tmp_path: Path, volume: Path, centre_policy: Path
) -> None:
    out = tmp_path / "n.csv"
    argv = ("--policy", centre_policy, "--sections", 10, "--voxel-nm", "30,10,10", "--out", out)
    assert cli("trace", volume, "--start", "11,20,60", "--z-step", 2, "--backwards", *argv)[0] == 0
    rows = out.read_text().splitlines()
    zs = [float(row.split(",")[3]) for row in rows[1:]]
    assert zs == [11 * 60 - 60 * i for i in range(10)]


def test_many_start_points_give_a_folder(
    cli: Any, tmp_path: Path, volume: Path, centre_policy: Path
) -> None:
    starts = tmp_path / "starts.csv"
    starts.write_text("name,x,y,z\na,60,20,2\nb,20,70,4\n")
    argv = ("--policy", centre_policy, "--sections", 10, "--out", tmp_path / "all")
    assert cli("trace", volume, "--starts", starts, *argv)[0] == 0
    first, second = sorted((tmp_path / "all").iterdir())
    assert [first.name, second.name] == ["a.swc", "b.swc"]
    assert read_swc(first).zyx_nm[0].tolist() == [20, 200, 600]
    assert read_swc(second).zyx_nm[0].tolist() == [40, 700, 200]


def nanometres(folder: Path) -> Path:
    """A start point in section 6 of 30 nm, at voxel 20, 60 of 10 nm."""
    path = folder / "nm.csv"
    path.write_text("z_nm,y_nm,x_nm\n180,200,600\n")
    return path


@pytest.mark.parametrize(("z_step", "z"), [(1, 6), (3, 2)])
def test_nanometres_become_voxels_of_the_sections_traced(
    cli: Any, tmp_path: Path, volume: Path, centre_policy: Path, z_step: int, z: int
) -> None:
    report, out = tmp_path / "r.json", tmp_path / "all"
    argv = ("--policy", centre_policy, "--sections", 2, "--z-step", z_step, "--out", out)
    starts = ("--starts", nanometres(tmp_path), "--voxel-nm", "30,10,10", "--json", report)
    assert cli("trace", volume, *starts, *argv)[0] == 0
    (entry,) = json.loads(report.read_text())["traces"]
    assert entry["start_zyx"] == [z, 20, 60]
    assert read_swc(out / "00000.swc").zyx_nm[0].tolist() == [180, 200, 600]


def test_nanometres_take_the_voxel_size_that_the_volume_states(
    cli: Any, tmp_path: Path, labelled_npz: Path, centre_policy: Path
) -> None:
    report = tmp_path / "r.json"
    argv = ("--policy", centre_policy, "--sections", 2, "--out", tmp_path / "all")
    starts = ("--starts", nanometres(tmp_path), "--json", report)
    assert cli("trace", labelled_npz, *starts, *argv)[0] == 0
    assert json.loads(report.read_text())["traces"][0]["start_zyx"] == [6, 20, 60]


def test_nanometres_in_a_volume_of_unknown_voxels_ask_for_their_size(
    cli: Any, tmp_path: Path, volume: Path, random_policy: Path
) -> None:
    argv = ("--starts", nanometres(tmp_path), "--policy", random_policy)
    code, out, err = cli("trace", volume, *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "nm.csv, line 1" in err and "--voxel-nm" in err


def test_a_size_of_voxels_that_is_a_guess_is_said(
    cli: Any, tmp_path: Path, labelled_npz: Path, centre_policy: Path
) -> None:
    with np.load(labelled_npz) as arrays:
        np.save(tmp_path / "em.npy", arrays["em"])
    argv = ("--start", "2,20,60", "--policy", centre_policy, "--out", tmp_path / "n.swc")
    code, _, err = cli("trace", tmp_path / "em.npy", *argv)
    assert code == 0 and err.startswith("note: ") and err.count("\n") == 1
    assert "em.npy states no voxel size, 10,10,10 nm was taken: give --voxel-nm" in err
    assert cli("trace", tmp_path / "em.npy", *argv, "--voxel-nm", "30,8,8")[::2] == (0, "")


def truncated(folder: Path) -> Path:
    path = folder / "cut.npz"
    np.savez(path, em=np.zeros((8, 64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:3000])
    return path


def one_section(folder: Path) -> Path:
    np.save(folder / "one.npy", np.zeros((1, 64, 64), np.uint8))
    return folder / "one.npy"


def two_axes(folder: Path) -> Path:
    np.save(folder / "flat.npy", np.zeros((64, 64), np.uint8))
    return folder / "flat.npy"


def missing(folder: Path) -> Path:
    return folder / "missing.tif"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (missing, "missing.tif"),
        (truncated, "cut.npz"),
        (two_axes, "flat.npy"),
        (one_section, "one section"),
    ],
)
def test_bad_volumes_are_one_line_and_1(
    cli: Any, tmp_path: Path, centre_policy: Path, make: Any, named: str
) -> None:
    argv = ("--start", "0,20,20", "--policy", centre_policy, "--out", tmp_path / "n.swc")
    code, out, err = cli("trace", make(tmp_path), *argv)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert named in err
    assert not (tmp_path / "n.swc").exists()


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (("--start", "2,20,200"), "outside"),
        (("--start", "99,20,20"), "outside"),
        (("--start", "2,20"), "--start"),
        (("--start", "nan,2,2"), "--start"),
        ((), "--starts"),
        (("--start", "2,20,20", "--starts", "s.csv"), "--starts"),
        (("--starts", "no-such.csv"), "no-such.csv"),
        (("--start", "2,20,20", "--out", "n.txt"), "n.txt"),
        (("--start", "2,20,20", "--voxel-nm", "0,1,1"), "--voxel-nm"),
        (("--start", "2,20,20", "--nm-per-px", "-1"), "nm_per_px"),
        (("--start", "2,20,20", "--sections", "0"), "sections"),
        (("--start", "2,20,20", "--device", "abacus"), "abacus"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    cli: Any, volume: Path, random_policy: Path, argv: tuple[str, ...], named: str
) -> None:
    code, out, err = cli("trace", volume, "--policy", random_policy, *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err


def another_version(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "version": 99}))


def cut_weights(folder: Path) -> None:
    (path,) = folder.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:500])


def no_weights(folder: Path) -> None:
    (path,) = folder.glob("*.safetensors")
    path.unlink()


def another_screen(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["policy"]["frame_wh"] = [640, 480]
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("damage", [another_version, cut_weights, no_weights, another_screen])
def test_bad_policies_are_one_line_and_1(
    cli: Any, tmp_path: Path, volume: Path, random_policy: Path, damage: Any
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for file in random_policy.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    damage(folder)
    argv = ("--start", "2,20,20", "--policy", folder, "--out", tmp_path / "n.swc")
    code, out, err = cli("trace", volume, *argv)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert not (tmp_path / "n.swc").exists()


def test_an_unknown_policy_is_1(cli: Any, volume: Path) -> None:
    code, _, err = cli("trace", volume, "--start", "2,20,20", "--policy", "no-such-policy")
    assert code == 1 and "no-such-policy" in err


def test_what_was_traced_before_the_server_went_is_kept(
    cli: Any, tmp_path: Path, volume: Path, centre_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bcannot_core.volumes import Volume

    read = Volume.section_grey

    def failing(self: Volume, z: int, *box: int) -> Any:
        if z >= 6:
            raise VolumeUnreachableError("the server of em does not answer: try again later")
        return read(self, z, *box)

    monkeypatch.setattr(Volume, "section_grey", failing)
    out = tmp_path / "n.swc"
    argv = ("--start", "2,20,60", "--policy", centre_policy, "--sections", 10, "--out", out)
    code, _, err = cli("trace", volume, *argv)
    assert (code, err.count("\n")) == (1, 1)
    assert "does not answer" in err and "--start 5,20,60" in err
    assert len(read_swc(out)) == 4


@pytest.mark.parametrize("death", [BrokenExecutor("killed"), CancelledError()])
def test_what_was_traced_before_a_process_died_is_kept(
    cli: Any, tmp_path: Path, volume: Path, centre_policy: Path, death: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def dying(grey: Any, points: Any, _policy: Any, options: Any, **_: Any) -> Any:
        yield from trace_many(grey, points[:1], CentrePolicy(10), options)
        raise death

    monkeypatch.setattr("bcannot_core.tracing.trace_many", dying)
    starts, out, report = tmp_path / "s.csv", tmp_path / "traces", tmp_path / "r.json"
    starts.write_text("z,y,x\n2,20,60\n2,70,60\n")
    argv = ("--starts", starts, "--policy", centre_policy, "--out", out, "--json", report)
    code, _, err = cli("trace", volume, *argv, "--workers", 2)
    assert (code, err.count("\n")) == (1, 1)
    assert "memory enough" in err and "1 of 2" in err and "a fault of" not in err
    assert len(read_swc(out / "00000.swc")) == 10
    (entry,) = json.loads(report.read_text())["traces"]
    assert entry["nodes"] == 10


def test_a_file_that_cannot_be_written_is_1(
    cli: Any, tmp_path: Path, volume: Path, centre_policy: Path
) -> None:
    (tmp_path / "file").write_text("")
    argv = ("--start", "2,20,60", "--policy", centre_policy, "--out", tmp_path / "file" / "n.swc")
    code, _, err = cli("trace", volume, *argv)
    assert (code, err.count("\n")) == (1, 1)


# ----------------------------------------------------------------------------- start points


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3\n4,5,6\n",
        "z,y,x\n1,2,3\n4,5,6\n",
        "X, Y ,Z,id\n3,2,1,a\n6,5,4,b\n",
        "\ufeff1,2,3\n\n4,5,6",
    ],
)
def test_start_points_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text, encoding="utf-8")
    assert read_starts(path) == [(1, 2, 3), (4, 5, 6)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no start points"),
        ("1,2\n", "line 1"),
        ("1,2,3\n4,five,6\n", "line 2"),
        ("z,y,x\n", "no start points"),
    ],
)
def test_bad_start_points_name_the_line(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=named):
        read_starts(path)


def test_a_binary_file_holds_no_start_points(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes(bytes(range(256)))
    with pytest.raises(UsageError):
        read_starts(tmp_path / "s.csv")


# --------------------------------------------------------------------------- a very large volume


@pytest.mark.slow
def test_memory_stays_small_on_100_gigabytes(tmp_path: Path, random_policy: Path) -> None:
    side, depth = 20_000, 260
    assert side * side * depth > 100e9
    folder = tmp_path / "large"
    folder.mkdir()
    scale = {
        "key": "10_10_30",
        "size": [side, side, depth],
        "resolution": [10, 10, 30],
        "voxel_offset": [0, 0, 0],
        "chunk_sizes": [[128, 128, 16]],
        "encoding": "raw",
    }
    info = {
        "@type": "neuroglancer_multiscale_volume",
        "type": "image",
        "data_type": "uint8",
        "num_channels": 1,
        "scales": [scale],
    }
    (folder / "info").write_text(json.dumps(info))
    program = (
        "import pathlib, sys\n"
        "from bcannot_core.cli.app import run\n"
        "code = run(sys.argv[1:])\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print('PEAK', status.split('VmHWM:')[1].split()[0])\n"
        "sys.exit(code)\n"
    )
    argv = ["trace", f"precomputed://{folder}", "--start", "100,9000,9000", "--sections", "50"]
    options = ["--policy", str(random_policy), "--out", str(tmp_path / "n.swc")]
    done = subprocess.run(
        [sys.executable, "-c", program, *argv, *options],
        capture_output=True,
        text=True,
        timeout=280,
    )
    peak = int(done.stdout.split("PEAK")[1]) * 1024
    assert "Traceback" not in done.stderr
    assert peak < 1.5 * GIB
