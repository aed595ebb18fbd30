"""A piece of a dataset: a shard, some row groups, some files. It is small and can be sent to another process."""

from collections.abc import Iterator
from typing import Protocol

from fpsynth.dataset.item import Item

CHUNK = 64
"""So many images are read at once."""


class Unit(Protocol):
    """Some images that are read together.

    What a damaged file makes of count, digest and read is an OSError, a ValueError or Arrow's own error.
    """

    @property
    def name(self) -> str:
        """The file or folder, for messages."""

    def count(self) -> int:
        """How many images there are, without reading them."""

    @property
    def whole(self) -> bool:
        """Whether the digest is that of the file called name, all of it."""

    @property
    def state(self) -> str:
        """Changes when files that the digest does not cover (sidecars) change."""

    def digest(self) -> str:
        """SHA-256 of the file, or of the images."""

    def read(self) -> Iterator[Item]:
        """The images, one by one."""
