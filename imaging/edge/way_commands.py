"""Commands for the way of packages by hand: onto a disk, receipts back from it, and from a folder to the platform by another machine."""

import argparse
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from imaging.edge import bundle as bundle_of
from imaging.edge import carriage, clock, repacking, state
from imaging.edge.carriage import CarriageFault
from imaging.edge.exchange import PlatformUnreachable
from imaging.edge.home import HomeFault, read_platform
from imaging.edge.opening import DONE, NO, opened, show, user

Does = Callable[[argparse.Namespace], int]
AGAIN_SECONDS = 30.0


class Declare(Protocol):
    """Makes one command of the edge's parser."""

    def __call__(self, name: str, does: Does, text: str) -> argparse.ArgumentParser: ...


def declare(command: Declare) -> list[argparse.ArgumentParser]:
    """Add the commands to the parser; those that report are returned."""
    out = command("export-packages", _export, "Copy every package without a final receipt to a disk, with its signed note.")
    back = command("take-receipts", _receipts, "Do what the receipts on a disk say: purge what is archived.")
    again = command("repack", _repack, "Pack the images of a package that the platform refused again, once its cause is mended.")
    again.add_argument("seq", type=int, help="the package's number")
    again.add_argument("--why", required=True, help="what was mended; it stays written")
    bundle = command("bundle", _bundle, "Make one archive that installs an edge without internet; needs the package index once, here.")
    bundle.add_argument("out", type=Path, metavar="FILE", help="the archive, such as prime-edge.tar.gz")
    carry = command("carry", _carry, "Bring the packages of a folder to the platform over HTTPS; needs no key of the edge.")
    for each in (out, back, carry):
        each.add_argument("directory", type=Path, metavar="DIR", help="the disk's or folder's whole path")
    carry.add_argument("--platform", type=Path, required=True, help="the platform's platform.json")
    carry.add_argument("--proxy", default="", help="the hospital's proxy, such as http://10.0.0.8:3128 (default: HTTPS_PROXY)")
    carry.add_argument("--once", action="store_true", help="one round instead of one every 30 seconds")
    return [out, back, again]


def _export(options: argparse.Namespace) -> int:
    return _by_hand(options, carriage.put_out)


def _receipts(options: argparse.Namespace) -> int:
    return _by_hand(options, carriage.take_back)


def _by_hand(options: argparse.Namespace, does: Callable[..., list[carriage.Carried]]) -> int:
    directory, home = options.directory.absolute(), opened(options)
    try:
        with closing(state.connect(home.database)) as connection:
            done = does(home, connection, directory, by=user(), at=clock.now())
    except CarriageFault as fault:
        raise HomeFault(str(fault)) from None
    show(options, [vars(one) for one in done], [f"{one.seq}\t{one.study_number}\t{one.became}\t{one.id}" for one in done])
    return NO if any(one.became == "not believed" for one in done) else DONE


def _repack(options: argparse.Namespace) -> int:
    home = opened(options)
    try:
        with closing(state.connect(home.database)) as connection:
            count = repacking.again(home, connection, options.seq, why=options.why, by=user(), at=clock.now())
    except repacking.NotPossible as refusal:
        raise HomeFault(str(refusal)) from None
    show(options, {"waiting": count}, [f"{count} images wait for a new package / {count} 幅影像将重新打包"])
    return DONE


def _bundle(options: argparse.Namespace) -> int:
    try:
        digest = bundle_of.make(options.out)
    except bundle_of.BundleFault as fault:
        raise HomeFault(str(fault)) from None
    print(f"{digest}  {options.out}")
    return DONE


def _carry(options: argparse.Namespace) -> int:
    url = read_platform(options.platform.read_bytes()).url
    while True:
        left = False
        try:
            for identity, became in carriage.carry(options.directory.absolute(), url, options.proxy):
                print(f"{identity}\t{became}", flush=True)
                left = left or became not in ("archived", "refused")
        except PlatformUnreachable as fault:
            print(f"The platform does not answer ({fault}). / 平台无应答。", flush=True)
            left = True
        if options.once:
            return NO if left else DONE
        time.sleep(AGAIN_SECONDS)
