"""The R programs that travel with a cut and with a result: what a second implementation prints must be what we print (AN-00).

The programs are files of this room (`cut.R`, `result.R`); what differs from study to study stands in lines before them.
"""

from collections.abc import Sequence
from importlib.resources import files

from accounts.canonical import number
from analysis.reading import LastWindow


def for_cut(days: Sequence[int], window: LastWindow | None) -> bytes:
    """The program that recomputes the pooled numbers of `cut.csv` at those days from surgery."""
    return _program("cut.R", f"days <- c({', '.join(map(str, days))})", _window(window))


def for_result(*, landmark: float, horizon: float, window: LastWindow | None, confounders: Sequence[str], log10: Sequence[str]) -> bytes:
    """The program that recomputes both rows; `horizon` counts from the landmark, the `window` from surgery."""
    names = [f"landmark <- {number(landmark)}", f"horizon <- {number(horizon)}", _window(window)]
    return _program("result.R", *names, f"confounders <- {_texts(confounders)}", f"log10_of <- {_texts(log10)}")


def _window(window: LastWindow | None) -> str:
    """The last planned check; none is one that never opens."""
    opens, closes = ("Inf", "Inf") if window is None else (number(window.opens), number(window.closes))
    return f"opens <- {opens}; closes <- {closes}"


def _program(name: str, *parameters: str) -> bytes:
    body = files("analysis").joinpath(name).read_text(encoding="utf-8")
    return ("\n".join(parameters) + "\n" + body).encode()


def _texts(values: Sequence[str]) -> str:
    """An R vector of strings; names of confounders are identifiers of the protocol, so there is nothing to escape."""
    return "c(" + ", ".join(f'"{value}"' for value in values if value.isidentifier()) + ")"
