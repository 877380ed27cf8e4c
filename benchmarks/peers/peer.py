"""What a peer is: another tool that answers a job with a line, or says that it is not here."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator

from lines import Line
from workloads import Workload


class PeerMissing(Exception):
    """A tool, compiler or device that is not here; the message says how to get it."""


class PeerFailed(Exception):
    """A tool that is here and did not answer; the message is its last line."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A workload, how many individuals are asked of tools that are fast enough, their dtype, and repeats."""

    name: str
    workload: Workload
    n: int
    dtype: str
    repeats: int


class Peer(ABC):
    """Another tool."""

    workloads: tuple[str, ...]

    @abstractmethod
    def measure(self, job: Job) -> Line:
        """Its line; raises PeerMissing or PeerFailed."""


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """What is started inside runs on one core: peers are compared core for core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
