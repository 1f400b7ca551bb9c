"""Held images are shown to who decides about them: drawn at the edge, kept nowhere, and no address says who they are of."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless

from imaging.edge import preview
from imaging.edge.home import Home
from imaging.edge.page import entry
from imaging.edge.preview import Drawer, NotDrawable
from tests.imaging.edge.browser import Browser
from tests.imaging.edge.parts import LOCAL_ID, REPOSITORY, EdgeProcess, Platform, ct, rows, saved, send, until

Start = Callable[..., EdgeProcess]


def burned() -> np.ndarray:
    """Samples of tissue with a bright bar, as burned-in text is."""
    samples = np.full((16, 16), 1000, dtype=np.uint16) + np.arange(16, dtype=np.uint16)
    samples[2:4, 3:12] = 4095
    return samples


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    made = Drawer()
    yield made
    made.close()


def seen(drawer: Drawer, path: Path, frame: int = 0) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(drawer.picture(path, frame))))


def test_picture_shows_what_is_burned_in(drawer: Drawer, tmp_path: Path) -> None:
    path = saved(ct(1, PixelData=burned().tobytes()), tmp_path / "a.dcm")
    grey = seen(drawer, path)
    assert (grey.shape, grey.dtype, grey[2:4, 3:12].min(), grey[4:].max() < 20) == ((16, 16), np.uint8, 255, True)
    inverted = saved(ct(1, PixelData=burned().tobytes(), PhotometricInterpretation="MONOCHROME1"), tmp_path / "b.dcm")
    assert (seen(drawer, inverted) == 255 - grey).all()


def test_compressed_and_coloured_and_multi_frame_images_are_drawn(drawer: Drawer, tmp_path: Path) -> None:
    image = ct(1, Rows=64, Columns=64, PixelData=np.kron(burned(), np.ones((4, 4), dtype=np.uint16)).tobytes())
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    assert seen(drawer, saved(image, tmp_path / "j2k.dcm"))[10, 20] == 255
    colour = np.zeros((16, 16, 3), dtype=np.uint8)
    colour[5, 5] = (0, 0, 200)
    described = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB", "BitsAllocated": 8, "BitsStored": 8}
    rgb = ct(1, **described, HighBit=7, PixelData=colour.tobytes())
    assert np.argwhere(seen(drawer, saved(rgb, tmp_path / "rgb.dcm")) == 255).tolist() == [[5, 5]]
    frames = ct(1, NumberOfFrames=2, PixelData=np.full((16, 16), 7, dtype=np.uint16).tobytes() + burned().tobytes())
    path = saved(frames, tmp_path / "two.dcm")
    assert drawer.frames([path, tmp_path / "j2k.dcm", tmp_path / "nothing"]) == [2, 1, 0]
    assert (seen(drawer, path, 0).max(), seen(drawer, path, 1)[2, 5]) == (0, 255)


def test_what_cannot_be_drawn_is_said_and_costs_nobody_anything(drawer: Drawer, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"no image")
    short = saved(ct(1, PixelData=b"\0\0"), tmp_path / "short.dcm")
    for path in (tmp_path / "noise", short, tmp_path / "missing"):
        with pytest.raises(NotDrawable):
            drawer.picture(path, 0)


def test_evenly_grey_image_is_black() -> None:
    assert preview.through(np.full((2, 2), 5.0)).tolist() == [[0, 0], [0, 0]]


def test_held_images_are_looked_at_on_the_page(edge_home: Home, start_edge: Start) -> None:
    edge = start_edge(edge_home)
    assert send(edge.port, [ct(1, BurnedInAnnotation="YES", PixelData=burned().tobytes()), ct(2)]) == [0, 0]
    until(lambda: rows(edge_home, "SELECT count(*) FROM object") == [(2,)] and list(edge_home.quarantine.iterdir()), "held")
    stranger, browser = Browser(edge.where["http_port"]), Browser(edge.where["http_port"])
    browser.sign_in(entry.passcode_of(edge_home))
    [(name,)] = rows(edge_home, "SELECT name FROM object WHERE state = 'quarantined'")
    assert f"/quarantine/look/{name}" in browser.get("/quarantine").text
    page = browser.get(f"/quarantine/look/{name}")
    address = f"/quarantine/picture/{name}/0.png"
    assert address in page.text
    assert LOCAL_ID not in page.text
    answer = browser.get(address)
    assert (answer.status, answer.headers["Cache-Control"], answer.headers["Content-Type"]) == (200, "no-store", "image/png")
    assert np.asarray(Image.open(io.BytesIO(answer.body)))[2, 5] == 255
    assert stranger.get(address).url.endswith("/sign-in")
    [(other,)] = rows(edge_home, "SELECT name FROM object WHERE state <> 'quarantined'")
    for elsewhere in (other, "..%2Fedge.json", "x"):
        assert browser.get(f"/quarantine/picture/{elsewhere}/0.png").status == 404
        assert browser.get(f"/quarantine/look/{elsewhere}").status == 404


def test_refused_package_is_packed_again_once_its_cause_is_mended(edge_home: Home, platform: Platform, start_edge: Start) -> None:
    platform.says = "refused"
    edge = start_edge(edge_home)
    assert send(edge.port, [ct(1), ct(2)]) == [0, 0]
    until(lambda: rows(edge_home, "SELECT state FROM package") == [("refused",)], "refused")
    platform.says = "archived"
    command = [sys.executable, "-m", "imaging.edge", "repack", "1", "--dir", str(edge_home.directory), "--json", "--why", "enrolled now"]
    done = subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == {"waiting": 2}
    until(lambda: rows(edge_home, "SELECT seq, state FROM package ORDER BY seq") == [(1, "refused"), (2, "archived")], "archived anew")
    assert [opened.manifest["seq"] for opened in platform.opened.values()] == [2]
    assert rows(edge_home, "SELECT what, reason, why FROM act") == [("repacked", "duplicate", "enrolled now")]
    until(lambda: not [path for path in edge_home.outbox.rglob("*") if path.is_file()], "both packages are gone")
    assert json.loads(edge.get("/status"))["refused"] == {}
    again = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (again.returncode, "Package 1 is not one that was refused" in again.stderr) == (2, True)
