"""Host keys that known_hosts does not have, and which of them an operator may save."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """The key of a machine that known_hosts has no key for.

    ``host`` is the inventory's name, empty for a bastion. ``name`` is the machine's in known_hosts, ``[name]:port`` for
    any port but 22. ``key`` is the key's encoding, ``fingerprint`` as ssh-keygen -l prints it. ``files`` are the
    known_hosts files of its connections; ``save_to`` is the one of them for a new key, None if there is none.
    """

    host: str
    name: str
    key_type: str
    key: bytes
    fingerprint: str
    files: tuple[str, ...]
    save_to: str | None


@dataclass(frozen=True, slots=True)
class KeysToLearn:
    """Unknown keys, sorted. ``refused`` are names of machines and the reason why their key can't be saved."""

    keys: tuple[UnknownKey, ...]
    refused: tuple[tuple[str, str], ...]


def keys_to_learn(found: Iterable[UnknownKey]) -> KeysToLearn:
    """Sort out which of the found keys may be saved.

    A machine that presents two keys is refused: one of them may be an attacker's.
    """
    by_name: dict[str, set[UnknownKey]] = defaultdict(set)
    for key in found:
        by_name[key.name].add(key)
    keys: list[UnknownKey] = []
    refused: list[tuple[str, str]] = []
    for name, presented in by_name.items():
        different = {key.fingerprint for key in presented}
        targets = {key.save_to for key in presented}
        if len(different) > 1:
            refused.append((name, f"presented different keys: {', '.join(sorted(different))}"))
        elif not all(target is not None and target.startswith("/") for target in targets):
            refused.append((name, "no known_hosts file is set that a key can be saved to: give --known-hosts"))
        else:
            keys += presented
    return KeysToLearn(tuple(sorted(keys, key=_order)), tuple(sorted(refused)))


def _order(key: UnknownKey) -> tuple[bool, str, str]:
    """Order bastions before the hosts behind them."""
    return bool(key.host), key.host, key.name
