"""Import and export composed of every room that has something to bring."""

from followup import exchange as followup_exchange
from followup import export_parts
from studies.exchange import parts
from studies.models import Study

KINDS = followup_exchange.KINDS
"""The kinds of event that a mapping file may name."""
TABLES = followup_exchange.TABLES
"""The tables above `studies` that an import writes and an undo takes rows from."""


def parts_of(study: Study) -> list[parts.Part]:
    """What an export of a study is made of."""
    return [*parts.own_parts(study.dictionary), *export_parts.parts()]
