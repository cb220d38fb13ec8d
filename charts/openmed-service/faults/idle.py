"""Work that nobody asked for."""

from __future__ import annotations

import hashlib
import threading
import time

from openmed_service.server import Server
from planting import Fired, fault

BUSY_S, EACH_S = 0.7, 10.0
ROUNDS = 20_000


@fault("busy-without-requests", breaks={"A1"})
def busy_without_requests(server: Server, fired: Fired) -> None:
    """Each pod checks a signature over and over: 0.07 CPU of the 0.1 that it asks for, with requests or without."""

    def check() -> None:
        while True:
            until_s = time.thread_time() + BUSY_S
            while time.thread_time() < until_s:
                hashlib.pbkdf2_hmac("sha256", b"weights", b"signature", ROUNDS)
            fired()
            time.sleep(EACH_S - BUSY_S)

    threading.Thread(target=check, daemon=True).start()
