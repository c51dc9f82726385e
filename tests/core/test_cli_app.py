"""The command line as a whole: help, exit codes, one-line errors, start-up."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.cli import app, common, main
from bcannot_core.errors import BcannotError, UsageError

COMMANDS = [module.NAME for module in app.COMMANDS]


def process(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bcannot_core.cli", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli: Any, command: str) -> None:
    code, out, err = cli(command, "--help")
    assert code == 0 and err == ""
    example = out[out.index("Example:") :]
    assert f"bcannot {command}" in example


def test_help_lists_every_command(cli: Any) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    assert all(f"  {command} " in out for command in COMMANDS)


def test_no_arguments_show_help(cli: Any) -> None:
    assert cli() == cli("--help")


def test_version(cli: Any) -> None:
    code, out, _ = cli("--version")
    assert code == 0 and out.startswith("bcannot 0.")


@pytest.mark.parametrize("argv", [["nonsense"], ["volumes", "--nonsense"], ["volumes", "a", "b"]])
def test_wrong_usage_is_one_line_and_exits_with_2(cli: Any, argv: list[str]) -> None:
    code, out, err = cli(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("bcannot: ") and "--help" in err


def raising(error: BaseException) -> Any:
    def open_volume(*_args: object, **_options: object) -> None:
        raise error

    return open_volume


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BcannotError("the file\nis bad"), 1),
        (UsageError("three numbers, please"), 2),
        (OSError(28, "No space left on device", "/x"), 1),
        (KeyError("surprise"), 1),
        (KeyboardInterrupt(), 1),
    ],
)
def test_errors_are_one_line_with_an_exit_code(
    cli: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    monkeypatch.setattr("bcannot_core.volumes.opening.open_volume", raising(error))
    found, out, err = cli("volumes", "x.tif")
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert "Traceback" not in err


def test_what_the_system_says_names_the_file_and_no_number(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(28, "No space left on device", "/x")
    monkeypatch.setattr("bcannot_core.volumes.opening.open_volume", raising(error))
    assert cli("volumes", "x.tif") == (1, "", "bcannot: /x: No space left on device\n")


def test_json_that_cannot_be_written_is_refused_before_the_work(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "r.json"):
        code, out, err = cli("tasks", "--json", path)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"{path} cannot be written" in err


@pytest.mark.parametrize("budget", ["nan", "-1"])
@pytest.mark.parametrize("command", ["train", "finetune"])
def test_a_budget_that_is_none_is_refused(
    cli: Any, tmp_path: Path, command: str, budget: str
) -> None:
    code, _, err = cli(command, "dots", "--out", tmp_path / "run", "--budget", budget)
    assert (code, err.count("\n")) == (2, 1) and "--budget" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_lets_the_error_through(place: int) -> None:
    argv = ["volumes", "/there/is/no/such.tif"]
    argv.insert(place, "--debug")
    with pytest.raises(BcannotError, match="no/such"):
        main(argv)


def test_debug_shows_a_traceback_in_a_real_process() -> None:
    quiet = process("volumes", "/there/is/no/such.tif")
    loud = process("--debug", "volumes", "/there/is/no/such.tif")
    assert quiet.returncode == loud.returncode == 1
    assert "Traceback" not in quiet.stderr and quiet.stderr.count("\n") == 1
    assert "Traceback" in loud.stderr


def test_help_loads_nothing_heavy() -> None:
    probe = (
        "import sys\nfrom bcannot_core.cli.app import run\nrun(['--help'])\n"
        "heavy = {'torch', 'numpy', 'scipy', 'tensorstore', 'napari', 'matplotlib', 'pyarrow'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_closed_pipe_is_no_traceback() -> None:
    code = f"{sys.executable} -m bcannot_core.cli --help | true"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr


def test_files_are_written_also_when_nobody_reads_the_table(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = (sys.executable, "-m", "bcannot_core.cli", "tasks", "--json", str(tmp_path / "t.json"))
    with os.fdopen(writing) as gone:
        done = subprocess.run(words, stdout=gone, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "cell_lineage" in (tmp_path / "t.json").read_text()


def test_the_console_script_is_installed() -> None:
    script = Path(sys.executable).with_name("bcannot")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0


# ------------------------------------------------------------------------ shared by the commands


@given(st.tuples(*[st.floats(-1e6, 1e6)] * 3))
def test_three_numbers_come_back(values: tuple[float, float, float]) -> None:
    assert common.zyx(",".join(map(repr, values)), "--start") == values


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3,4", "a,b,c", "1,nan,3", "1,inf,2", "1;2;3"])
def test_what_is_not_three_numbers_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="--start"):
        common.zyx(text, "--start")


@pytest.mark.parametrize("text", ["0,1,1", "10,-1,10"])
def test_voxels_have_a_size(text: str) -> None:
    with pytest.raises(UsageError, match="not positive"):
        common.voxel_size(text)


def test_json_is_written_whole_and_plain(tmp_path: Path) -> None:
    result = {
        "float": np.float32(0.5),
        "array": np.arange(3),
        "nothing": float("nan"),
        "path": tmp_path,
        "nested": {"tuple": (np.int64(1), True)},
    }
    target = tmp_path / "deep" / "result.json"
    common.write_json(target, result)
    assert json.loads(target.read_text()) == {
        "float": 0.5,
        "array": [0, 1, 2],
        "nothing": None,
        "path": str(tmp_path),
        "nested": {"tuple": [1, True]},
    }
    assert list(target.parent.iterdir()) == [target]


def test_json_goes_into_a_device_or_pipe_as_it_is() -> None:
    done = process("tasks", "--json", "/dev/stderr")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr)["tasks"]


def test_a_table_in_a_pipe_is_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    common.table(("a", "b"), [(1, "x y")])
    assert capsys.readouterr().out == "a\tb\n1\tx y\n"


def test_no_progress_bar_outside_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with common.progress("work", 3) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")
