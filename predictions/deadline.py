"""Work that ends in time: whatever still runs at its end is interrupted, so that how long it takes is seen nowhere (SL-07).

By a signal of the system's clock, which reaches the main thread only; in another thread work is refused once its end has passed, and what
has begun is waited for. The inference process predicts in its main thread.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_state = threading.local()


class Passed(BaseException):
    """There is no time left. No `Exception`, so that nothing at work takes it for a fault of its own."""


@contextmanager
def interrupting() -> Iterator[None]:
    """Meanwhile `within` interrupts; the process's own handler of the alarm comes back at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _alarm)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives. Raises Passed where it has not ended after so many seconds, or none are left."""
    if seconds <= 0:
        raise Passed
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGALRM) is not _alarm:
        return work()
    _state.at_work = True
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return work()
    finally:
        _state.at_work = False
        signal.setitimer(signal.ITIMER_REAL, 0)


def _alarm(_number: int, _frame: object) -> None:
    """An alarm that comes just after the work has ended is none."""
    if getattr(_state, "at_work", False):
        _state.at_work = False
        raise Passed
