"""Start points from tables, other than what the command line's tests read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.errors import UsageError
from bcannot_core.tracing.starts import MOST_BYTES, NamedStart, read_named_starts, read_starts


def table(folder: Path, text: str) -> Path:
    path = folder / "starts.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,z,y,x\nleft,1,2,3\n,4,5,6\n", [((1, 2, 3), "left"), ((4, 5, 6), "")]),
        # napari's own table of a points layer
        ("index,axis-0,axis-1,axis-2\n0.0,4.0,5.5,6.0\n", [((4, 5.5, 6), "")]),
        ("id,x,y,z\n7,3,2,1,rest\n", [((1, 2, 3), "7")]),
        ("# from somewhere\n1,2,3\n", [((1, 2, 3), "")]),
        # numpy.savetxt puts a mark before the header
        ("# of x, y, z\n# x,y,z,name\n3,2,1,a\n", [((1, 2, 3), "a")]),
    ],
)
def test_columns_are_found_by_their_names(tmp_path, text, expected):
    assert read_named_starts(table(tmp_path, text)) == [NamedStart(*row) for row in expected]


def test_nanometres_become_voxels_where_the_voxel_size_is_known(tmp_path):
    path = table(tmp_path, "x_nm,y_nm,z_nm,label\n30,20,90,a\n")
    assert read_named_starts(path, (30.0, 10.0, 10.0)) == [NamedStart((3, 2, 3), "a")]
    with pytest.raises(UsageError, match=r"line 1: z_nm,y_nm,x_nm .*give --voxel-nm"):
        read_named_starts(path)


@pytest.mark.parametrize("cell", ["nan", "inf", "", "1;2"])
def test_what_is_no_finite_number_is_named_by_its_line(tmp_path, cell):
    with pytest.raises(UsageError, match=r"line 3.*not 3 numbers"):
        read_starts(table(tmp_path, f"z,y,x\n1,2,3\n1,{cell},3\n"))


def test_a_file_too_large_for_a_table_is_not_read(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(UsageError, match="larger than"):
        read_starts(path)


@given(st.lists(st.tuples(*[st.floats(-1e9, 1e9)] * 3), min_size=1, max_size=20))
def test_any_points_that_were_written_are_read_again(tmp_path_factory, points):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text("z,y,x\n" + "".join(f"{z!r},{y!r},{x!r}\n" for z, y, x in points))
    assert read_starts(path) == points
