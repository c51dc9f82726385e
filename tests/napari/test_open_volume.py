"""*Open a volume* in a real viewer: servers on loopback, places, and what goes wrong."""

import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

pytestmark = pytest.mark.gui

RAW = np.random.default_rng(4).integers(1, 250, (12, 600, 700)).astype(np.uint8)
IDS = (RAW.astype(np.uint64) // 50) + 2**40
VOXEL_NM = (30, 8, 8)


def write_precomputed(folder, raw, levels=2, offset=(0, 0, 0), kind="image"):
    """Write a volume with tensorstore; each level is half as wide."""
    ts = pytest.importorskip("tensorstore")
    for level in range(levels):
        step = 2**level
        part = raw[:, ::step, ::step]
        coding = {"encoding": "raw"}
        if kind == "segmentation":
            coding = {
                "encoding": "compressed_segmentation",
                "compressed_segmentation_block_size": [8, 8, 8],
            }
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": str(folder)},
            "multiscale_metadata": {"type": kind, "data_type": str(raw.dtype), "num_channels": 1},
            "scale_metadata": {
                "size": part.shape[::-1],
                "resolution": [VOXEL_NM[2] * step, VOXEL_NM[1] * step, VOXEL_NM[0]],
                "voxel_offset": [offset[2] // step, offset[1] // step, offset[0]],
                "chunk_size": [64, 64, 4],
                **coding,
            },
            "create": True,
        }
        ts.open(spec).result()[..., 0].T.write(part).result()


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.gate.wait(20)
        if self.server.down:
            self.close_connection = True
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """Return a server of an image and ids; ``gate`` holds it up, ``down`` fails it."""
    write_precomputed(tmp_path / "em", RAW)
    write_precomputed(tmp_path / "moved", RAW, offset=(100, 2000, 4000))
    write_precomputed(tmp_path / "seg", IDS, kind="segmentation")
    http = Server(("127.0.0.1", 0), functools.partial(Handler, directory=tmp_path))
    http.gate, http.down = threading.Event(), False
    http.gate.set()
    http.url = f"precomputed://http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield http
    http.gate.set()
    http.shutdown()
    http.server_close()
    thread.join()


class Room:
    """A viewer with the docked widget, and a person's mouse."""

    def __init__(self, viewer, widget, qtbot, shown):
        self.viewer, self.widget, self.view, self.qtbot = viewer, widget, widget.view, qtbot
        self.shown = shown

    def until(self, condition):
        self.qtbot.waitUntil(condition, timeout=120_000)

    def press(self, name):
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        button = getattr(self.view, name)
        assert button.isEnabled(), f"{name} is greyed out"
        QTest.mouseClick(button, Qt.LeftButton)

    def write(self, field, words):
        from qtpy.QtTest import QTest

        line = getattr(self.view, field)
        line.clear()
        QTest.keyClicks(line, words)

    def open(self, address, labels=""):
        self.widget.use_address(address, labels)
        count = len(self.viewer.layers)
        more = 2 if labels.endswith("/seg") else 1
        self.press("open")
        self.until(lambda: len(self.viewer.layers) == count + more and not self.widget.opener.busy)
        self.fetched()
        return self.viewer.layers[count]

    @property
    def fetchers(self):
        from napari_bcannot.remote_layers import fetchers

        return fetchers(self.viewer.layers)

    def fetched(self):
        """Wait until all that is in view has come and is drawn."""
        from qtpy.QtWidgets import QApplication

        from napari_bcannot.fetching import Refresher

        QApplication.processEvents()
        self.until(lambda: not Refresher.shared().busy)

    def shown_section(self, layer):
        """Return what napari holds of a layer in view, and which level it is of."""
        return np.asarray(layer._slice.image.raw), layer.data_level


@pytest.fixture
def room(make_napari_viewer, qtbot, notices, monkeypatch, tmp_path):
    from napari_bcannot import opening
    from napari_bcannot.widgets.open_volume import OpenVolumeWidget

    monkeypatch.setattr(opening, "READ_TIMEOUT_S", 60.0)  # the machine may be busy
    for name in ("AHEAD", "BEHIND"):  # what a test looks at next has not come before it looks
        monkeypatch.setattr(f"bcannot_core.volumes.fetching.{name}", 0)
    config = tmp_path / "config"
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: config)
    viewer = make_napari_viewer()
    widget = OpenVolumeWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Open a volume", area="right")
    made = Room(viewer, widget, qtbot, notices)
    yield made
    widget.shut_down()
    made.until(lambda: all(fetcher.idle for fetcher in made.fetchers))


def test_image_and_ids_open_where_they_are_with_all_levels(room, server):
    layer = room.open(f"{server.url}/em", f"{server.url}/seg")
    ids = room.viewer.layers["seg"]
    assert layer.multiscale
    assert tuple(layer.scale) == tuple(ids.scale) == VOXEL_NM
    assert [str(unit) for unit in layer.units] == ["nanometer"] * 3
    assert not ids.editable
    assert room.viewer.layers.selection.active is layer
    assert room.view.progress.isHidden()
    for one, raw in ((layer, RAW), (ids, IDS)):
        picture, level = room.shown_section(one)
        z = round(room.viewer.dims.point[0] / 30)
        assert np.array_equal(np.unique(picture), np.unique(raw[z, :: 2**level, :: 2**level]))


def test_the_window_does_not_wait_for_a_server(room, server):
    layer = room.open(f"{server.url}/em")
    server.gate.clear()
    room.viewer.dims.set_point(0, 10 * 30)
    assert any(fetcher.state().busy for fetcher in room.fetchers)
    room.until(lambda: not room.view.progress.isHidden())
    assert room.view.cancel.isEnabled()
    before = room.shown_section(layer)[0].copy()
    server.gate.set()
    room.fetched()
    picture, level = room.shown_section(layer)
    assert not np.array_equal(picture, before)
    assert np.isin(picture, RAW[10, :: 2**level, :: 2**level]).all()


def test_exact_values_are_read_on_other_threads(room, server):
    layer = room.open(f"{server.url}/em")
    found = []
    thread = threading.Thread(target=lambda: found.append(np.asarray(layer.data[0][11])))
    thread.start()
    thread.join()
    assert np.array_equal(found[0], RAW[11])
    assert np.array_equal(np.asarray(layer.data[0]), RAW), "what is saved is not the volume"


def test_a_server_that_fails_is_said_and_asked_again(room, server):
    layer = room.open(f"{server.url}/em")
    server.down = True
    room.viewer.dims.set_point(0, 0)
    room.until(lambda: not room.view.retry.isHidden())
    assert [kind for kind, _ in room.shown] == ["warning"]
    assert "cannot be reached" in room.view.status.text()
    assert "\n" not in room.view.status.text()
    server.down = False
    room.press("retry")
    room.until(lambda: room.view.retry.isHidden())
    room.fetched()
    picture, level = room.shown_section(layer)
    assert np.isin(picture, RAW[0, :: 2**level, :: 2**level]).all()
    assert picture.any()


def test_fetching_can_be_cancelled(room, server):
    room.open(f"{server.url}/em")
    server.gate.clear()
    room.viewer.dims.set_point(0, 0)
    room.until(lambda: room.view.cancel.isEnabled())
    room.press("cancel")
    assert not any(fetcher.state().busy for fetcher in room.fetchers)
    assert "Cancelled" in room.view.status.text()
    server.gate.set()


def test_opening_can_be_cancelled(room, server):
    server.gate.clear()
    room.widget.use_address(f"{server.url}/em")
    room.press("open")
    assert not room.view.open.isEnabled()
    room.press("cancel")
    assert room.view.open.isEnabled()
    server.gate.set()
    room.qtbot.wait(300)
    assert len(room.viewer.layers) == 0


def test_nothing_at_the_address_is_one_line(room, server):
    room.widget.use_address(f"{server.url}/none")
    room.press("open")
    room.until(lambda: not room.widget.opener.busy)
    assert room.shown[-1][0] == "error"
    assert "\n" not in room.view.status.text()
    assert room.view.open.isEnabled()


def test_an_image_is_shown_even_if_its_ids_are_not_there(room, server):
    room.open(f"{server.url}/em", f"{server.url}/none")
    assert [layer.name for layer in room.viewer.layers] == ["em"]
    assert "segmentation" in room.shown[-1][1]


def test_a_place_is_gone_to_and_copied(room, server, qapp):
    room.open(f"{server.url}/em")
    room.write("place", "510, 320, 7")
    room.press("go")
    assert room.viewer.dims.point[0] == 7 * 30
    room.press("copy")
    assert qapp.clipboard().text() == "510, 320, 7"
    room.write("place", "5100, 320, 7")
    room.press("go")
    assert "outside" in room.view.status.text()
    room.write("place", "there")
    room.press("go")
    assert "no place" in room.view.status.text()


def test_a_volume_that_begins_elsewhere_has_its_own_coordinates(room, server, qapp):
    layer = room.open(f"{server.url}/moved")
    assert tuple(layer.translate) == (100 * 30, 2000 * 8, 4000 * 8)
    room.write("place", "4510, 2320, 107")
    room.press("go")
    room.press("copy")
    assert qapp.clipboard().text() == "4510, 2320, 107"
    assert round(float(layer.world_to_data(room.viewer.dims.point)[0])) == 7


def test_a_link_fills_in_volume_ids_and_place(room, server):
    state = {
        "dimensions": {"x": [8, "nm"], "y": [8, "nm"], "z": [30, "nm"]},
        "position": [300.5, 200.5, 5.5],
        "layers": [
            {"type": "image", "source": f"{server.url}/em"},
            {"type": "segmentation", "source": f"{server.url}/seg"},
        ],
    }
    room.view.place.setText(f"https://x.org/#!{json.dumps(state)}")
    room.view.place.textEdited.emit(room.view.place.text())
    assert room.view.address.text() == f"{server.url}/em"
    assert room.view.with_labels.isChecked()
    room.press("open")
    room.until(lambda: len(room.viewer.layers) == 2)
    assert room.viewer.dims.point[0] == 5 * 30


def test_a_level_is_chosen_as_the_finest(room, server):
    room.widget.use_address(f"{server.url}/em")
    room.press("look_up")
    room.until(lambda: room.view.finest.count() == 2)
    assert "700 × 600 × 12" in room.view.facts.text()
    room.view.finest.setCurrentIndex(1)
    room.press("open")
    room.until(lambda: len(room.viewer.layers) == 1 and not room.widget.opener.busy)
    room.fetched()
    layer = room.viewer.layers[0]
    assert tuple(layer.scale) == (30, 16, 16)
    room.viewer.dims.set_point(0, 3 * 30)
    room.fetched()
    assert np.array_equal(room.shown_section(layer)[0], RAW[3, ::2, ::2])


def test_the_catalogue_fills_in_addresses_and_learns_own_ones(room, server):
    titles = [room.view.catalogue.itemText(i) for i in range(room.view.catalogue.count())]
    assert sum("C. elegans" in title for title in titles) == 8
    room.view.catalogue.setCurrentIndex(next(i for i, t in enumerate(titles) if "H01" in t))
    assert room.view.address.text().startswith("precomputed://gs://h01-release")
    assert room.view.with_labels.isChecked()
    assert room.view.source.text()
    room.widget.use_address(f"{server.url}/em", f"{server.url}/seg")
    room.widget.remember("My tissue")
    room.view.catalogue.setCurrentIndex(room.view.catalogue.findText("My tissue"))
    assert room.view.labels.text() == f"{server.url}/seg"
    room.press("forget")
    assert room.view.catalogue.findText("My tissue") == -1


def test_the_address_is_there_at_the_next_start(room, server):
    from napari_bcannot.widgets.open_volume import OpenVolumeWidget

    room.open(f"{server.url}/em", f"{server.url}/seg")
    again = OpenVolumeWidget(room.viewer)
    room.qtbot.addWidget(again)
    assert again.view.address.text() == f"{server.url}/em"
    assert again.view.labels.text() == f"{server.url}/seg"
    again.shut_down()


def test_the_key_in_an_address_is_kept_nowhere(room, server, tmp_path):
    from napari_bcannot.settings import settings_path

    room.open(f"{server.url}/em?token=secret")
    room.widget.remember("Behind a key")
    assert "not kept" in room.view.status.text()
    remembered = next((tmp_path / "config").rglob("*.json"))
    kept = [path.read_text() for path in (settings_path(), remembered)]
    assert not any("secret" in text for text in kept)
    assert all(f"{server.url}/em" in text for text in kept)


def test_a_file_on_the_disk_opens_too(room, tmp_path):
    np.savez(tmp_path / "v.npz", em=RAW[:, :90, :90], voxel_nm=np.array([30.0, 8.0, 8.0]))
    layer = room.open(str(tmp_path / "v.npz"))
    assert np.array_equal(np.asarray(layer.data), RAW[:, :90, :90])
    assert not room.fetchers


def test_widgets_come_and_go_without_leaks(room, server, qapp):
    import gc

    from napari_bcannot.fetching import Refresher
    from napari_bcannot.widgets.open_volume import OpenVolumeWidget

    room.open(f"{server.url}/em")
    threads, listeners = threading.active_count(), len(Refresher.shared().changed)
    for _ in range(20):
        widget = OpenVolumeWidget(room.viewer)
        dock = room.viewer.window.add_dock_widget(widget, name="again")
        widget.use_address(f"{server.url}/em")
        room.viewer.window.remove_dock_widget(dock)
        assert not widget.is_open
        qapp.processEvents()
    room.until(lambda: all(fetcher.idle for fetcher in room.fetchers))
    del widget, dock
    gc.collect()
    assert len(Refresher.shared().changed) == listeners
    assert threading.active_count() <= threads


def test_of_more_axes_a_place_of_each_is_chosen(room, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    stack = np.random.default_rng(0).integers(0, 255, (3, 5, 2, 40, 50)).astype(np.uint8)
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TZCYX"})
    room.widget.use_address(str(path))
    room.press("open")
    room.until(lambda: not room.widget.opener.busy)
    assert set(room.view.places) == {"t", "c"}
    assert room.view.places["t"].maximum() == 2
    room.view.places["t"].setValue(2)
    room.view.places["c"].setValue(1)
    room.press("open")
    room.until(lambda: len(room.viewer.layers) == 1)
    assert np.array_equal(np.asarray(room.viewer.layers[0].data), stack[2, :, 1])
    room.widget.use_address(str(tmp_path / "other.tif"))
    assert not room.view.places


def test_axes_without_names_are_chosen_by_number(room, tmp_path):
    h5py = pytest.importorskip("h5py")
    stack = np.random.default_rng(0).integers(0, 255, (3, 2, 5, 40, 50)).astype(np.uint8)
    with h5py.File(tmp_path / "movie.h5", "w") as file:
        file.create_dataset("em", data=stack)
    room.widget.use_address(str(tmp_path / "movie.h5"))
    room.press("open")
    room.until(lambda: not room.widget.opener.busy)
    assert set(room.view.places) == {"0", "1"}
    room.view.places["0"].setValue(2)
    room.view.places["1"].setValue(1)
    room.press("open")
    room.until(lambda: len(room.viewer.layers) == 1)
    assert np.array_equal(np.asarray(room.viewer.layers[0].data), stack[2, 1])


def test_a_place_in_nanometres_is_found_in_a_layer_in_micrometres(room, qapp):
    room.viewer.add_image(
        np.zeros((20, 50, 60), np.uint8), scale=(0.03, 0.008, 0.008), units=("um",) * 3, name="um"
    )
    room.write("place", "240, 160, 300 nm")
    room.press("go")
    room.press("copy")
    assert qapp.clipboard().text() == "30, 20, 10"
    plain = room.viewer.add_image(np.zeros((20, 50, 60), np.uint8), name="plain")
    room.viewer.layers.selection.active = plain
    room.press("go")
    assert room.view.status.text().startswith("plain states no voxel size")


def test_a_place_is_found_whichever_axes_are_shown(room, qapp):
    layer = room.viewer.add_image(np.zeros((20, 50, 60), np.uint8), scale=(3, 1, 1), name="em")
    for order in ((1, 0, 2), (2, 1, 0), (2, 0, 1)):
        room.viewer.dims.order = order
        room.viewer.reset_view()
        room.write("place", "11, 7, 16")
        room.press("go")
        assert room.viewer.dims.point == layer.data_to_world((16, 7, 11))
        room.press("copy")
        assert qapp.clipboard().text() == "11, 7, 16"


def test_what_is_known_of_another_address_is_not_shown(room, monkeypatch):
    from napari_bcannot import opening

    look_up, go_on = opening.look_up, threading.Event()

    def slow(address):
        assert go_on.wait(60)
        return look_up(address)

    monkeypatch.setattr(opening, "look_up", slow)
    room.widget.use_address("synthetic://default?seed=1&shape=16,64,64")
    room.press("look_up")
    room.widget.use_address("synthetic://default?seed=1&shape=16,48,48")
    go_on.set()
    room.until(lambda: not room.widget.opener.busy)
    assert room.view.facts.text() == ""
    room.press("look_up")
    room.until(lambda: not room.widget.opener.busy)
    assert "48 × 48 × 16 voxels" in room.view.facts.text()


def test_axes_of_another_address_are_not_asked_for(room, tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    from napari_bcannot import opening

    movie = tmp_path / "movie.tif"
    tifffile.imwrite(movie, np.zeros((2, 5, 16, 16), np.uint8), metadata={"axes": "TZYX"})
    read, go_on = opening.read_request, threading.Event()

    def slow(request):
        assert go_on.wait(60)
        return read(request)

    monkeypatch.setattr(opening, "read_request", slow)
    room.widget.use_address(str(movie))
    room.press("open")
    room.widget.use_address("synthetic://default?seed=1&shape=16,48,48")
    go_on.set()
    room.until(lambda: not room.widget.opener.busy)
    assert room.view.chosen_places() == ""
    assert "movie.tif has more axes" in room.shown[-1][1]


def test_return_pressed_twice_opens_once(room):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    room.widget.use_address("synthetic://default?seed=1&shape=16,48,48")
    for _ in range(2):
        QTest.keyClick(room.view.address, Qt.Key_Return)
    room.until(lambda: not room.widget.opener.busy)
    assert len(room.viewer.layers) == 1


def test_volumes_are_remembered_under_any_title_and_none_takes_anothers_place(room):
    titles = ["皮質", "נוירון", "Cortex 1", "Cortex-1", "***"]
    for seed, title in enumerate(titles):
        room.widget.use_address(f"synthetic://default?seed={seed}&shape=16,48,48")
        room.widget.remember(title)
    room.widget.use_address("synthetic://default?seed=9&shape=16,48,48")
    room.widget.remember("Cortex 1")
    assert room.shown == []
    listed = room.view.catalogue
    own = [listed.itemData(i) for i in range(1, len(titles) + 1)]
    assert sorted(entry.title for entry in own) == sorted(titles)
    assert len({entry.name for entry in own}) == len(titles)
    (again,) = (entry.address for entry in own if entry.title == "Cortex 1")
    assert "seed=9" in again
