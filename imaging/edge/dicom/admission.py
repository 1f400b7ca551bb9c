"""Places for connections: few and short for those that have not been let in, apart from the associations' own (NW-01).

A connection that says nothing can keep nobody out: when one more comes than there are places, the oldest of those that wait goes.
"""

import threading

from imaging.edge.dicom.limits import Limits
from imaging.edge.dicom.upper_layer import Link


class Admission:
    """Who waits to be let in (or says goodbye), by address, and who has an association."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._waiting: dict[Link, str] = {}  # oldest first
        self._established: dict[Link, str] = {}

    def enter(self, link: Link, address: str) -> None:
        """A place for a new connection; the oldest waiting one of its address, or of all, is ended when there are too many."""
        with self._lock:
            oldest = self._wait(link, address)
        if oldest is not None:
            oldest.end("crowded-out")

    def establish(self, link: Link) -> bool:
        """Make a waiting connection an association; False when there is no place for one more, or it was ended meanwhile."""
        with self._lock:
            if link not in self._waiting or len(self._established) >= self.limits.associations:
                return False
            self._established[link] = self._waiting.pop(link)
            return True

    def retire(self, link: Link) -> None:
        """An association is over: its place is free, and its connection waits among the others until it is closed."""
        with self._lock:
            address = self._established.pop(link, None)
            oldest = None if address is None else self._wait(link, address)
        if oldest is not None:
            oldest.end("crowded-out")

    def leave(self, link: Link) -> None:
        """A connection is closed."""
        with self._lock:
            self._waiting.pop(link, None)
            self._established.pop(link, None)

    def end_all(self, how: str) -> None:
        """End every connection, in its own thread."""
        with self._lock:
            links = [*self._waiting, *self._established]
        for link in links:
            link.end(how)

    def _wait(self, link: Link, address: str) -> Link | None:
        """Let a connection wait; who has to go for it: first who was told goodbye, then who said nothing yet; of those the oldest."""
        self._waiting[link] = address
        crowd = [one for one, where in self._waiting.items() if where == address]
        if len(crowd) <= self.limits.waiting_per_address:
            crowd = list(self._waiting)
            if len(crowd) <= self.limits.waiting:
                return None
        oldest = min((one for one in crowd if one is not link), key=lambda one: one.stage)
        del self._waiting[oldest]
        return oldest
