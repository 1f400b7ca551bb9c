"""Asks the limited processes to read, draw and measure: no byte of a stranger's file is interpreted in the worker itself (NW-06)."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

_GIB = 2**30
_SECONDS_AT_LEAST, _SECONDS_EACH = 30, 0.2
_CHECK_SECONDS, _DRAFT_SECONDS, _MEASURE_SECONDS = 180, 600, 1800
_NOT_INSTALLED = ("ModuleNotFoundError", "ImportError")
_EXIT_UNREADABLE = 3  # as imaging.parser documents; importing it here would load pydicom into every process


class Unparseable(Exception):
    """An object cannot be read or drawn within the limits, now or later; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ParserStopped(Exception):
    """The limited process was ended from outside (a shutdown, a machine short of memory): try again later."""


@dataclass(frozen=True)
class Header:
    """What one DICOM object says, and in `identity` what it should not say (codes; see `imaging.identity`)."""

    identity: list[str]
    sop_class: str
    transfer_syntax: str
    lossy: bool
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    modality: str
    study_date: str
    acquired: str
    instance_number: int | None
    facts: dict[str, str]
    frames: list[dict[str, Any]]
    references: dict[str, list[str]]


@dataclass(frozen=True)
class Drawing:
    """One slice through one window: the PNG file and the window it shows."""

    window: str
    center: float
    width: float
    file: Path


def headers(paths: Sequence[Path], study_number: str) -> list[Header]:
    """The headers of DICOM files, in their order. Raises Unparseable, ParserStopped."""
    answers = _run("headers", [{"path": str(path), "study_number": study_number} for path in paths], memory=2 * _GIB)
    return [Header(**answer) for answer in answers]


def draw(slices: Sequence[tuple[Path, int]], directory: Path, *, whole: bool = False) -> list[list[Drawing]]:
    """Draw (file, frame) pairs into PNG files in `directory`, one list of windows for each; `whole` keeps the values instead.

    Raises Unparseable, ParserStopped.
    """
    asked = [{"path": str(path), "frame": frame, "out": str(directory / f"{i}"), "whole": whole} for i, (path, frame) in enumerate(slices)]
    return [
        [Drawing(one["name"], one["center"], one["width"], Path(one["file"])) for one in answer["windows"]]
        for answer in _run("draw", asked, memory=4 * _GIB)
    ]


def check_mask(mask: Path, images: Sequence[Path], out: Path, *, segment: int | None, said: dict[str, str], dicom: str) -> dict[str, Any]:
    """What `imaging.measurer check` says of a reader's file and a series; `segment` names the region in a file that holds several.

    An aligned mask stands as DICOM under the name `dicom` beside `out`, with what is `said` of it. Raises Unparseable, ParserStopped.
    """
    asked = {
        "mask": str(mask), "images": [str(path) for path in images], "out": str(out), "segment": segment, "said": said, "dicom": dicom
    }  # fmt: skip
    [answer] = _run("check", [asked], memory=8 * _GIB, program="imaging.measurer", seconds=_CHECK_SECONDS)
    return answer


def draft(images: Sequence[Path], out: Path, *, box: Sequence[int], segmenter: str) -> dict[str, Any]:
    """What `imaging.measurer draft` marks in a box of a series, by the segmenter of that name. Raises Unparseable, ParserStopped."""
    asked = {"images": [str(path) for path in images], "out": str(out), "box": list(box), "segmenter": segmenter}
    [answer] = _run("draft", [asked], memory=8 * _GIB, program="imaging.measurer", seconds=_DRAFT_SECONDS)
    return answer


def measure(mask: Path, images: Sequence[Path], profile: str) -> dict[str, Any]:
    """What `imaging.measurer measure` says of a kept mask on its series. Raises Unparseable, ParserStopped."""
    asked = {"mask": str(mask), "images": [str(path) for path in images], "profile": profile}
    [answer] = _run("measure", [asked], memory=12 * _GIB, program="imaging.measurer", seconds=_MEASURE_SECONDS)
    return answer


def _run(
    verb: str, objects: list[dict[str, Any]], *, memory: int, program: str = "imaging.parser", seconds: int = 0
) -> list[dict[str, Any]]:
    seconds = seconds or int(_SECONDS_AT_LEAST + _SECONDS_EACH * len(objects))
    request = json.dumps({"objects": objects, "memory": memory, "seconds": seconds})
    try:
        # The child gets no secret: its environment names nothing but the interpreter's needs.
        done = subprocess.run(
            [sys.executable, "-s", "-m", program, verb],
            input=request, capture_output=True, text=True, check=False, timeout=4 * seconds, cwd=settings.BASE_DIR, env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unparseable("too_long") from None
    return _answer(done)


def _answer(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    if done.returncode == 0:
        objects: list[dict[str, Any]] = json.loads(done.stdout)["objects"]
        return objects
    if done.returncode == _EXIT_UNREADABLE:
        raise Unparseable(json.loads(done.stdout)["unreadable"])
    if done.returncode == -24:  # SIGXCPU
        raise Unparseable("too_long")
    if done.returncode in (-9, -15):
        raise ParserStopped(f"the parser was ended by signal {-done.returncode}")
    if any(fault in done.stderr.strip().rpartition("\n")[2] for fault in _NOT_INSTALLED):
        raise ParserStopped("the parser could not start: this installation is not complete")
    raise Unparseable("crash")


def _environment() -> dict[str, str]:
    needed = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "OPENBLAS_CORETYPE")  # the kernel that adds up decides the last bit of a feature
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
