"""Places pasted from Neuroglancer and WEBKNOSSOS, and what untrusted text cannot do."""

import contextlib
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.errors import UsageError
from bcannot_core.volumes.places import MAX_LAYERS, Place, parse_place

VOXEL = (33.0, 4.0, 4.0)


def state(**changes: Any) -> dict[str, Any]:
    """Return a state as Neuroglancer writes it."""
    return {
        "dimensions": {"x": [4e-9, "m"], "y": [4e-9, "m"], "z": [3.3e-8, "m"]},
        "position": [100.5, 200.5, 33.5],
        "crossSectionScale": 2.0,
        "layers": [
            {"type": "image", "source": "precomputed://gs://bucket/em", "name": "raw"},
            {
                "type": "segmentation",
                "source": {"url": "gs://bucket/seg/|neuroglancer-precomputed:"},
                "name": "ids",
            },
        ],
    } | changes


def link(value: dict[str, Any]) -> str:
    return f"https://neuroglancer-demo.appspot.com/#!{quote(json.dumps(value))}"


@pytest.mark.parametrize(
    "text",
    [
        "12, 34, 56",
        "12 34 56",
        "(12, 34, 56)",
        "[12,34,56]",
        "z=56 y=34 x=12",
        "X: 12, Y: 34, Z: 56",
    ],
)
def test_coordinates_are_x_y_z_in_voxels(text: str) -> None:
    assert parse_place(text).voxel(VOXEL) == (56, 34, 12)


def test_coordinates_in_nanometres_fall_into_voxels() -> None:
    assert parse_place("45, 9, 70 nm").voxel(VOXEL) == (2, 2, 11)
    assert parse_place("0.045 0.009 0.07 µm").voxel(VOXEL) == (2, 2, 11)


def test_a_link_of_neuroglancer_states_place_zoom_and_volumes() -> None:
    place = parse_place(link(state()))
    assert place.voxel(VOXEL) == (33, 200, 100)
    assert place.nm_per_px == pytest.approx(8)
    assert place.address("em") == "precomputed://gs://bucket/em"
    assert place.address("labels") == "precomputed://gs://bucket/seg"
    assert parse_place(json.dumps(state())) == place


def test_the_order_and_the_units_of_its_dimensions_count() -> None:
    turned = state(
        dimensions={"z": [33, "nm"], "c": [1, ""], "y": [0.008, "um"], "x": [8, "nm"]},
        position=[33.5, 0, 100.5, 50.5],
    )
    assert parse_place(link(turned)).voxel(VOXEL) == (33, 201, 101)


def test_a_state_of_old_is_read() -> None:
    old = {
        "navigation": {
            "pose": {"position": {"voxelSize": [4, 4, 33], "voxelCoordinates": [100, 200, 33]}}
        },
        "layers": {"raw": {"type": "image", "source": "precomputed://https://x.org/em"}},
    }
    place = parse_place(link(old))
    assert place.voxel(VOXEL) == (33, 200, 100)
    assert place.address("em") == "precomputed://https://x.org/em"


@pytest.mark.parametrize(
    "text",
    [
        "https://webknossos.org/annotations/5f0#1406,1794,1560,0,0.186",
        "https://webknossos.org/datasets/a/b/view#1406,1794,1560,1,1.3,0,0,0",
        'https://webknossos.org/x#1406,1794,1560,0,1.3,1169,{"stateByLayer":{}}',
    ],
)
def test_a_link_of_webknossos_states_a_place(text: str) -> None:
    assert parse_place(text).voxel(VOXEL) == (1560, 1794, 1406)


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "precomputed:///etc",
        "precomputed://file:///etc",
        "../x",
        {"url": 3},
        [],
        None,
        "python://x",
        "precomputed://http://a b",
        "graphene://https://x.org/t",
    ],
)
def test_a_link_names_nothing_but_volumes_on_servers(source: Any) -> None:
    place = parse_place(link(state(layers=[{"type": "image", "source": source}])))
    assert place.layers == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no place"),
        ("1, 2", "no place"),
        ("__import__('os')", "no place"),
        ("1, 2, nan", "no place"),
        ("1e300, 0, 0", "outside any volume"),
        ("{", "not valid JSON"),
        ("{}", "neither a position"),
        ("[" * 100_000, "no place"),
        ('{"a":' * 100_000, "not valid JSON"),
        ("x" * 600_000, "characters"),
        ("https://x.org/#!gs://bucket/state.json", "lies elsewhere"),
        ("https://x.org/", "no position"),
        ("http://[", "no link"),
        (link(state(position=[1, 2])), "one number a dimension"),
        (link(state(position=[1, "a", 2])), "no coordinate"),
        (link(state(dimensions={"x": [0, "m"], "y": [1, "m"], "z": [1, "m"]})), "size"),
        (link(state(dimensions={"x": 1, "y": 1, "z": 1})), "no size"),
    ],
)
def test_what_is_no_place_is_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_place(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_no_more_layers_are_read_than_a_person_could_look_at() -> None:
    many = [{"type": "image", "source": "precomputed://gs://b/em"}] * (MAX_LAYERS + 100)
    assert len(parse_place(link(state(layers=many))).layers) == MAX_LAYERS


@given(st.text(max_size=200) | st.text('0123456789,.-+e nmxyz=:#!{}[]/h"', max_size=80))
def test_any_text_is_a_place_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(parse_place(text), Place)


@given(st.tuples(*[st.integers(0, 10**9)] * 3))
def test_what_is_copied_comes_back(zyx: tuple[int, int, int]) -> None:
    z, y, x = zyx
    assert parse_place(f"{x}, {y}, {z}").voxel(VOXEL) == zyx
    at = state(position=[x + 0.5, y + 0.5, z + 0.5])
    assert parse_place(link(at)).voxel(VOXEL) == zyx
