"""A napari that is killed loses nothing of a session."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
import tifffile

from bcannot_core.sittings import SittingReader, list_sittings, look_at
from bcannot_core.volumes import open_volume
from napari_bcannot.controller import TraceController
from napari_bcannot.restoring import make_again, plan_of, put_back

KILLS = 20
PROGRAM = Path(__file__).with_name("crashing.py")


def run_and_kill(volume, root, seed):
    """Let napari trace and kill it at a random moment; return what it said it had done."""
    rng = random.Random(seed)
    words = [sys.executable, str(PROGRAM), str(volume), str(root), str(seed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        said = list(islice(said_by(child.stdout), rng.randint(1, 40)))
        time.sleep(rng.uniform(0, 0.1))  # anywhere between two events, or in one
        child.send_signal(signal.SIGKILL)
        said += list(said_by(child.stdout))
        complaint = child.stderr.read().decode()
    assert said, f"napari did not begin to trace: {complaint}"
    assert "Traceback" not in complaint, complaint
    return said


def said_by(output):
    """Yield what was said in whole lines; napari's notifications stand between them."""
    for line in output:
        if line.startswith(b"{") and line.endswith(b"\n"):
            yield json.loads(line)


def check_against(said, reader):
    """See that all that was said is in the folder, and at most one thing more of each kind."""
    clicks, tokens, facts = {}, {}, {}
    for line in said:
        if "clicks" in line:
            clicks[line["neurite"]] = line["clicks"]
            tokens[line["neurite"]] = line["token"]
        else:
            facts[line["neurite"]] = line
    more = 0
    for number, count in clicks.items():
        record = reader.facts.neurites[number]
        # killed just after Done was taken back, it may not have told of the new journal
        kept = [reader.journal(record, -1 - i).clicks for i in range(min(2, len(record.journals)))]
        whole = [each for each in kept if len(each) >= count]
        assert any(list(each[count - 1]) == tokens[number] for each in whole), (
            f"clicks of neurite {number} were lost"
        )
        more += len(whole[0]) - count
    assert more <= 40, "clicks that were never told of"  # a last action's, on its way
    changed = 0
    for number, line in facts.items():
        record = reader.facts.neurites[number]
        told = (line["name"], line["colour"], line["status"], not line["there"])
        kept = (record.facts.name, record.facts.colour, record.facts.status, record.removed)
        changed += told != kept
    assert changed <= 2, "what was said of neurites was lost"


@pytest.mark.slow
@pytest.mark.gui
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_at_random_moments_napari_loses_nothing(make_tube, tmp_path):
    tube = make_tube()
    path = tmp_path / "tube.tif"
    tifffile.imwrite(path, tube.array())
    events = 0
    for seed in range(KILLS):
        root = tmp_path / f"sessions {seed}"
        said = run_and_kill(path, root, seed)
        infos = list_sittings(root)
        assert [info.state for info in infos] == ["interrupted"], infos
        folder = infos[0].folder
        reader = SittingReader.open(folder)
        check_against(said, reader)
        check_restored(folder, path)
        events += len(said)
    assert events > 5 * KILLS


def check_restored(folder, path):
    """See that the session comes back as its clicks say, and goes on in its folder."""
    plan = plan_of(folder)
    assert plan.problems == ()
    volume = open_volume(str(path), voxel_nm=plan.voxel_nm)
    controller = TraceController()
    made = put_back(make_again(plan, volume), controller)
    reader = SittingReader.open(folder)
    assert len(made) == len(reader.neurites)
    for neurite, record in zip(made, reader.neurites, strict=True):
        clicks = reader.journal(record).clicks
        assert tuple(neurite.trace.session.clicks) == clicks
        assert neurite.name == record.facts.name
    before = len(clicks_in(folder))
    controller.next_section()
    controller.previous_section()
    assert len(clicks_in(folder)) >= before
    controller.close()
    assert look_at(folder).state == "closed"


def clicks_in(folder):
    reader = SittingReader.open(folder)
    return [token for record in reader.neurites for token in reader.journal(record).clicks]
