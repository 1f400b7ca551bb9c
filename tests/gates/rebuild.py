"""What somebody at the web or worker process could do: rebuild the inputs from the tables, and try every readable file as the model.

Run as a program of its own, with the login and the user of that process; whoever runs it knows every file's name (JSON on the
standard input). Prints JSON: files read, snapshots rebuilt, predictions.
"""

import contextlib
import json
import sys
from pathlib import Path

import django


def main() -> None:
    django.setup()
    from accounts import scope
    from predictions import features, replay
    from studies.models import Participant

    with scope.over_everything():  # whoever holds the login can open the row policies to himself
        people = Participant.objects.select_related("study", "screening", "center")
        snapshots = [taken.content for taken in (features.take(person, "0") for person in people) if taken]
    read, found = [], []
    for name in json.load(sys.stdin):
        with contextlib.suppress(OSError):
            data = Path(name).read_bytes()
            read.append(name)
            for snapshot in snapshots:
                with contextlib.suppress(ValueError):
                    found.append(replay.predict(data, snapshot, replay.Software("0" * 40, "0" * 64)).encode().decode())
    json.dump({"read": sorted(read), "snapshots": len(snapshots), "found": found}, sys.stdout)


if __name__ == "__main__":
    main()
