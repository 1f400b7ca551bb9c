"""A process of its own for parsing what came from outside, with limits on memory, files and time (NW-06).

A parser that runs wild or is killed costs one call: the next one starts a new process. It dies with its parent.
"""

import logging
import multiprocessing
import os
import resource
import signal
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from imaging.edge.parent import die_with

Result = TypeVar("Result")
MEMORY_BYTES, OPEN_FILES, SECONDS = 6 * 2**30, 64, 300
NICE = 10  # reading can wait for receiving, whose sender waits for an answer


class SandboxFault(Exception):
    """The call did not end as it should: the process died, took too long, or raised; the argument is a class name, no data."""


class Sandbox:
    """Runs top-level functions with picklable arguments, one at a time, in a limited process."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.process: Any = None
        self.connection: Connection[Any, Any] | None = None

    def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What `function(*arguments)` returns. Raises SandboxFault, and OSError when the function met one (a full disk).

        A process that died is tried once more: it may have been the machine's fault, not the argument's.
        """
        died: tuple[str, Any] = ("raised", "killed")
        kind, value = self._ask(function, arguments) or self._ask(function, arguments) or died
        if kind == "os-error":
            raise OSError(value, os.strerror(value))
        if kind == "raised":
            raise SandboxFault(value)
        result: Result = value
        return result

    def _ask(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any] | None:
        connection = self._connection()
        try:
            connection.send((function, arguments))
            if not connection.poll(self.seconds):
                self.close()
                return "raised", "killed"
            kind, value = connection.recv()
        except (EOFError, OSError):
            self.close()
            return None
        return kind, value

    def close(self) -> None:
        """End the process; another call starts a new one."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = self.connection = None

    def _connection(self) -> "Connection[Any, Any]":
        if self.connection is None or not self.process.is_alive():
            self.close()
            spawn = multiprocessing.get_context("spawn")
            self.connection, theirs = spawn.Pipe()
            self.process = spawn.Process(target=_serve, args=(theirs, os.getpid()), daemon=True)
            self.process.start()
            theirs.close()
        return self.connection


def _serve(connection: "Connection[Any, Any]", parent: int) -> None:
    die_with(parent)
    for number in (signal.SIGINT, signal.SIGTERM):  # a stop of the whole group is for the parent to answer
        signal.signal(number, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)  # a parser's warnings quote what it read
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        connection.send(_answer(function, arguments))


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "value", function(*arguments)
    except OSError as error:
        return "os-error", error.errno or 0
    except Exception as error:
        return "raised", type(error).__name__
