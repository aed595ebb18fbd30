"""Files below a folder."""

from pathlib import Path


def files_below(root: Path, endings: tuple[str, ...]) -> list[Path]:
    """Files below root with one of these endings; what begins with a dot is passed by."""
    found = (p for p in root.rglob("*") if p.suffix.lower() in endings and p.is_file())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(root).parts))


def content(path: Path) -> bytes | None:
    """What is in a file; None where it is not there or cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None
