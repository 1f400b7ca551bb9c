"""`python -m imaging.edge.halves {receiving,working} DIRECTORY [PARENT]`: one half, until SIGTERM; with a parent it dies with it.

Exit status 0 after a stop, 2 with a sentence when it cannot run as things are.
"""

import importlib
import logging
import sys
import warnings
from pathlib import Path

from imaging.edge import parent
from imaging.edge.halves import EVERY
from imaging.edge.home import Home, HomeFault
from imaging.edge.keys import KeyFault


def main(name: str, directory: str, parent_id: str = "") -> int:
    """Be one half."""
    if name not in EVERY:
        raise HomeFault(f"A half of an edge is one of: {', '.join(EVERY)}.")
    if parent_id:
        parent.die_with(int(parent_id))
    half = importlib.import_module(f"imaging.edge.halves.{name}")  # only its own modules: the receiving half stays small
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("pydicom").disabled = True  # its messages quote values, and so do its warnings
    warnings.simplefilter("ignore")
    half.run(Home(Path(directory)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (HomeFault, KeyFault, OSError) as fault:
        print(f"edge: {fault}", file=sys.stderr)
        sys.exit(2)
