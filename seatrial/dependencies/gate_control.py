"""Says one thing to the gate in this pod and prints its answer, a line of JSON: run over the exec API.

python -m seatrial.dependencies.gate_control '{"do": "refuse"}'
"""

from __future__ import annotations

import os
import socket
import sys

CONTROL_PORT = 18801
ANSWER_WITHIN_S = 10.0


def main() -> None:
    """Send the argument and print the answer."""
    with socket.create_connection((os.environ["POD_IP"], CONTROL_PORT), ANSWER_WITHIN_S) as gate:
        gate.sendall(sys.argv[1].encode() + b"\n")
        gate.shutdown(socket.SHUT_WR)
        with gate.makefile("r", encoding="utf-8") as answer:
            print(answer.read(), end="")


if __name__ == "__main__":
    main()
