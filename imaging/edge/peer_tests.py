"""Whether both doors work, from the command line: an echo to a peer, and our own listener tried as a sender would."""

import os

from imaging.edge import nodes, self_test
from imaging.edge.home import Home, HomeFault


def echo(home: Home, title: str) -> str:
    """The sentence that says that a peer answered; HomeFault with the sentence that says what stands in the way."""
    node, ours = nodes.read(home.nodes).get(title), str(home.running.get("ae_title", "PRIME"))
    if node is None:
        raise HomeFault(f"Write down where {title} listens: edge peer add {title} --ip ADDRESS --calls HOST:PORT.")
    answer = nodes.echo(node, calling=ours, called=title)
    said = nodes.words_of(answer).format(peer=title, ours=ours, host=node.host, port=node.port, answer=answer)
    if answer != "ok":
        raise HomeFault(said)
    return said


def ours(home: Home) -> str:
    """The sentence that says that our own listener works; HomeFault otherwise."""
    where = home.running
    if "dicom_port" not in where:
        raise HomeFault("The listener does not run.")
    address = os.environ.get("PRIME_BIND", "127.0.0.1")
    result = self_test.run(home, address=address, port=int(str(where["dicom_port"])), ae_title=str(where["ae_title"]))
    if not result.passed:
        raise HomeFault(f"The self-test failed: {result}. Look at the associations and at the disk.")
    return "Our own listener took an association, an echo and a report: senders find it in order."
