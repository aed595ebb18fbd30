"""A YAML file as data, with the place of every key and value, and with --set options laid over it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from fpsynth.errors import UserError

Loc = tuple[str | int, ...]
"""The way to a value: keys and list indices."""

LARGEST = 1 << 20
"""Bytes. A larger file is not a recipe."""
MOST = 100_000
"""Values, each counted as often as aliases repeat it. More is not a recipe either."""


@dataclass(frozen=True)
class Document:
    """data: plain values; keys and values: where each of them stands, as ``file:line:column`` or ``--set a.b=c``."""

    path: Path
    data: dict[str, Any]
    keys: Mapping[Loc, str]
    values: Mapping[Loc, str]

    def place(self, loc: Loc, of_key: bool = False) -> str:
        """Where loc stands, or the nearest part of the document that holds it."""
        marks = self.keys if of_key else self.values
        for end in range(len(loc), -1, -1):
            if loc[:end] in marks:
                return marks[loc[:end]]
        return str(self.path)

    def error(self, loc: Loc, text: str, of_key: bool = False) -> UserError:
        """The error that says where, what, and what is wrong with it."""
        return UserError(self.line(loc, text, of_key))

    def line(self, loc: Loc, text: str, of_key: bool = False) -> str:
        """``recipe.yaml:6:5: sampling.steps: text``."""
        return f"{self.place(loc, of_key)}: {named(loc)}: {text}" if loc else f"{self.place(loc)}: {text}"


def named(loc: Loc) -> str:
    """``sampling.steps``, ``rules[1].then``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def read_document(path: Path, overrides: Sequence[str] = ()) -> Document:
    """Read a YAML mapping and lay ``dotted.key=YAML`` options over it. Raises UserError, with the place."""
    text = _text(path)
    keys: dict[Loc, str] = {}
    values: dict[Loc, str] = {}
    data = _parsed(text, str(path))
    if not isinstance(data, dict):
        raise UserError(f"{path}:1:1: a mapping of keys to values is wanted here, not {_kind(data)}")
    root = YAML(typ="safe", pure=True).compose(text)
    if _size(root, {}) > MOST:
        raise UserError(f"{path}: holds more than {MOST} values once its aliases are written out; that is not a recipe")
    for loc, key, value in _marks(root, ()):
        keys[loc], values[loc] = f"{path}:{_at(key)}", f"{path}:{_at(value)}"
    for option in overrides:
        _lay_over(data, option, keys, values)
    return Document(path, data, keys, values)


def _text(path: Path) -> str:
    try:
        kind = path.stat()
        if not (S_ISREG(kind.st_mode) or S_ISDIR(kind.st_mode)):
            raise UserError(f"{path}: is no ordinary file")
        if kind.st_size > LARGEST:
            raise UserError(f"{path}: larger than {LARGEST} bytes; that is not a recipe")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _parsed(text: str, source: str) -> Any:
    """Plain data from YAML 1.2, no tags that make objects. Raises UserError with line and column."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark and source != "--set" else ""
        raise UserError(f"{source}{at}: {_problem(error)}") from None
    except (YAMLError, ValueError) as error:
        raise UserError(f"{source}: {_first_line(error)}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{source}: a value is not of the type that its tag says ({error})") from None
    except RecursionError:
        raise UserError(f"{source}: nested too deeply") from None


def _problem(error: MarkedYAMLError) -> str:
    text = str(error.problem or error.context or "not YAML").splitlines()[0]
    return text.split(" with value")[0] if text.startswith("found duplicate key") else text


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["not YAML"])[0]


def _at(node: Node) -> str:
    return f"{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _size(node: Node, known: dict[int, int]) -> int:
    """Nodes at and below a node, each as often as it is reached. known: sizes by node, for aliases."""
    if id(node) not in known:
        known[id(node)] = MOST + 1  # of a node that holds itself
        inner = node.value if isinstance(node, MappingNode | SequenceNode) else []
        parts = [part for pair in inner for part in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


def _marks(node: Node, loc: Loc) -> Iterator[tuple[Loc, Node, Node]]:
    """(loc, the node of its key, the node of its value) for everything below node. Aliases are not followed twice."""
    if isinstance(node, MappingNode):
        pairs = [(key.value, key, value) for key, value in node.value]
    elif isinstance(node, SequenceNode):
        pairs = [(i, item, item) for i, item in enumerate(node.value)]
    else:
        return
    for name, key, value in pairs:
        if isinstance(name, str | int) and len(loc) < 8:
            yield (*loc, name), key, value
            yield from _marks(value, (*loc, name))


def _lay_over(data: dict[str, Any], option: str, keys: dict[Loc, str], values: dict[Loc, str]) -> None:
    """Put one ``a.b=value`` into data and remember that the place of a.b is the option itself."""
    dotted, equals, text = option.partition("=")
    loc: Loc = tuple(dotted.strip().split("."))
    if not equals or not all(loc):
        raise UserError(f"--set {option}: is not of the form key=value, as in --set sampling.steps=8")
    replaced = _put(data, loc, _option_value(option, text))
    for marks in (keys, values):
        for old in [old for old in marks if old[: len(replaced)] == replaced]:
            del marks[old]
        for end in range(len(replaced), len(loc) + 1):
            marks[loc[:end]] = f"--set {option}"


def _put(data: dict[str, Any], loc: Loc, value: Any) -> Loc:
    """Set data at loc, with mappings on the way there. Returns the part of loc below which nothing old is left."""
    kept = 0
    for depth, part in enumerate(loc[:-1]):
        inner = data.get(str(part))
        kept = depth + 1 if isinstance(inner, dict) else kept
        data[str(part)] = data = dict(inner) if isinstance(inner, dict) else {}
    data[str(loc[-1])] = value
    return loc[: kept + 1]


def _option_value(option: str, text: str) -> Any:
    try:
        return _parsed(text, "--set")
    except UserError as error:
        raise UserError(f"--set {option}: the value is not YAML ({str(error).removeprefix('--set: ')})") from None


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", type(None): "nothing", int: "a number", float: "a number"}
    return names.get(type(value), "a value")
