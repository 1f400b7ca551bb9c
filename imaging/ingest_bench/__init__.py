"""How fast images are received, in one run with the peers (`manage.py bench ingest`): performance.md's first table, measured anew.

Every round starts all receivers afresh; each then gets the same files by the same senders, in turn. What is compared is the median of the
rounds' ratios; a rate alone says nothing about a program. Nothing is deleted before the end, and each round has a part of the disk of its
own where the file system offers that: ext4 without a journal steps over every file that was deleted there lately when it makes a new one.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from imaging.edge.durable import write_durably
from imaging.ingest_bench import receivers
from imaging.ingest_bench.receivers import DURABLE, ORTHANC, OURS, PYNETDICOM, Receiver
from imaging.ingest_bench.senders import SENDERS

Row = dict[str, Any]
Figures = dict[tuple[str, str, int], list[float]]  # (receiver, sender, associations) → instances a second, by round

ASSOCIATIONS = (1, 4)
SIDE = 512
BASE_MIB, ASSOCIATION_MIB = 64, 2


def ingest(instances: int = 150, rounds: int = 3, series: int = 1000) -> list[Row]:
    """Rows of rates and ratios, then one row for each aim: {aim, measured, wanted, held, cause}."""
    senders = {name: send for name, send in SENDERS.items() if name == "Nagle-free" or shutil.which("storescu")}
    with TemporaryDirectory(dir=os.environ.get("PRIME_VAR")) as folder:
        _apart(Path(folder))
        files = _series(Path(folder) / "data", max(series, instances * len(senders) * len(ASSOCIATIONS)))
        sets = {(name, count): files[place * instances :][:instances] for place, (name, count) in enumerate(_each(senders))}
        rates: Figures = {}
        cpu: dict[str, list[float]] = {}
        synced: list[float] = []
        for turn in range(rounds):
            place = Path(folder) / str(turn)
            synced += _sync_ms(place / "alone", files[:20])
            with ExitStack() as stack:
                ready = [stack.enter_context(receivers.running(name, place / name.split()[0])) for name in receivers.available()]
                for (sender, count), chosen in sets.items():
                    for receiver in ready:  # one after the other, so that the machine's moods fall on all of them
                        begun = receiver.cpu_seconds()
                        rates.setdefault((receiver.name, sender, count), []).append(_rate(receiver, senders[sender], chosen, count))
                        cpu.setdefault(receiver.name, []).append(1000 * (receiver.cpu_seconds() - begun) / instances)
        peaks = [_peak(Path(folder) / f"peak-{count}", files[:series], count) for count in ASSOCIATIONS]
    return _table(rates, cpu) + _verdicts(rates, fmean(cpu[OURS]), dict(zip(ASSOCIATIONS, peaks, strict=True)), median(synced))


def _apart(folder: Path) -> None:
    """Ask ext4 to put each directory that is made in here elsewhere; other file systems do not know the question."""
    if shutil.which("chattr"):
        subprocess.run(["chattr", "+T", str(folder)], check=False, stderr=subprocess.DEVNULL)


def _each(senders: Iterable[str]) -> list[tuple[str, int]]:
    return [(name, count) for name in senders for count in ASSOCIATIONS]


def _rate(receiver: Receiver, send: Callable[..., Any], files: list[Path], associations: int) -> float:
    """Instances a second; every one must have been answered 0x0000 and be there."""
    before = receiver.stored()
    sent = send(receiver.port, files, associations)
    if sent.succeeded != len(files) or receiver.stored() - before != len(files):
        raise RuntimeError(f"{receiver.name} answered {sent.succeeded} of {len(files)} with success, has {receiver.stored() - before}.")
    return float(len(files) / sent.seconds)


def _peak(directory: Path, files: list[Path], associations: int) -> float:
    """MiB that our receiver had resident at most, for a whole series."""
    with receivers.running(OURS, directory) as receiver:
        _rate(receiver, SENDERS["Nagle-free"], files, associations)
        return receiver.peak_mib()


def _sync_ms(folder: Path, files: list[Path]) -> list[float]:
    """What the disk alone takes to make each of some instances durable, without any network."""
    folder.mkdir(parents=True)
    taken = []
    for path in files:
        data = path.read_bytes()
        begun = time.monotonic()
        write_durably(folder / path.name, [data])
        taken.append(1000 * (time.monotonic() - begun))
    return taken


def _series(folder: Path, count: int) -> list[Path]:
    """CT slices of 512 × 512 × 16 bits (534 kB with their headers), explicit VR little endian."""
    folder.mkdir()
    pixels = np.random.default_rng(7).integers(0, 4096, (SIDE, SIDE), dtype=np.uint16).tobytes()
    return [_slice(folder / f"{place:05}.dcm", place, pixels) for place in range(count)]


def _slice(path: Path, place: int, pixels: bytes) -> Path:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, f"2.25.{10**20 + place}"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.Modality, image.PatientID = "2.25.1", "2.25.2", "CT", "BENCH"
    image.Rows = image.Columns = SIDE
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.InstanceNumber, image.PixelSpacing, image.ImagePositionPatient = place + 1, [0.7, 0.7], [0, 0, place]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelData = pixels
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID, image.file_meta.MediaStorageSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    image.save_as(path, enforce_file_format=True)
    return path


def _table(rates: Figures, cpu: dict[str, list[float]]) -> list[Row]:
    return [
        {
            "task": f"C-STORE, {sender} x{count}",
            "receiver": name,
            "durable": DURABLE[name],
            "per_second": round(median(measured), 1),
            "ratio": round(_ratio(rates, name, PYNETDICOM, sender, count), 2),
            "cpu_ms": round(fmean(cpu[name]), 2),
        }
        for (name, sender, count), measured in sorted(rates.items(), key=lambda item: item[0][1:])
    ]


def _ratio(rates: Figures, name: str, peer: str, sender: str, count: int) -> float:
    return median(a / b for a, b in zip(rates[name, sender, count], rates[peer, sender, count], strict=True))


def _verdicts(rates: Figures, cpu_ms: float, peaks: dict[int, float], synced: float) -> list[Row]:
    aims = [
        ("stock storescu", 1, PYNETDICOM, 3.0),
        ("stock storescu", 1, ORTHANC, 20.0),
        ("Nagle-free", 1, ORTHANC, 1.5),
        ("Nagle-free", 4, ORTHANC, 2.5),
    ]
    rows = []
    for sender, count, peer, wanted in aims:
        if (peer, sender, count) not in rates:
            rows.append(_verdict(f"{sender} x{count} / {peer}", "not measured: not installed", f">= {wanted}", held=False))
            continue
        ratio = _ratio(rates, OURS, peer, sender, count)
        ours, theirs = (1000 / median(rates[name, sender, count]) for name in (OURS, peer))
        cause = f"{ours:.1f} ms an instance against {theirs:.1f}; this disk alone takes {synced:.1f} to write and sync one; {_load()}"
        rows.append(_verdict(f"{sender} x{count} / {peer}", f"{ratio:.2f}", f">= {wanted}", held=ratio >= wanted, cause=cause))
    rows.append(_verdict("CPU ms an instance", f"{cpu_ms:.2f}", "<= 1", held=cpu_ms <= 1, cause=_load()))
    for count, peak in peaks.items():
        most = BASE_MIB + ASSOCIATION_MIB * count
        rows.append(_verdict(f"MiB resident x{count}", f"{peak:.1f}", f"<= {most}", held=peak <= most, cause="modules loaded at the start"))
    return rows


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def _verdict(aim: str, measured: str, wanted: str, *, held: bool, cause: str = "") -> Row:
    return {"aim": aim, "measured": measured, "wanted": wanted, "held": "yes" if held else "NO", "cause": "" if held else cause}
