"""`python -m imaging.edge …`: the edge's commands without Django."""

import sys

from imaging.edge.commands import main

if __name__ == "__main__":
    sys.exit(main())
