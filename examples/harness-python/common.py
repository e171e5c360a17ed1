"""What every part needs."""

import sys
from datetime import datetime, timezone


class Done(Exception):
    """The process is to exit, with this code."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code = code


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def log(message):
    print(f"{now()} {message}", file=sys.stderr, flush=True)
