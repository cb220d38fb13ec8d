"""A rate limit that lets in another number than was configured."""

from __future__ import annotations

import math
import time

from openmed_service.errors import ApiError, rate_limited
from openmed_service.server import Server
from openmed_service.throttle import Bucket, RateLimit
from planting import Fired, fault


def _another(server: Server, rps: float, burst: float) -> RateLimit:
    rate = server.service.rate
    return RateLimit(rps, burst, rate.key_by, lambda: rate.clock())


@fault("rate-per-process", breaks={"L3"})
def rate_per_process(server: Server, fired: Fired) -> None:
    """Two workers take requests in turn, each with a bucket of its own: twice the rate."""
    first = server.service.rate
    take_first, second = first.take, _another(server, first.rps, first.burst)
    taken = 0

    def alternating(key: str) -> None:
        nonlocal taken
        taken += 1
        if taken % 2:
            return take_first(key)
        fired()
        return second.take(key)

    first.take = alternating  # type: ignore[method-assign]


@fault("rate-rejects-burn-tokens", breaks={"L3"})
def rate_rejects_burn_tokens(server: Server, fired: Fired) -> None:
    """A refused request costs a token too: who keeps trying gets nothing."""
    rate = server.service.rate
    take = rate.take

    def burning(key: str) -> None:
        try:
            take(key)
        except ApiError:
            fired()
            bucket = rate.buckets[key]
            bucket.tokens = max(-rate.burst, bucket.tokens - 1)
            raise

    rate.take = burning  # type: ignore[method-assign]


@fault("rate-burst-ignored", breaks={"L3"})
def rate_burst_ignored(server: Server, fired: Fired) -> None:
    """The bucket holds one token, whatever burst is configured."""
    rate = server.service.rate
    if not rate.on:
        return
    rate.burst = 1.0
    take = rate.take

    def single(key: str) -> None:
        try:
            take(key)
        except ApiError:
            fired()
            raise

    rate.take = single  # type: ignore[method-assign]


@fault("rate-per-minute", breaks={"L3"})
def rate_per_minute(server: Server, fired: Fired) -> None:
    """A minute's worth of requests may come at once, each minute."""
    rate = server.service.rate
    windows: dict[tuple[str, int], int] = {}

    def counted(key: str) -> None:
        minute, into_minute_s = divmod(time.monotonic(), 60)
        window = (key, int(minute))
        if windows.get(window, 0) >= 60 * rate.rps:
            raise rate_limited(60 - into_minute_s, rate.key_by)
        fired()
        windows[window] = windows.get(window, 0) + 1

    if rate.on:
        rate.take = counted  # type: ignore[method-assign]


def _replaced(server: Server, fired: Fired, rps: float, burst: float) -> None:
    """Reports each request that the configured limit would have refused."""
    rate = server.service.rate
    if not rate.on:
        return
    meant = _another(server, rate.rps, rate.burst)
    rate.rps, rate.burst = rps, burst
    take = rate.take

    def other(key: str) -> None:
        take(key)
        try:
            meant.take(key)
        except ApiError:
            fired()

    rate.take = other  # type: ignore[method-assign]


@fault("rate-off-by-10-percent", breaks={"L3"})
def rate_off_by_10_percent(server: Server, fired: Fired) -> None:
    """A tenth more than the configured rate."""
    _replaced(server, fired, server.service.rate.rps * 1.1, server.service.rate.burst)


@fault("rate-value-ignored", breaks={"L3"})
def rate_value_ignored(server: Server, fired: Fired) -> None:
    """A built-in limit of 100 a second with a burst of 100, whatever is configured."""
    _replaced(server, fired, 100.0, 100.0)


def _kept_back(server: Server, fired: Fired) -> None:
    """Reports each refusal of a request that the configured limit would have admitted."""
    rate = server.service.rate
    meant = _another(server, rate.rps, rate.burst)
    take = rate.take

    def stingy(key: str) -> None:
        meant_to = True
        try:
            meant.take(key)
        except ApiError:
            meant_to = False
        try:
            take(key)
        except ApiError:
            if meant_to:
                meant.give_back(key)
                fired()
            raise

    rate.take = stingy  # type: ignore[method-assign]


@fault("rate-5-percent-slow", breaks={"L3"})
def rate_5_percent_slow(server: Server, fired: Fired) -> None:
    """Tokens come back at 95 % of the configured rate."""
    rate = server.service.rate
    if rate.on:
        _kept_back(server, fired)
        rate.rps *= 0.95


@fault("rate-starts-empty", breaks={"L3"})
def rate_starts_empty(server: Server, fired: Fired) -> None:
    """A new bucket has no token in it: who comes first waits as long as who comes after a burst."""
    rate = server.service.rate
    if not rate.on:
        return
    _kept_back(server, fired)
    take = rate.take

    def from_empty(key: str) -> None:
        if key not in rate.buckets:
            rate.buckets[key] = Bucket(0.0, rate.clock())
        take(key)

    rate.take = from_empty  # type: ignore[method-assign]


@fault("rate-refills-each-second", breaks={"L3"})
def rate_refills_each_second(server: Server, fired: Fired) -> None:
    """Tokens come back when the clock strikes a whole second, all of them at once."""
    rate = server.service.rate
    if not rate.on:
        return
    _kept_back(server, fired)
    filled = rate._filled

    def by_whole_seconds(key: str) -> Bucket:
        clock = rate.clock
        rate.clock = lambda: math.floor(clock())
        try:
            return filled(key)
        finally:
            rate.clock = clock

    rate._filled = by_whole_seconds  # type: ignore[method-assign]
