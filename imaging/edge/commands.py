"""The edge's commands, shared by `manage.py edge` and `python -m imaging.edge`. Exit status: 0 done, 1 answered no, 2 usage or fault."""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imaging.edge import (
    clock,
    folder,
    link_commands,
    links,
    nodes,
    operating_list,
    operations,
    peer_tests,
    peers,
    pull_commands,
    run,
    sheet,
    state,
    tls_commands,
    way_commands,
)
from imaging.edge import home as homes
from imaging.edge.dicom import conformance
from imaging.edge.dicom.certificates import CertificateFault
from imaging.edge.exchange import Exchange, PlatformUnreachable
from imaging.edge.halves import EVERY
from imaging.edge.home import HomeFault
from imaging.edge.keys import KeyFault
from imaging.edge.links import LinkFault
from imaging.edge.opening import DONE, FAULT, NO, directory_of, opened, show, user
from imaging.edge.operating_list import WESTMOST
from imaging.edge.page import entry
from imaging.edge.peers import PeerFault
from imaging.edge.row_token import row_key
from imaging.edge.sheet import SheetFault
from imaging.edge.spool import Spool, SpoolBroken, SpoolFull
from imaging.edge.status import beat, status

ESCROW = """
Next / 下一步:
1. Print keys/center.key and keys/gateway.key of {directory} and lock the paper away (two people).
   Without center.key nobody can ever again add images to the same pseudonymous studies.
   打印 keys/center.key 与 keys/gateway.key，双人封存；center.key 丢失后无法恢复同一套去标识化编号。
2. Give {directory}/gateway.json to the platform's operator: manage.py gateway add gateway.json
   将 gateway.json 交给平台管理员登记。
3. Read this to them on the telephone / 电话核对: {gateway}
4. List the sender, then start / 登记发送方并启动: edge peer add AETITLE --ip ADDRESS ; edge run
5. Passcode of the edge's page, shown once / 网关页面口令（仅显示一次）: {passcode}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands on a parser."""
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--center", help="the center's code, two digits; finds the directory")
    where.add_argument("--dir", type=Path, help="the edge's directory (default: edge/CC under PRIME_VAR or var/)")
    commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[where])
        made.set_defaults(does=does)
        return made

    init = command("init", _init, "Make an edge: its directory, its keys, and gateway.json for the platform.")
    init.add_argument("--platform", type=Path, required=True, help="the platform's platform.json")
    init.add_argument("--approval", default="", help="number of the approval under which images leave the hospital")
    both = command("run", _run, "Receive, de-identify, pack and forward until stopped.")
    both.add_argument("--only", choices=EVERY, help="one half in this process; the other one runs elsewhere over the same directory")
    both.add_argument("--platform", type=Path, help="the same platform's newer platform.json (its address changed)")
    peer = command("peer", _peer, "Who may send: add AET [--ip IP ...], remove AET, list; echo AET asks one, test tries our own listener.")
    peer.add_argument("action", choices=["add", "remove", "list", "echo", "test"])
    peer.add_argument("aet", nargs="?", default="", help="the sender's AE title")
    peer.add_argument("--ip", nargs="+", default=[], metavar="IP", help="addresses or networks it sends from (default: this machine)")
    peer.add_argument("--calls", default="", metavar="HOST:PORT", help="where it listens itself, for echo and pull")
    tls = command("tls", _tls, "TLS for senders: our certificate, and theirs, each bound to one AE title.")
    tls_commands.declare(tls)
    link = command("link", _link, "Who is who: STUDY_NUMBER LOCAL_ID, unlink LOCAL_ID, file FILE, list, waiting.")
    link.add_argument("words", nargs="+", metavar="WORD", help="STUDY_NUMBER LOCAL_ID | unlink LOCAL_ID | file FILE | list | waiting")
    link.add_argument("--issuer", default="", help="who gave the local id (default: this center)")
    link.add_argument("--kind", choices=links.KINDS, default="imaging", help="imaging number, admission number, or of another hospital")
    link.add_argument("--name", default="", help="the person's name; it stays in this directory")
    link.add_argument("--dry-run", action="store_true", help="with file: say what each row would do, and link nothing")
    rows = command("list", _list, "Take in an operating list with headings; new rows go to the platform's screening log without a name.")
    rows.add_argument("source", type=Path, metavar="FILE", help="CSV or XLSX")
    disc = command("import", _import, "Take in a folder, ZIP or disc of DICOM files, as if a PACS had sent them (1: one was refused).")
    disc.add_argument("source", type=Path, metavar="SOURCE", help="a folder, a ZIP, or a disc's DICOMDIR")
    disc.add_argument("--verbose", action="store_true", help="a line for every file, not for the refused ones only")
    counts = command("status", _status, "Counts of what the edge holds; nothing in it is about a person.")
    command("conformance", _conformance, "Print the DICOM conformance statement for PACS administrators.")
    command("heartbeat", _heartbeat, "Send one heartbeat and say what the platform answered.")
    passcode = command("passcode", _passcode, "Show the passcode of the edge's page, or make a new one (in force from the next start).")
    reporting = [*way_commands.declare(command), pull_commands.declare(command)]
    passcode.add_argument("--new", action="store_true", help="make a new passcode; everybody is signed out")
    for each in (init, peer, tls, link, rows, disc, counts, *reporting):
        each.add_argument("--json", action="store_true", help="print JSON")


def dispatch(options: argparse.Namespace) -> int:
    """Do what was asked; faults become one sentence on standard error and status 2."""
    try:
        does: Callable[[argparse.Namespace], int] = options.does
        return does(options)
    except (HomeFault, KeyFault, LinkFault, PeerFault, CertificateFault, OSError) as error:
        print(f"edge: {error}", file=sys.stderr)
        return FAULT


def main(arguments: list[str] | None = None) -> int:
    """`python -m imaging.edge …`"""
    parser = argparse.ArgumentParser(prog="edge", description="The hospital edge of the PRIME platform.")
    add_arguments(parser)
    return dispatch(parser.parse_args(arguments))


def _init(options: argparse.Namespace) -> int:
    if options.center is None:
        raise HomeFault("Say which center this edge is for: --center CC.")
    directory, platform = directory_of(options), options.platform.read_bytes()
    homes.drop_to_owner(directory)
    made = homes.make(directory, center=options.center, platform=platform, approval=options.approval)
    passcode = entry.make(directory)
    print(json.dumps(made) if options.json else ESCROW.format(directory=directory, gateway=made["gateway"], passcode=passcode))
    return DONE


def _run(options: argparse.Namespace) -> int:
    platform = options.platform.read_bytes() if options.platform else None
    home = opened(options)
    if platform is not None:
        homes.move_platform(home, platform)
    if options.only:
        run.only(home, options.only)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    return run.run(home)


def _peer(options: argparse.Namespace) -> int:
    home = opened(options)
    path = home.peers
    if options.action in ("echo", "test"):
        print(peer_tests.echo(home, options.aet) if options.action == "echo" else peer_tests.ours(home))
        return DONE
    if options.action == "list":
        known = peers.read(path)
    elif options.action == "add":
        known = peers.add(path, ae_title=options.aet, addresses=options.ip)
        if options.calls:
            host, _, port = options.calls.rpartition(":")
            nodes.put(home.nodes, ae_title=options.aet, host=host, port=port)
    else:
        known = peers.remove(path, ae_title=options.aet)
    show(options, known, [f"{title}\t{' '.join(addresses)}" for title, addresses in sorted(known.items())])
    return DONE


def _tls(options: argparse.Namespace) -> int:
    files = tls_commands.named_files(options.words)
    show(options, *tls_commands.does(opened(options), options.words, files))
    return DONE


def _link(options: argparse.Namespace) -> int:
    data = Path(options.words[1]).read_bytes() if options.words[0] == "file" and len(options.words) > 1 else b""
    home = opened(options)
    center, now, by = home.settings["center"], clock.now(), user()
    with closing(state.connect(home.database)) as connection:
        match options.words:
            case ["list"]:
                _rows(options, links.listed(connection), ("study_number", "issuer", "local_id", "kind", "name", "by", "at"))
            case ["waiting"]:
                _rows(options, links.waiting(connection), ("issuer", "local_id", "modality", "instances"))
            case ["unlink", local_id]:
                number = links.unlink(connection, center=center, local_id=local_id, issuer=options.issuer, by=by, at=now)
                show(options, {"unlinked": number}, [f"unlinked from {number} / 已解除关联"])
            case ["file", _]:
                said, lines = link_commands.from_file(connection, data, center=center, by=by, at=now, dry_run=options.dry_run)
                show(options, said, lines)
                return NO if said["faulty"] else DONE
            case [number, local_id]:
                given = {"number": number, "local_id": local_id, "issuer": options.issuer, "kind": options.kind, "name": options.name}
                checked = links.link(connection, center=center, by=by, at=now, **given)
                show(options, {"linked": checked}, [f"linked to {checked} / 已关联"])
            case _:
                raise LinkFault("Write: link STUDY_NUMBER LOCAL_ID, link unlink LOCAL_ID, link file FILE, link list, or link waiting.")
    return DONE


def _list(options: argparse.Namespace) -> int:
    data = options.source.read_bytes()  # as who asks; the edge's owner may not read it
    home, now = opened(options), clock.now()
    try:
        table = sheet.read_file(data)
    except SheetFault as fault:
        raise HomeFault(fault.sentence.say("en")) from None
    columns = operating_list.recognised(table[0])
    if operating_list.missing(columns):
        raise HomeFault(
            "The first row must name the columns, hospital number and date of surgery among them; or paste the list on the page."
        )
    lines = operating_list.understand(table[1:], columns, (now + WESTMOST).date())
    with closing(state.connect(home.database)) as connection:
        found = operations.take_in(connection, lines, key=row_key(home.center_key), by=user(), at=now)
    show(options, dict(found), [f"{kind}\t{count}" for kind, count in sorted(found.items())])
    return DONE


def _import(options: argparse.Namespace) -> int:
    home = opened(options)
    results, fault = [], ""
    try:
        for result in folder.take_in(options.source, Spool(home.spool, reserve=int(home.settings["reserve_bytes"]))):
            results.append(result)
            if not options.json and (options.verbose or result.became == "refused"):
                print(f"{result.became}\t{result.why}\t{result.file}")
    except folder.NotImportable as refused:
        raise HomeFault(str(refused)) from None
    except SpoolFull:
        fault = "The disk is at its reserve; make room and import again: what was taken is a resend then."
    except SpoolBroken:
        fault = "The disk failed; check it, then import again."
    counts = {became: sum(result.became == became for result in results) for became in ("taken", "passed", "refused")}
    said = "{taken} taken, {passed} no images, {refused} refused / 已接收 {taken}，非影像 {passed}，拒绝 {refused}"
    show(options, counts | {"files": [asdict(result) for result in results]}, [said.format(**counts)])
    if fault:
        raise HomeFault(fault)
    return NO if counts["refused"] else DONE


def _status(options: argparse.Namespace) -> int:
    home = opened(options)
    with closing(state.connect(home.database)) as connection:
        counts = status(home, connection, at=clock.now())
    show(options, counts, [f"{name}\t{value}" for name, value in counts.items()])
    return DONE


def _conformance(options: argparse.Namespace) -> int:
    print(conformance.statement(), end="")
    return DONE


def _heartbeat(options: argparse.Namespace) -> int:
    home = opened(options)
    with closing(state.connect(home.database)) as connection:
        counts = status(home, connection, at=clock.now())
    try:
        answer = beat(Exchange(home), counts)
    except PlatformUnreachable as fault:
        print(f"The platform does not answer ({fault}). / 平台无应答。", file=sys.stderr)
        return NO
    print(f"The platform answered {answer.status}. / 平台应答 {answer.status}。")
    return DONE if answer.status < 400 else NO


def _passcode(options: argparse.Namespace) -> int:
    home = opened(options)
    print(entry.make(home.directory) if options.new else entry.passcode_of(home))
    return DONE


def _rows(options: argparse.Namespace, rows: list[Any], columns: tuple[str, ...]) -> None:
    show(options, [{name: row[name] for name in columns} for row in rows], ["\t".join(str(row[name]) for name in columns) for row in rows])
