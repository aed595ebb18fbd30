"""What can be wrong with an image or a dataset."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Fault:
    """Something broken: its kind (a short name), where, and what."""

    kind: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def as_dict(fault: Fault) -> dict[str, str]:
    """For JSON."""
    return asdict(fault)
