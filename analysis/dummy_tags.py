"""Tags that mean nothing, so that a blinded statistician can write and try the whole program before the opening (docs/blinding.md §6).

They are public noise: anybody computes them again from a published seed and the study number. They are never made of the real tags:
real tags in another order give away their number, and two cuts undo the order. The same patient keeps his in every cut. Pure.
"""

import csv
import io
from collections.abc import Iterable
from hashlib import sha256

FILE, RULE = "dummy_tags.csv", "SHA-256(seed, a zero byte, study number): first byte below 128 is CONSISTENT, else INCONSISTENT"
CONSISTENT, INCONSISTENT = "CONSISTENT", "INCONSISTENT"
_HALF = 128


def tag(seed: str, number: str) -> str:
    """The dummy tag of one study number."""
    return CONSISTENT if sha256(f"{seed}\0{number}".encode()).digest()[0] < _HALF else INCONSISTENT


def table(seed: str, numbers: Iterable[str]) -> bytes:
    """`patient,state` for every number in the order given, named as the real file's columns are, with a third that says what they are."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(["patient", "state", "dummy"])
    writer.writerows([number, tag(seed, number), "yes"] for number in numbers)
    return written.getvalue().encode()
