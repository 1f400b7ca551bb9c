"""`edge tls …`: set up TLS for senders, and say whose certificate is trusted."""

import argparse
from pathlib import Path
from typing import Any

from imaging.edge import clock, peers
from imaging.edge.dicom.certificates import Bound, CertificateFault, Certificates
from imaging.edge.home import Home

WORDS = "make [NAME …] | use CERTIFICATE KEY | trust AETITLE CERTIFICATE | revoke AETITLE | list"


def declare(tls: argparse.ArgumentParser) -> None:
    """The words that `edge tls` takes."""
    tls.add_argument("words", nargs="+", metavar="WORD", help=WORDS)


def does(home: Home, words: list[str], files: dict[str, bytes]) -> tuple[Any, list[str]]:
    """Do what the words say; `files` holds what those that name a file held. What to print, as JSON and as lines."""
    certificates = Certificates(home.tls)
    match words:
        case ["make", *names]:
            certificates.make(names or ["prime-edge"], now=clock.now())
            path = str(certificates.certificate)
            return {"certificate": path}, [f"Give this to the senders' administrators / 交给发送方管理员: {path}"]
        case ["use", certificate, key]:
            certificates.use(files[certificate], files[key])
            return {"certificate": str(certificates.certificate)}, ["in use from the next start / 下次启动后生效"]
        case ["trust", ae_title, certificate]:
            if ae_title not in peers.read(home.peers):
                raise CertificateFault(f"{ae_title} is not a listed peer; list its addresses first: edge peer add {ae_title} --ip ADDRESS")
            bound = certificates.trust(ae_title, files[certificate])
            return _row(bound), [_line(bound)]
        case ["revoke", ae_title]:
            count = certificates.revoke(ae_title)
            if not count:
                raise CertificateFault(f"{ae_title} has no certificate here.")
            return {"revoked": count}, [f"{count} revoked; {ae_title} may send without TLS again / 已撤销"]
        case ["list"]:
            return [_row(bound) for bound in certificates.listed()], [_line(bound) for bound in certificates.listed()]
    raise CertificateFault(f"Write: tls {WORDS}")


def named_files(words: list[str]) -> dict[str, bytes]:
    """The files that the words name, read as who asks (the edge's owner may not read them)."""
    named = {"use": words[1:3], "trust": words[2:3]}.get(words[0], [])
    return {name: Path(name).read_bytes() for name in named}


def _row(bound: Bound) -> dict[str, str]:
    return {"aet": bound.ae_title, "sha256": bound.sha256, "until": bound.until.isoformat()}


def _line(bound: Bound) -> str:
    return f"{bound.ae_title}\t{bound.sha256}\t{bound.until:%Y-%m-%d}"
