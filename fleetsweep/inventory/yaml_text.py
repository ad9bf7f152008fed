"""Parse YAML and JSON into plain values, with the line of every key: bounded, and without tags that build objects.

Values are typed as by PyYAML's safe loader (YAML 1.1: ``yes`` is true, ``0777`` is octal), but built here from the
parser's events. That bounds memory where aliases multiply, finds duplicate keys, records lines, and takes a third of
the time. Of a duplicate key the last value counts, as in Ansible; the reader of the document decides whether that is an
error.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.values import AmbiguousOrigin, VaultValue, unsafe

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


@dataclass(slots=True)
class DuplicateKeys:
    """The keys that occur twice in a document. Mappings are identified by their ``id()``."""

    found: list[tuple[str, str]] = field(default_factory=list)
    """The place and the description of each, in order."""
    own: dict[int, dict[object, str]] = field(default_factory=dict)
    """For each mapping, its keys that occur twice."""
    within: dict[int, dict[object, str]] = field(default_factory=dict)
    """For each mapping, its keys that occur twice or whose value has such a key."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value. ``lines`` maps the ``id()`` of each mapping in it to the lines of its keys."""

    value: object
    path: str
    lines: Mapping[int, Mapping[object, int]] = field(default_factory=dict)
    duplicates: DuplicateKeys = field(default_factory=DuplicateKeys)

    def where(self, mapping: object, key: object) -> str:
        """Return ``path:line`` of a key of a mapping in the value; for JSON the path alone."""
        line = self.lines.get(id(mapping), {}).get(key)
        return self.path if line is None else f"{self.path}:{line}"

    def origin(self, mapping: object, variable: object) -> str:
        """Return ``path:line`` of a variable; an AmbiguousOrigin if a key occurs twice there."""
        line = self.lines.get(id(mapping), {}).get(variable)
        where = self.path if line is None else f"{self.path}:{line}"
        if not self.duplicates.found:
            return where
        reason = self.duplicates.within.get(id(mapping), {}).get(variable)
        return where if reason is None else AmbiguousOrigin(where, reason)

    def refuse_duplicates(self, mapping: object) -> None:
        """Raise InventoryError if a key of this mapping itself occurs twice."""
        for key, reason in self.duplicates.own.get(id(mapping), {}).items():
            raise InventoryError(self.where(mapping, key), f"{reason}: remove one")

    def duplicate_warning(self) -> tuple[str, str] | None:
        """Return the place and the text of one warning about all duplicate keys; None without any."""
        if not self.duplicates.found:
            return None
        (where, reason), *others = self.duplicates.found
        more = f", and {len(others)} more such keys in this file" if others else ""
        return where, f"{reason}{more}: the last value counts, as in Ansible"


class NotYamlError(InventoryError):
    """The text is not YAML; it may be another format."""


def parse(text: str, path: str) -> Document:
    """Parse YAML or JSON; the value is None for empty text. Raises InventoryError."""
    if text.lstrip()[:1] in {"{", "["}:
        # Like Ansible, try JSON first: 1e3 is a number there, but text in YAML.
        try:
            return parse_json(text, path)
        except _NotJsonError:
            pass
    return _Builder(path).build(text)


class _NotJsonError(InventoryError):
    """The text is not JSON."""


def parse_json(text: str, path: str) -> Document:
    """Parse a JSON text. Raises InventoryError."""
    duplicates = DuplicateKeys()
    # Objects with a duplicate key are kept, so that no other object gets their id().
    kept: list[dict[str, object]] = []

    def build(pairs: list[tuple[str, object]]) -> object:
        built = dict(pairs)
        own: dict[object, str] = {}
        if len(built) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            own = {key: f"the key {key[:80]!r} occurs twice in one object" for key, n in counts.items() if n > 1}
            duplicates.found.extend((path, reason) for reason in own.values())
        for key in ("__ansible_vault", "__ansible_unsafe"):
            if isinstance(built.get(key), str):
                if own:
                    raise InventoryError(path, f"{next(iter(own.values()))}: remove one")
                return VaultValue(str(built[key])) if key == "__ansible_vault" else unsafe(built[key])
        if duplicates.found:
            # Of a duplicate key each value is inspected: the overwritten one may hold a duplicate, too.
            within = own | {key: reason for key, value in pairs if (reason := duplicate_in(value)) is not None}
            if within:
                duplicates.own[id(built)], duplicates.within[id(built)] = own, within
                kept.append(built)
        return built

    def duplicate_in(value: object) -> str | None:
        if isinstance(value, list):
            return next((reason for item in value if (reason := duplicate_in(item)) is not None), None)
        return next(iter(duplicates.within.get(id(value), {}).values()), None)

    try:
        value: object = json.loads(text, object_pairs_hook=build)
    except json.JSONDecodeError as error:
        raise _NotJsonError(f"{path}:{error.lineno}", f"invalid JSON: {error.msg}") from error
    except RecursionError as error:
        raise InventoryError(path, f"values are nested more than {DEPTH_LIMIT} deep") from error
    except ValueError as error:
        raise InventoryError(path, f"invalid JSON: {error}") from error
    _check_depth(value, path)
    return Document(value, path, duplicates=duplicates)


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
    own: dict[object, str] = field(default_factory=dict)
    """Keys that occur twice."""
    within: dict[object, str] = field(default_factory=dict)
    """Keys that occur twice or whose value has such a key."""
    duplicate: str | None = None
    """The first duplicate key anywhere in it."""


class _Builder:
    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: dict[int, dict[object, int]] = {}
        self._anchors: dict[str, tuple[object, int, str | None]] = {}
        self._duplicates = DuplicateKeys()
        self._duplicate: str | None = None
        # Mappings with a duplicate key are kept, so that no other mapping gets their id().
        self._kept: list[object] = []
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
        return Document(root, self._path, self._lines, self._duplicates)

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
            self._anchors[event.anchor] = (value, 1, None)
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
            lines = {key: self._lines_of(part).get(key, 0) for part in frame.merges for key in part} | lines
            value = merged | value
        if frame.unsafe:
            value = unsafe(value)
        if isinstance(value, dict):
            self._lines[id(value)] = lines
            if frame.within:
                self._kept.append(value)
                self._duplicates.own[id(value)], self._duplicates.within[id(value)] = frame.own, frame.within
        self._duplicate = frame.duplicate
        if frame.anchor is not None:
            # Registered only when complete: a value can't contain itself.
            self._anchors[frame.anchor] = (value, self._nodes - frame.first_node + 1, frame.duplicate)
        return value

    def _lines_of(self, mapping: object) -> Mapping[object, int]:
        # A mapping that was copied to mark it unsafe has no lines.
        return self._lines.get(id(mapping), {})

    def _alias(self, name: str) -> object:
        anchored = self._anchors.get(name)
        if anchored is None:
            raise self._error(f"the alias *{name[:80]} is undefined, or refers to a value that contains it")
        self._count(anchored[1])
        self._duplicate = anchored[2]
        return anchored[0]

    def _check_not_merge(self, value: object) -> object:
        if value is _MERGE:
            raise self._error("'<<' is only for keys: quote it")
        return value

    def _place(self, value: object) -> None:
        frame = self._stack[-1]
        container = frame.container
        if self._duplicate is not None:
            self._note_duplicate(frame, value, self._duplicate)
            self._duplicate = None
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
            reason = f"the key {str(key)[:80]!r} occurs twice in one mapping, first in line {frame.lines[key]}"
            frame.own[key] = frame.within[key] = frame.duplicate = reason
            self._duplicates.found.append((f"{self._path}:{self._line}", reason))
        frame.key, frame.key_line = key, self._line

    def _note_duplicate(self, frame: _Frame, value: object, reason: str) -> None:
        """Record that the value that is added to a container has a duplicate key."""
        frame.duplicate = frame.duplicate or reason
        if frame.key is _MERGE:
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, dict):
                    frame.own.update(self._duplicates.own.get(id(part), {}))
                    frame.within.update(self._duplicates.within.get(id(part), dict.fromkeys(part, reason)))
        elif frame.key is not _MISSING:
            frame.within[frame.key] = reason

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
