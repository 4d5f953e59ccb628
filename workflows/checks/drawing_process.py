"""Draw what standard input asks for until it ends: a line of JSON is a spec and a language, the answer a line too.

``{"spec": {…}, "language": "de"}`` is answered with ``{"svg": "<svg …"}``, or with ``{"what": …, "mend": …}`` where it
cannot be drawn.
"""

from __future__ import annotations

import json
import sys

from improvement.charts.rendering import svg
from improvement.errors import RegelkreisError


def main() -> None:
    """Answer line by line."""
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(_answer(line)).encode() + b"\n")
        sys.stdout.buffer.flush()


def _answer(line: bytes) -> dict[str, str]:
    asked = json.loads(line)
    try:
        return {"svg": svg(asked["spec"], language=asked["language"])}
    except RegelkreisError as error:
        return {"what": error.what, "mend": error.mend}


if __name__ == "__main__":
    main()
