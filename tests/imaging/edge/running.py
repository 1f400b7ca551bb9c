"""A listener of its own in this process, over a spool in a directory."""

from pathlib import Path
from typing import Any

from imaging.edge import history, peers
from imaging.edge.dicom.limits import Limits
from imaging.edge.history import History
from imaging.edge.listener import Listener
from imaging.edge.spool import Spool


class Running:
    def __init__(self, directory: Path, *, reserve: int = 0, limits: Limits | None = None, **more: Any) -> None:
        self.directory = directory
        (directory / "spool").mkdir(exist_ok=True)
        for title in ("STORESCU", "ECHOSCU"):
            peers.add(directory / "peers.json", ae_title=title, addresses=[])
        self.spool = Spool(directory / "spool", reserve=reserve)
        self.listener = Listener(
            ae_title="PRIME",
            spool=self.spool,
            peers_file=directory / "peers.json",
            history=History(directory / "associations.jsonl"),
            limits=limits,
            **more,
        )
        self.port = self.listener.start("127.0.0.1", 0)

    def files(self) -> list[Path]:
        return sorted((self.directory / "spool").iterdir())

    def history(self) -> list[dict[str, Any]]:
        return history.tail(self.directory / "associations.jsonl", 1000)

    def reasons(self) -> list[str]:
        return [row["reason"] for row in self.history() if row["what"] == "dropped"]
