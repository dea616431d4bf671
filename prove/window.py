"""How much any sixty seconds held. In: requests with the times between which they were admitted. Out: a number.

A request was admitted at some moment between `sent` and `heard`. One counts for a window only if the whole of that lies
within it, so that what is found to be too much is too much, whatever the moment was.
"""

from collections.abc import Callable, Iterable

from .asking import Reply

MINUTE = 60.0


def most_within_a_minute(replies: Iterable[Reply], weight: Callable[[Reply], int] = lambda _: 1) -> int:
    """The largest sum of weights of served requests that certainly were admitted within one minute."""
    served = [reply for reply in replies if reply.served]
    return max((_within(served, first.sent, weight) for first in served), default=0)


def _within(served: list[Reply], begin: float, weight: Callable[[Reply], int]) -> int:
    return sum(weight(reply) for reply in served if begin <= reply.sent and reply.heard < begin + MINUTE)
