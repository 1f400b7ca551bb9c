"""What a sender may take of this edge: seconds, bytes and places (NW-01, NW-02). Whoever takes more is cut off, and nobody else notices."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds, bytes and counts; every wait of the listener is bounded by one of them."""

    association_seconds: float = 15
    """From the connection to the answer of A-ASSOCIATE-RQ, however the bytes trickle."""
    handshake_seconds: float = 10
    """Of the above, for TLS."""
    idle_seconds: float = 60
    """Between two messages of an association."""
    slow_seconds: float = 30
    slowest: int = 8 * 1024
    """Bytes a second that a message must bring, over each `slow_seconds` in which its sender was waited for."""
    send_seconds: float = 10
    """Until a peer takes an answer of ours."""
    closing_seconds: float = 2
    """Until a peer closes the connection after a release or a rejection (ARTIM, PS3.8 §9.1.5)."""
    association_pdu: int = 64 * 1024
    data_pdu: int = 128 * 1024
    """The longest P-DATA that we offer and take; bigger ones are aborted after their header."""
    command_bytes: int = 16 * 1024
    note_bytes: int = 4 * 2**20
    """A dataset that is no instance (a commitment request of 20,000 instances has 3 MB)."""
    object_bytes: int = 2**30
    objects: int = 100_000
    waiting: int = 256
    waiting_per_address: int = 32
    """Connections that have not been let in, or are being closed; one more ends the oldest of them, not the newest."""
    associations: int = 64
    """Associations at once; one more is rejected 2/3/2."""
