"""How long a container waits before it is started again.

Source: the kubelet's doBackOff and client-go's flowcontrol.Backoff. The first restart is immediate; each later
one waits, counted from the end of the run before, 10 s, 20 s, 40 s and so on up to 300 s. The count starts
anew when nothing was restarted for twice the longest wait.
"""

from dataclasses import dataclass

INITIAL_S, LONGEST_S = 10.0, 300.0


@dataclass(slots=True)
class Backoff:
    """One container's, in seconds of one monotonic clock."""

    initial_s: float = INITIAL_S
    longest_s: float = LONGEST_S
    _delay_s: float = 0.0
    _restarted_at_s: float = 0.0

    def delay_s(self, ended_at_s: float) -> float:
        """How long after its end, at `ended_at_s`, the container is held back; 0: not at all."""
        return 0.0 if self._forgotten(ended_at_s) else self._delay_s

    def restarted(self, at_s: float, ended_at_s: float) -> None:
        """The container is started again, and the next wait grows."""
        fresh = self._delay_s == 0.0 or self._forgotten(ended_at_s)
        self._delay_s = self.initial_s if fresh else min(2 * self._delay_s, self.longest_s)
        self._restarted_at_s = at_s

    def _forgotten(self, at_s: float) -> bool:
        return at_s - self._restarted_at_s > 2 * self.longest_s
