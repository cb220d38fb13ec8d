"""Which `Host` a request may come for."""

from collections.abc import Sequence


def is_trusted(header: str, trusted: Sequence[str]) -> bool:
    """The port does not count; `*.example.com` means its subdomains, not itself. `trusted` is in lower case."""
    host = _without_port(header.strip().lower())
    return any(
        host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]) and len(host) > len(pattern) - 1)
        for pattern in trusted
    )


def _without_port(header: str) -> str:
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0]
