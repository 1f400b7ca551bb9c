"""What stands against a real study: against its being founded here, and against its first patient (docs/blinding.md §7).

A small register, as in `studies.locking.obstacles`: rooms above know what they know (how this installation is run, who holds keys)
and add it here; `setup` asks before it founds a study and before it leaves the draft. A SYNTHETIC study is asked nothing.
"""

from collections.abc import Callable, Iterable

from studies.models import Study

Question = Callable[[Study], Iterable[str]]
"""The sentences that stand against a study; none where it may go on."""

founding: list[Question] = []
starting: list[Question] = []


def against_founding(study: Study) -> list[str]:
    """Why a real prospective study may not be founded in this installation."""
    return [sentence for ask in founding for sentence in ask(study)]


def against_starting(study: Study) -> list[str]:
    """Why a real prospective study may not begin to enrol."""
    return [sentence for ask in starting for sentence in ask(study)]
