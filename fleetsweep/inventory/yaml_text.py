"""Parse YAML and JSON into plain values, with the line of every key: bounded, and without tags that build objects.

Values are typed as by PyYAML's safe loader (YAML 1.1: ``yes`` is true, ``0777`` is octal), but built here from the
parser's events. That bounds memory where aliases multiply, refuses duplicate keys, records lines, and takes a third of
the time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.values import VaultValue, unsafe

if TYPE_CHECKING:
    import yaml

NODE_LIMIT: Final = 2_000_000
"""Values in one file; an alias counts as all values that it refers to."""
DEPTH_LIMIT: Final = 100
"""Levels of nested values."""

_CORE: Final = "tag:yaml.org,2002:"
_MISSING: Final = object()
_MERGE: Final = object()
_NUL: Final = "\0"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value. ``lines`` maps the ``id()`` of each mapping in it to the lines of its keys."""

    value: object
    path: str
    lines: Mapping[int, Mapping[object, int]] = field(default_factory=dict)

    def where(self, mapping: object, key: object) -> str:
        """Return ``path:line`` of a key of a mapping in the value; for JSON the path alone."""
        line = self.lines.get(id(mapping), {}).get(key)
        return self.path if line is None else f"{self.path}:{line}"


class NotYamlError(InventoryError):
    """The text is not YAML; it may be another format."""


def parse(text: str, path: str) -> Document:
    """Parse YAML or JSON; the value is None for empty text. Raises InventoryError."""
    if text.lstrip()[:1] in {"{", "["}:
        # Like Ansible, try JSON first: 1e3 is a number there, but text in YAML.
        try:
            return Document(parse_json(text, path), path)
        except _NotJsonError:
            pass
    return _Builder(path).build(text)


class _NotJsonError(InventoryError):
    """The text is not JSON."""


def parse_json(text: str, path: str) -> object:
    """Return the value of a JSON text. Raises InventoryError."""

    def build(pairs: list[tuple[str, object]]) -> object:
        built = dict(pairs)
        if len(built) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise InventoryError(path, f"the key {twice[:80]!r} occurs twice in one object: remove one")
        for key in ("__ansible_vault", "__ansible_unsafe"):
            if isinstance(built.get(key), str):
                return VaultValue(str(built[key])) if key == "__ansible_vault" else unsafe(built[key])
        return built

    try:
        value: object = json.loads(text, object_pairs_hook=build)
    except json.JSONDecodeError as error:
        raise _NotJsonError(f"{path}:{error.lineno}", f"invalid JSON: {error.msg}") from error
    except RecursionError as error:
        raise InventoryError(path, f"values are nested more than {DEPTH_LIMIT} deep") from error
    except ValueError as error:
        raise InventoryError(path, f"invalid JSON: {error}") from error
    _check_depth(value, path)
    return value


def _check_depth(value: object, path: str) -> None:
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [
            below
            for item in level
            if isinstance(item, (dict, list))
            for below in (item.values() if isinstance(item, dict) else item)
            if isinstance(below, (dict, list))
        ]
        if not level:
            return
    raise InventoryError(path, f"values are nested more than {DEPTH_LIMIT} deep")


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence under construction."""

    container: dict[object, object] | list[object]
    lines: dict[object, int]
    anchor: str | None
    first_node: int
    unsafe: bool
    key: object = _MISSING
    key_line: int = 0
    merges: list[dict[object, object]] = field(default_factory=list)


class _Builder:
    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: dict[int, dict[object, int]] = {}
        self._anchors: dict[str, tuple[object, int]] = {}
        self._stack: list[_Frame] = []
        self._nodes = 0
        self._line = 1

    def build(self, text: str) -> Document:
        import yaml

        root: object = None
        documents = 0
        try:
            for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                self._line = event.start_mark.line + 1  # type: ignore[union-attr]  # the parser always sets a mark
                value = _MISSING
                if isinstance(event, yaml.ScalarEvent):
                    value = self._scalar(event)
                elif isinstance(event, yaml.CollectionStartEvent):
                    self._open(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
                elif isinstance(event, yaml.CollectionEndEvent):
                    value = self._close()
                elif isinstance(event, yaml.AliasEvent):
                    value = self._alias(str(event.anchor))
                elif isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        raise self._error("there is a second YAML document: use one document a file")
                if value is _MISSING:
                    continue
                if self._stack:
                    self._place(value)
                else:
                    root = self._check_not_merge(value)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{self._path}:{mark.line + 1}" if mark else self._path
            raise NotYamlError(where, f"invalid YAML: {getattr(error, 'problem', None) or error}") from error
        return Document(root, self._path, self._lines)

    def _error(self, message: str) -> InventoryError:
        return InventoryError(f"{self._path}:{self._line}", message)

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > NODE_LIMIT:
            raise self._error(f"the file has more than {NODE_LIMIT} values, aliases expanded")

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        self._count(1)
        tag, text = event.tag, event.value
        value: object
        if tag is None or tag == "!":
            value = _plain_scalar(text) if event.implicit[0] else text
            if isinstance(value, _Unusable):
                raise self._error(f"{text[:80]!r} is {value.reason}: quote it")
        elif tag in {"!vault", "!vault-encrypted"}:
            value = VaultValue(text)
        else:
            value = self._tagged(tag.removeprefix(_CORE), text)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        return value

    def _tagged(self, tag: str, text: str) -> object:
        if tag == "!unsafe":
            value = unsafe(_plain_scalar(text))
        elif tag == "str":
            return text
        elif tag in {"bool", "float", "int", "null", "timestamp"}:
            value = _construct(_CORE + tag, text)
        else:
            raise self._error(f"the tag {tag[:80]!r} is not supported in inventories: write plain values")
        if isinstance(value, _Unusable):
            raise self._error(f"{text[:80]!r} is {value.reason}: quote it")
        return value

    def _open(self, event: yaml.CollectionStartEvent, container: dict[object, object] | list[object]) -> None:
        self._count(1)
        kind = "map" if isinstance(container, dict) else "seq"
        if event.tag not in {None, "!", "!unsafe", _CORE + kind}:
            raise self._error(f"the tag {str(event.tag).removeprefix(_CORE)[:80]!r} is not supported in inventories")
        if len(self._stack) >= DEPTH_LIMIT:
            raise self._error(f"values are nested more than {DEPTH_LIMIT} deep")
        self._stack.append(_Frame(container, {}, event.anchor, self._nodes, event.tag == "!unsafe"))

    def _close(self) -> object:
        frame = self._stack.pop()
        value: object = frame.container
        lines = frame.lines
        if frame.merges and isinstance(value, dict):
            merged: dict[object, object] = {}
            for earlier in frame.merges:
                merged.update(earlier)
            lines = {key: self._lines[id(part)].get(key, 0) for part in frame.merges for key in part} | lines
            value = merged | value
        if frame.unsafe:
            value = unsafe(value)
        if isinstance(value, dict):
            self._lines[id(value)] = lines
        if frame.anchor is not None:
            # Registered only when complete: a value can't contain itself.
            self._anchors[frame.anchor] = (value, self._nodes - frame.first_node + 1)
        return value

    def _alias(self, name: str) -> object:
        anchored = self._anchors.get(name)
        if anchored is None:
            raise self._error(f"the alias *{name[:80]} is undefined, or refers to a value that contains it")
        self._count(anchored[1])
        return anchored[0]

    def _check_not_merge(self, value: object) -> object:
        if value is _MERGE:
            raise self._error("'<<' is only for keys: quote it")
        return value

    def _place(self, value: object) -> None:
        frame = self._stack[-1]
        container = frame.container
        if isinstance(container, list):
            container.append(self._check_not_merge(value))
        elif frame.key is _MISSING:
            self._place_key(frame, container, value)
        else:
            if frame.key is _MERGE:
                frame.merges.extend(self._to_merge(value))
            else:
                container[frame.key] = self._check_not_merge(value)
                frame.lines[frame.key] = frame.key_line
            frame.key = _MISSING

    def _place_key(self, frame: _Frame, container: dict[object, object], key: object) -> None:
        try:
            twice = key in container
        except TypeError as error:
            raise self._error("a list or mapping can't be a key") from error
        if twice:
            first = frame.lines[key]
            raise self._error(
                f"the key {str(key)[:80]!r} occurs twice in one mapping, first in line {first}: remove one"
            )
        frame.key, frame.key_line = key, self._line

    def _to_merge(self, value: object) -> list[dict[object, object]]:
        if isinstance(value, dict):
            return [value]
        if isinstance(value, list) and all(isinstance(part, dict) for part in value):
            return value[::-1]
        raise self._error("'<<' merges mappings, or a list of them")


@dataclass(frozen=True, slots=True)
class _Unusable:
    reason: str


@cache
def _resolver() -> yaml.resolver.Resolver:
    import yaml

    return yaml.resolver.Resolver()


@cache
def _constructor() -> yaml.constructor.SafeConstructor:
    import yaml

    return yaml.constructor.SafeConstructor()


_known_scalars: dict[str, object] = {}


def _plain_scalar(text: str) -> object:
    """Return the value of an unquoted scalar, by YAML 1.1's rules."""
    value = _known_scalars.get(text, _MISSING)
    if value is _MISSING:
        import yaml

        tag = _resolver().resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        value = text if tag == _CORE + "str" else _MERGE if tag == _CORE + "merge" else _construct(tag, text)
        if len(_known_scalars) < 10_000 and len(text) < 100:
            _known_scalars[text] = value
    return value


def _construct(tag: str, text: str) -> object:
    import yaml

    try:
        return _constructor().construct_object(yaml.ScalarNode(tag, text))
    except (yaml.YAMLError, ValueError, OverflowError, KeyError, AttributeError, TypeError):
        return _Unusable(f"not a {tag.removeprefix(_CORE)}")
