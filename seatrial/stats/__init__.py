"""Intervals, quantiles and arrival tests: pure functions over numbers, scipy underneath.

Two error rates run through this package. An assertion fails a healthy service with probability at most
`ALPHA`, and passes one at the limit or worse with probability at most `BETA`. It may look at its data twice
(the second time at three times the observations), so each look spends half of both.

SciPy loads its parts when they are first used, and is imported whole for that: scipy.stats takes a second of CPU, which
processes that only send requests are spared.
"""

from typing import Literal

ALPHA = 1e-5
BETA = 0.05
LOOKS = 2

Decision = Literal["fail", "pass", "between"]
