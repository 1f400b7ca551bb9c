"""`python -m prime_platform.embedded serve DIR`: a throw-away cluster that several test sessions can share, until it is told to stop."""

import argparse
import os
import signal
import sys
from pathlib import Path

from prime_platform.embedded import logins, postgres


def serve(base: Path) -> int:
    """Serve a cluster under `base` until SIGTERM or Ctrl-C; the URLs of its logins are in `base`/secrets. Nothing in it is durable."""
    base.mkdir(parents=True, exist_ok=True)
    base.chmod(0o711)
    cluster = postgres.Cluster(base / "pg", uid=64100 if os.geteuid() == 0 else None, durable=False)
    with postgres.held(cluster):
        postgres.prepare(cluster)
        server = postgres.start(cluster)
        try:
            logins.ensure(cluster, base / "secrets", for_tests=True)
            print(f"PRIME_TEST_URLS_DIR={base / 'secrets'}", flush=True)
            return server.wait()
        finally:
            postgres.stop(server)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    parser = argparse.ArgumentParser(prog="python -m prime_platform.embedded", description=__doc__)
    parser.add_argument("what", choices=["serve"])
    parser.add_argument("directory", type=Path)
    sys.exit(serve(parser.parse_args().directory.absolute()))
