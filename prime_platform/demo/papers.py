"""What opens a center of the demonstration: its approval, its consent form and the documents of its gate, all SYNTHETIC."""

from datetime import date

from accounts.models import User
from studies.governance import conduct, ethics, gate
from studies.models import Center

CONSENT_VERSION = "2.1"


def file_all(center: Center, *, since: date, until: date, by: User) -> None:
    """File everything that the gate asks for but people, from a day until a day."""
    approval = ethics.file_approval(center=center, number=f"DEMO-EC-{center.code}", valid_from=since, valid_until=until, by=by)
    ethics.approve_version(center=center, code=CONSENT_VERSION, approval=approval, valid_from=since, by=by)
    papers = [
        gate.Paper(item.code, f"DEMO-{number}-{center.code}", since, until if item.expires else None)
        for number, item in enumerate(conduct.load(center.study.protocol_id).gate, start=1)
        if item.kind == "document"
    ]
    gate.file_documents(center=center, papers=papers, by=by)
