"""Draw what standard input asks for until it ends: a line of JSON is a spec and a language, the answer a line too.

``{"spec": {…}, "language": "de"}`` is answered with ``{"svg": "<svg …"}``, or with ``{"what": …, "mend": …}`` where it
cannot be drawn.
"""

from __future__ import annotations

import json
import signal
import sys

from improvement.charts.rendering import svg
from improvement.errors import RegelkreisError


def main() -> None:
    """Answer line by line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for whoever asks; without them our input ends
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        try:
            answer = {"svg": svg(asked["spec"], language=asked["language"])}
        except RegelkreisError as error:
            answer = {"what": error.what, "mend": error.mend}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
