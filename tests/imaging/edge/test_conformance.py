"""The conformance statement is what the code decides by, and the listener decides as it says."""

from pynetdicom import AE, AllStoragePresentationContexts

from imaging.edge import pull
from imaging.edge.dicom import conformance
from imaging.edge.dicom.negotiation import TRANSFER_SYNTAXES
from imaging.syntaxes import LOSSY
from tests.imaging.edge.parts import REPOSITORY
from tests.imaging.edge.running import Running


def test_published_statement_is_the_code_s() -> None:
    published = (REPOSITORY / "docs/conformance.md").read_text(encoding="utf-8")
    assert published == conformance.statement(), "write it anew: make docs"


def test_statement_names_every_class_and_syntax_and_which_are_lossy() -> None:
    said = conformance.statement()
    assert all(f"| {context.abstract_syntax} |" in said for context in AllStoragePresentationContexts)
    assert all(f"| {uid} |" in said for uid in (pull.FIND, pull.MOVE))
    assert {uid for uid in TRANSFER_SYNTAXES if f"| {uid} | lossy" in said} == set(LOSSY)


def test_every_stated_class_is_accepted_by_the_listener(tmp_path: object) -> None:
    """128 contexts an association is the most that fits (PS3.8)."""
    running = Running(tmp_path)  # type: ignore[arg-type]
    accepted: set[str] = set()
    contexts = AllStoragePresentationContexts
    for first in range(0, len(contexts), 128):
        ae = AE(ae_title="STORESCU")
        for context in contexts[first : first + 128]:
            ae.add_requested_context(context.abstract_syntax or "", TRANSFER_SYNTAXES)
        association = ae.associate("127.0.0.1", running.port, ae_title="PRIME")
        accepted |= {str(context.abstract_syntax) for context in association.accepted_contexts}
        association.release()
    running.listener.stop()
    assert accepted == {str(context.abstract_syntax) for context in contexts}
