"""`python -m analysis.custody …`: the custodian's program without Django, database or network."""

import sys

from analysis.custody.program import main

if __name__ == "__main__":
    sys.exit(main())
