"""A folder imports only from those before it in the flow, and torch only where tensors live."""

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "fpsynth"
FLOW = (
    ("errors", "vocabulary", "rng", "files", "remote", "device", "work", "minutiae", "grey"),
    ("slots", "console", "model_folder"),
    ("recipe",),
    ("finger",),
    ("impression",),
    ("sensor",),
    ("conditioning",),
    ("extractor",),
    ("gate", "dataset"),
    ("diffusion", "embedding"),
    ("reader",),
    ("training",),
    ("inspect",),
    ("making",),
    ("edit",),
    ("flow",),
    ("leak",),
    ("api",),
    ("cli",),
    ("__main__",),
)
"""The flow; those in one pair of brackets may use each other."""

ROOMS = {
    "inspect": ("measure", "report", "look"),
    "diffusion": (
        "bundle",
        "schedule",
        "noise",
        "codec",
        "samplers",
        "denoiser",
        "finisher",
        "upscale",
        "canvas",
        "settings",
        "model",
        "looks",
        "sample",
    ),
    "training": (
        "kinds",
        "contrastive",
        "critic",
        "texture",
        "loop",
        "data",
        "views",
        "batches",
        "autoencoder",
        "denoiser",
        "distill",
        "finisher",
        "upscaler",
        "embedding",
        "extractor",
        "reader",
        "adapt",
        "run",
    ),
}
"""Rooms of a folder, in their order: each imports only from itself and from those before it."""

RANK = {name: rank for rank, names in enumerate(FLOW) for name in names}
LIGHT = ("errors", "vocabulary", "rng", "files", "remote", "device", "work", "slots", "console", "model_folder")
LIGHT += ("recipe", "flow", "cli")
"""Parts that --help and --dry-run load."""
HEAVY = {"torch", "diffusers", "transformers", "cv2", "pyarrow", "datasets", "skimage", "PIL", "ray"}

FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def part(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imports(tree: ast.AST, top: bool) -> set[str]:
    """Dotted names that are imported; top: only those needed to load the module (not for types, not in functions)."""
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not (top and (inner or typing_only)):
            waiting.extend(ast.iter_child_nodes(node))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_up_the_flow(path):
    here = part(path)
    assert here in RANK, f"{here} has no place in the flow"
    for name in imports(ast.parse(path.read_text()), top=False):
        if name.startswith("fpsynth.") and not name.startswith("fpsynth.__"):
            there = name.split(".")[1]
            assert RANK[there] <= RANK[here], f"{path.name} imports {name}, which comes later in the flow"


@pytest.mark.parametrize("path", [p for p in FILES if part(p) in ROOMS], ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_inside_a_folder_go_up_its_rooms(path):
    folder, room = (name.removesuffix(".py") for name in path.relative_to(ROOT).parts[:2])
    order = ROOMS[folder]
    if room == "__init__":
        return
    assert room in order, f"{room} has no place in {folder}"
    allowed = order[: order.index(room) + 1]
    for name in imports(ast.parse(path.read_text()), top=False):
        there = name.removeprefix(f"fpsynth.{folder}.").split(".")[0]
        if name.startswith(f"fpsynth.{folder}.") and there in order:
            assert there in allowed, f"{path.name} imports {name}, a later room"


@pytest.mark.parametrize("path", [p for p in FILES if part(p) in LIGHT], ids=lambda path: str(path.relative_to(ROOT)))
def test_light_parts_import_nothing_heavy(path):
    for name in imports(ast.parse(path.read_text()), top=True):
        assert name.split(".")[0] not in HEAVY, f"{path.name} imports {name} when it is loaded"


def test_no_circles():
    """Imports for types and inside functions included, no module leads back to itself."""
    modules = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in FILES}
    arrows = {}
    for name, path in modules.items():
        wanted = imports(ast.parse(path.read_text()), top=False)
        arrows[name] = {m for m in modules for w in wanted if w == m or w.rpartition(".")[0] == m} - {name}
    while bare := [name for name, onward in arrows.items() if not onward & arrows.keys()]:
        for name in bare:
            del arrows[name]
    assert not arrows


def test_functions_stay_short():
    """Lines of a function, its docstring included."""
    trees = [ast.parse(path.read_text()) for path in FILES]
    found = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lines = sorted(node.end_lineno - node.lineno + 1 for node in found)
    assert statistics.median(lines) <= 8 and lines[len(lines) * 9 // 10] <= 20 and lines[-1] <= 50
