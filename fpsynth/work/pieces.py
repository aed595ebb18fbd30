"""What is to be done by several workers, and what becomes of a piece that fails."""

from collections import Counter, deque
from collections.abc import Sequence

from fpsynth.errors import Unfinished

TRIES = 3
"""A piece that failed so often is left; the others go on."""


class Pieces:
    """Pieces that wait for a worker."""

    def __init__(self, tasks: Sequence[int]) -> None:
        self._waiting, self._failures, self._lost = deque(tasks), Counter[int](), dict[int, str]()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self) -> int:
        """The next one."""
        return self._waiting.popleft()

    def failed(self, task: int, why: str) -> None:
        """It waits again, or is lost."""
        self._failures[task] += 1
        if self._failures[task] < TRIES:
            self._waiting.append(task)
        else:
            self._lost[task] = why

    def close(self) -> None:
        """Raises Unfinished where pieces were lost."""
        if self._lost:
            raise Unfinished(self._lost)
