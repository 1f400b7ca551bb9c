"""What every command of the edge begins with: which edge is meant, who asks, and how its answer is shown."""

import argparse
import getpass
import json
import os
from pathlib import Path
from typing import Any

from imaging.edge import home as homes
from imaging.edge.home import Home, HomeFault

DONE, NO, FAULT = 0, 1, 2


def state_directory() -> Path:
    """PRIME_VAR, or var/ beside the program."""
    return Path(os.environ.get("PRIME_VAR") or Path(__file__).resolve().parents[2] / "var")


def directory_of(options: argparse.Namespace) -> Path:
    """The edge's directory: --dir, or that of --center, or the only one there is."""
    if options.dir is not None:
        return Path(options.dir)
    edges = state_directory() / "edge"
    if options.center is not None:
        return edges / str(options.center)
    present = sorted(path.parent for path in edges.glob("*/edge.json"))
    if len(present) != 1:
        raise HomeFault("Say which edge is meant: --center CC or --dir DIRECTORY.")
    return present[0]


def opened(options: argparse.Namespace) -> Home:
    """The edge that is meant, with this process as the owner of its directory."""
    directory = directory_of(options)
    homes.drop_to_owner(directory)
    home = Home(directory)
    center = home.settings["center"]
    if options.center not in (None, center):
        raise HomeFault(f"{directory} is the edge of center {center}.")
    return home


def user() -> str:
    """Who gives this command, for what is written beside it."""
    if sudo := os.environ.get("SUDO_USER"):
        return sudo
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a numeric uid without a name
        return f"uid {os.getuid()}"


def show(options: argparse.Namespace, value: Any, lines: list[str]) -> None:
    """Print a report as lines, or as JSON where that was asked for."""
    print(json.dumps(value, ensure_ascii=False) if options.json else "\n".join(lines))
