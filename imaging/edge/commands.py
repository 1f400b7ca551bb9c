"""The edge's commands, shared by `manage.py edge` and `python -m imaging.edge`. Exit status: 0 done, 1 answered no, 2 usage or fault."""

import argparse
import getpass
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from imaging.edge import clock, folder, links, peers, state
from imaging.edge import home as homes
from imaging.edge.exchange import Exchange, PlatformUnreachable
from imaging.edge.home import Home, HomeFault
from imaging.edge.keys import KeyFault
from imaging.edge.links import LinkFault
from imaging.edge.peers import PeerFault
from imaging.edge.run import Edge, Ports
from imaging.edge.spool import Spool, SpoolBroken, SpoolFull
from imaging.edge.status import beat, status

DONE, NO, FAULT = 0, 1, 2
ESCROW = """
Next / 下一步:
1. Print keys/center.key and keys/gateway.key of {directory} and lock the paper away (two people).
   Without center.key nobody can ever again add images to the same pseudonymous studies.
   打印 keys/center.key 与 keys/gateway.key，双人封存；center.key 丢失后无法恢复同一套去标识化编号。
2. Give {directory}/gateway.json to the platform's operator: manage.py gateway add gateway.json
   将 gateway.json 交给平台管理员登记。
3. Read this to them on the telephone / 电话核对: {gateway}
4. List the sender, then start / 登记发送方并启动: edge peer add AETITLE --ip ADDRESS ; edge run
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands on a parser."""
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--center", help="the center's code, two digits; finds the directory")
    where.add_argument("--dir", type=Path, help="the edge's directory (default: edge/CC under PRIME_VAR or var/)")
    commands = parser.add_subparsers(dest="what", required=True, metavar="{init,run,peer,link,import,status,heartbeat}")

    def command(name: str, does: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[where])
        made.set_defaults(does=does)
        return made

    init = command("init", _init, "Make an edge: its directory, its keys, and gateway.json for the platform.")
    init.add_argument("--platform", type=Path, required=True, help="the platform's platform.json")
    init.add_argument("--approval", default="", help="number of the approval under which images leave the hospital")
    run = command("run", _run, "Receive, de-identify, pack and forward until stopped.")
    run.add_argument("--platform", type=Path, help="the same platform's newer platform.json (its address changed)")
    peer = command("peer", _peer, "Who may send: add AET [--ip IP ...], remove AET, list.")
    peer.add_argument("action", choices=["add", "remove", "list"])
    peer.add_argument("aet", nargs="?", default="", help="the sender's AE title")
    peer.add_argument("--ip", nargs="+", default=[], metavar="IP", help="addresses or networks it sends from (default: this machine)")
    link = command("link", _link, "Who is who: STUDY_NUMBER LOCAL_ID, unlink LOCAL_ID, list, waiting.")
    link.add_argument("words", nargs="+", metavar="WORD", help="STUDY_NUMBER LOCAL_ID | unlink LOCAL_ID | list | waiting")
    link.add_argument("--issuer", default="", help="who gave the local id (default: this center)")
    link.add_argument("--kind", choices=links.KINDS, default="imaging", help="imaging number, admission number, or of another hospital")
    link.add_argument("--name", default="", help="the person's name; it stays in this directory")
    disc = command("import", _import, "Take in a folder or disc of DICOM files, as if a PACS had sent them.")
    disc.add_argument("source", type=Path, metavar="FOLDER", help="the folder or disc")
    counts = command("status", _status, "Counts of what the edge holds; nothing in it is about a person.")
    command("heartbeat", _heartbeat, "Send one heartbeat and say what the platform answered.")
    for reporting in (init, peer, link, disc, counts):
        reporting.add_argument("--json", action="store_true", help="print JSON")


def dispatch(options: argparse.Namespace) -> int:
    """Do what was asked; faults become one sentence on standard error and status 2."""
    try:
        does: Callable[[argparse.Namespace], int] = options.does
        return does(options)
    except (HomeFault, KeyFault, LinkFault, PeerFault, OSError) as error:
        print(f"edge: {error}", file=sys.stderr)
        return FAULT


def main(arguments: list[str] | None = None) -> int:
    """`python -m imaging.edge …`"""
    parser = argparse.ArgumentParser(prog="edge", description="The hospital edge of the PRIME platform.")
    add_arguments(parser)
    return dispatch(parser.parse_args(arguments))


def state_directory() -> Path:
    """PRIME_VAR, or var/ beside the program."""
    return Path(os.environ.get("PRIME_VAR") or Path(__file__).resolve().parents[2] / "var")


def directory_of(options: argparse.Namespace) -> Path:
    """The edge's directory: --dir, or that of --center, or the only one there is."""
    if options.dir is not None:
        return Path(options.dir)
    edges = state_directory() / "edge"
    if options.center is not None:
        return edges / str(options.center)
    present = sorted(path.parent for path in edges.glob("*/edge.json"))
    if len(present) != 1:
        raise HomeFault("Say which edge is meant: --center CC or --dir DIRECTORY.")
    return present[0]


def _opened(options: argparse.Namespace) -> Home:
    directory = directory_of(options)
    homes.drop_to_owner(directory)
    home = Home(directory)
    center = home.settings["center"]
    if options.center not in (None, center):
        raise HomeFault(f"{directory} is the edge of center {center}.")
    return home


def _init(options: argparse.Namespace) -> int:
    if options.center is None:
        raise HomeFault("Say which center this edge is for: --center CC.")
    directory, platform = directory_of(options), options.platform.read_bytes()
    homes.drop_to_owner(directory)
    made = homes.make(directory, center=options.center, platform=platform, approval=options.approval)
    print(json.dumps(made) if options.json else ESCROW.format(directory=directory, gateway=made["gateway"]))
    return DONE


def _run(options: argparse.Namespace) -> int:
    platform = options.platform.read_bytes() if options.platform else None
    home = _opened(options)
    if platform is not None:
        homes.move_platform(home, platform)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("pydicom").disabled = True  # its messages quote values, and so do its warnings
    warnings.simplefilter("ignore")
    ports = Ports(
        address=os.environ.get("PRIME_BIND", "127.0.0.1"),
        dicom=int(os.environ.get("PRIME_DICOM_PORT", "11112")),
        ae_title=os.environ.get("PRIME_DICOM_AET", "PRIME"),
        http=int(os.environ.get("PRIME_EDGE_PORT", "8042")),
    )
    Edge(home, ports).run()
    return DONE


def _peer(options: argparse.Namespace) -> int:
    path = _opened(options).peers
    if options.action == "list":
        known = peers.read(path)
    elif options.action == "add":
        known = peers.add(path, ae_title=options.aet, addresses=options.ip)
    else:
        known = peers.remove(path, ae_title=options.aet)
    _show(options, known, [f"{title}\t{' '.join(addresses)}" for title, addresses in sorted(known.items())])
    return DONE


def _link(options: argparse.Namespace) -> int:
    home = _opened(options)
    center, now, by = home.settings["center"], clock.now(), os.environ.get("SUDO_USER") or _user()
    with closing(state.connect(home.database)) as connection:
        match options.words:
            case ["list"]:
                _rows(options, links.listed(connection), ("study_number", "issuer", "local_id", "kind", "name", "by", "at"))
            case ["waiting"]:
                _rows(options, links.waiting(connection), ("issuer", "local_id", "modality", "instances"))
            case ["unlink", local_id]:
                number = links.unlink(connection, center=center, local_id=local_id, issuer=options.issuer, by=by, at=now)
                _show(options, {"unlinked": number}, [f"unlinked from {number} / 已解除关联"])
            case [number, local_id]:
                given = {"number": number, "local_id": local_id, "issuer": options.issuer, "kind": options.kind, "name": options.name}
                checked = links.link(connection, center=center, by=by, at=now, **given)
                _show(options, {"linked": checked}, [f"linked to {checked} / 已关联"])
            case _:
                raise LinkFault("Write: link STUDY_NUMBER LOCAL_ID, link unlink LOCAL_ID, link list, or link waiting.")
    return DONE


def _import(options: argparse.Namespace) -> int:
    home = _opened(options)
    if not options.source.is_dir():
        raise HomeFault(f"There is no folder {options.source}.")
    try:
        taken, skipped = folder.take_in(options.source, Spool(home.spool, reserve=int(home.settings["reserve_bytes"])))
    except SpoolFull:
        raise HomeFault("The disk is at its reserve; make room and import again.") from None
    except SpoolBroken:
        raise HomeFault("The disk failed; check it, then import again.") from None
    _show(options, {"taken": taken, "skipped": skipped}, [f"{taken} taken, {skipped} no DICOM files / 已接收 {taken}，非 DICOM {skipped}"])
    return DONE


def _status(options: argparse.Namespace) -> int:
    home = _opened(options)
    with closing(state.connect(home.database)) as connection:
        counts = status(home, connection, at=clock.now())
    _show(options, counts, [f"{name}\t{value}" for name, value in counts.items()])
    return DONE


def _heartbeat(options: argparse.Namespace) -> int:
    home = _opened(options)
    with closing(state.connect(home.database)) as connection:
        counts = status(home, connection, at=clock.now())
    try:
        answer = beat(Exchange(home), counts)
    except PlatformUnreachable as fault:
        print(f"The platform does not answer ({fault}). / 平台无应答。", file=sys.stderr)
        return NO
    print(f"The platform answered {answer.status}. / 平台应答 {answer.status}。")
    return DONE if answer.status < 400 else NO


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a numeric uid without a name
        return f"uid {os.getuid()}"


def _rows(options: argparse.Namespace, rows: list[Any], columns: tuple[str, ...]) -> None:
    _show(options, [{name: row[name] for name in columns} for row in rows], ["\t".join(str(row[name]) for name in columns) for row in rows])


def _show(options: argparse.Namespace, value: Any, lines: list[str]) -> None:
    print(json.dumps(value, ensure_ascii=False) if options.json else "\n".join(lines))
