"""Mask what looks like a secret in values, documents and log lines, before they are stored or printed. Pure.

No pattern finds every secret. These favour masking too much: what is masked here serves only as evidence.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeVar
from urllib.parse import quote

from fleetsweep.model.redact import MASK

Item = TypeVar("Item")

_WORD: Final = (
    r"(?:pass|passwd|password|pw|pwd|passphrase|secrets?|token|credentials?|auths?|authorization|cookies?|jwt)"
)
_SECRET_NAME: Final = re.compile(
    rf"(?:.*[_.-])?{_WORD}(?:[_.-].*)?|.*(?:private|secret|access|api|auth)[_.-]?key|.*(?:password|passwd|secret|token)",
    re.IGNORECASE,
)
_USER_IN_URL: Final = re.compile(r"(?<=://)(?:[^/?#@\s]+|[^/?#@\s:]{1,200}:(?!\d+/)[^@\s]{1,400})(?=@)")
_ASSIGNMENT: Final = re.compile(
    # A word for a secret and the rest of its name; a sign, "is" or a blank; the value. Short words need a sign.
    r"(?P<name>(?:(?:passw|passphrase|secret|token|credential|authorization|(?:private|access|api|auth)[_.-]?key)"
    r"[\w.-]{0,20}[\"']?(?:\s{0,3}(?:[=:]|=>|is\b)\s{0,3}|\s{1,3}(?:\\\s{1,9})?)|\b(?:pass|pwd?)[\"']?\s{0,3}[=:]\s{0,3})"
    r"(?:(?:bearer|basic|token)\s{1,3})?)"
    r"(?P<value>\"[^\"\r\n]{0,4000}\"?|'[^'\r\n]{0,4000}'?|[^\s,;]+)",
    re.IGNORECASE,
)
_FORMATS: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)"
    r"|\b(?:bearer|basic)\s{1,3}[\w.~+/=-]{8,}"
    r"|\b(?:gh[opsur]_|github_pat_|glpat-|glrt-|xox[abeprs]-|sk-|hvs\.|dckr_pat_|npm_|pypi-)[\w.-]{10,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    # A log's end may begin within a key.
    r"|\A(?:(?!-----BEGIN ).)*-----END [A-Z ]{0,30}PRIVATE KEY-----"
    r"|(?<=cookie:)[^\r\n\"']+",
    re.IGNORECASE | re.DOTALL,
)
_OPTION: Final = re.compile(r"--?(?P<name>[\w.-]{1,60})")
_USER_OPTION: Final = re.compile(r"(?:-u|-U|--user|--proxy-user)")
_COMMAND: Final = re.compile(
    # curl -u NAME:PASSWORD; sshpass -p PASSWORD; redis-cli -a PASSWORD; mysql -pPASSWORD
    r"(?P<name>(?<!\S)(?:-u|-U|--user|--proxy-user)(?:\s{1,3}|=)[^\s:]{1,200}:"
    r"|\bsshpass\s{1,3}-p\s{0,3}|\bredis-cli\b[^|;&\n]{0,200}?\s-a\s{0,3}"
    r"|\b(?:mysql|mariadb)[\w-]{0,20}\b[^|;&\n]{0,200}?\s-p)"
    r"(?P<value>[^\s\"']+|\"[^\"]*\"?|'[^']*'?)"
)
_PROGRAMS: Final = {"sshpass": "-p", "redis-cli": "-a", "mysql": "-p", "mysqldump": "-p", "mariadb": "-p"}
"""Programs with a short option for a password."""

_SIGNS: Final = (
    *("://", "bearer", "basic", "gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "glrt-"),
    *("xox", "sk-", "hvs.", "dckr_pat_", "npm_", "pypi-", "akia", "asia", "aiza", "eyj", "cookie:"),
    *("pass", "pw", "secret", "token", "credential", "authorization", "key", "-u", "-p", "-a"),
)
"""Whatever one of the patterns above finds in an ASCII text has one of these in it, in lower case."""

_KNOWN_LEAST: Final = 4
"""Characters of a secret's value from which on it is masked wherever it occurs; shorter ones occur in other words."""

_HARMLESS_LEAST: Final = 8
"""The same for a value whose name suggests no secret."""

STRING_LIMIT: Final = 4_000
"""Characters that are kept of one string of a document."""

ITEMS_LIMIT: Final = 500
"""Entries that are kept of one list or mapping of a document."""

DEPTH_LIMIT: Final = 20

_REMEMBERED_LENGTH: Final = 60
"""Characters of a text whose masked form is remembered."""


def names_secret(name: str) -> bool:
    """Whether the name of a variable or label suggests that its value is a secret."""
    return _names_secret(name) if len(name) <= _REMEMBERED_LENGTH else _names_secret.__wrapped__(name)


@lru_cache(maxsize=1024)
def _names_secret(name: str) -> bool:
    return _SECRET_NAME.fullmatch(name) is not None


def redacted(name: str, value: str) -> str:
    """Return the value of a label or variable, with what looks like a secret masked."""
    return MASK if value and names_secret(name) else redact_text(value)


def redact_text(text: str, known: Collection[str] = ()) -> str:
    """Return ``text`` with what looks like a secret masked, and every occurrence of the ``known`` values."""
    # Before the patterns, which may mask a part of a value. The longest first: one may contain another.
    if known:
        for value in sorted(known, key=len, reverse=True):
            text = text.replace(value, MASK)
    return _without_formats(text) if len(text) <= _REMEMBERED_LENGTH else _without_formats.__wrapped__(text)


# Inspect responses mostly have the same keys and words.
@lru_cache(maxsize=2048)
def _without_formats(text: str) -> str:
    if text.isascii():
        # The patterns take several times as long as this, and most texts have none of these.
        lower = text.lower()
        for sign in _SIGNS:
            if sign in lower:
                break
        else:
            return text
    return _masked_by_patterns(text)


def _masked_by_patterns(text: str) -> str:
    text = _USER_IN_URL.sub(MASK, _FORMATS.sub(MASK, text))
    for pattern in (_ASSIGNMENT, _COMMAND):
        text = pattern.sub(lambda found: found["name"] + MASK, text)
    return text


def environment(document: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the names and values of the environment in an inspect response."""
    config = document.get("Config")
    entries = config.get("Env") if isinstance(config, Mapping) else None
    found = [str(entry).partition("=") for entry in entries] if isinstance(entries, list) else []
    return [(name, value) for name, _, value in found]


def known_secrets(document: Mapping[str, object]) -> frozenset[str]:
    """Return the values that must not appear in a container's log, by its inspect response: in each usual encoding.

    These are the values of its environment and of labels that are named like a secret.
    """
    config = document.get("Config")
    labels = config.get("Labels") if isinstance(config, Mapping) else None
    secret = {str(value) for name, value in _items(labels) if names_secret(str(name))}
    harmless: set[str] = set()
    for name, value in environment(document):
        (secret if names_secret(name) else harmless).add(value)
    values = {value for value in secret if len(value) >= _KNOWN_LEAST}
    values |= {value for value in harmless if len(value) >= _HARMLESS_LEAST}
    # A log has each line of a value, such as a private key, on its own.
    values |= {line for value in values for line in value.splitlines() if len(line) >= _HARMLESS_LEAST}
    return frozenset(form for value in values for form in _forms(value))


def _items(value: object) -> Iterable[tuple[object, object]]:
    return value.items() if isinstance(value, Mapping) else ()


def _forms(value: str) -> tuple[str, ...]:
    encoded = base64.b64encode(value.encode("utf-8", "replace")).decode()
    return value, quote(value, safe="", errors="replace"), encoded.rstrip("=")


def redact_document(document: Mapping[str, object]) -> dict[str, object]:
    """Return an inspect response without secrets, and cut to a bounded size.

    Masked are all values of the environment, values under a name that suggests a secret, the word after such an option,
    and what looks like a secret anywhere.
    """
    known = {value for name, value in environment(document) if len(value) >= _KNOWN_LEAST and names_secret(name)}
    return {str(key): _masked(str(key), value, known, 0) for key, value in _first(document.items())}


def _masked(name: str, value: object, known: Collection[str], depth: int) -> object:
    if depth > DEPTH_LIMIT:
        return MASK
    if isinstance(value, Mapping):
        # What is below a secret's name is secret, too.
        above = f"{name}." if name == "Env" or names_secret(name) else ""
        return {
            redact_text(str(key), known)[:STRING_LIMIT]: _masked(f"{above}{key}", item, known, depth + 1)
            for key, item in _first(value.items())
        }
    if isinstance(value, list):
        items = list(_first(value))
        if name == "Env":
            return [_masked_variable(item) for item in items]
        hidden = _arguments_of_options(items)
        return [
            MASK if number in hidden else _masked(name, item, known, depth + 1) for number, item in enumerate(items)
        ]
    if isinstance(value, str):
        return _masked_text(name, value, known)
    return value


def _masked_text(name: str, value: str, known: Collection[str]) -> str:
    if value and (names_secret(name) or name == "Env" or name.startswith("Env.")):
        return MASK
    # What is cut off needs no search, except for a secret that begins before the cut.
    margin = max(map(len, known), default=0) + STRING_LIMIT
    return redact_text(value[: STRING_LIMIT + margin], known)[:STRING_LIMIT]


def _masked_variable(entry: object) -> str:
    name, separator, _ = str(entry).partition("=")
    return f"{name}={MASK}"[:STRING_LIMIT] if separator else MASK


def _arguments_of_options(words: Sequence[object]) -> frozenset[int]:
    """Return the positions of words that are a secret by an option, such as ``--password``, before them or in them."""
    found = set()
    short: str | None = None
    for number, word in enumerate(words):
        if not isinstance(word, str):
            continue
        following = words[number + 1] if number + 1 < len(words) else None
        option = _OPTION.fullmatch(word)
        is_user = _USER_OPTION.fullmatch(word) is not None and isinstance(following, str) and ":" in following
        if is_user or word == short or (option is not None and names_secret(option["name"])):
            found.add(number + 1)
        elif short is not None and word.startswith(short):
            found.add(number)
        short = _PROGRAMS.get(word.rpartition("/")[2], short)
    return frozenset(found)


def _first(items: Iterable[Item]) -> list[Item]:
    return [item for item, _ in zip(items, range(ITEMS_LIMIT), strict=False)]
