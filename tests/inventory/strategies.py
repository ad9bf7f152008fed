"""Random inventories: well-formed ones of every kind, and arbitrary values."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.inventory.corpus import Case

GROUPS = [f"g{number}" for number in range(6)]
HOSTS = [
    "h1",
    "h2",
    "h3",
    "h[1:4]",
    "h[2:6:2]",
    "r[a:c]",
    "x-[01:02]-[a:b]",
    "p:2222",
    "h5:22",
    "g3",
    "localhost",
    "::1",
]
KEYS = ["v", "w", "x", "ansible_host", "ansible_port", "ansible_group_priority"]
LITERALS = [
    "1",
    "007",
    "x y",
    "True",
    "yes",
    "[1, 'a']",
    "{'k':1}",
    "a=b",
    "{{ v }}",
    "1.5",
    "None",
    "'q'",
    "x#y",
    "é",
    "",
]
SCALARS = [
    "1",
    "007",
    "yes",
    "'yes'",
    "[1, a]",
    "{k: {l: 1}}",
    "1.5",
    "~",
    "2020-01-02",
    "'{{ v }}'",
    "0x1f",
    "a b",
    "''",
]


def quoted(value: str) -> str:
    """Return the value quoted for a shell."""
    return '"' + value + '"' if value else "''"


def _variables(values: list[str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    def pair(key: str) -> st.SearchStrategy[tuple[str, str]]:
        allowed = ["1", "5", "-3", "20"] if key == "ansible_group_priority" else values
        return st.tuples(st.just(key), st.sampled_from(allowed))

    return st.lists(st.sampled_from(KEYS).flatmap(pair), max_size=3, unique_by=lambda found: found[0])


def _host_line(host: str, pairs: Sequence[tuple[str, str]]) -> str:
    name = f"[{host}]:22" if ":" in host and host.count(":") > 1 and "[" not in host else host
    return " ".join([name, *(f"{key}={quoted(value)}" for key, value in pairs)])


@st.composite
def ini_texts(draw: st.DrawFn) -> str:
    """Draw sections in any order. A child has a higher number than its parent, so there is no cycle."""
    hosts = st.tuples(st.sampled_from(HOSTS), _variables(LITERALS)).map(lambda found: _host_line(*found))
    sections: list[str] = ["\n".join(draw(st.lists(hosts, max_size=3)))]
    used = draw(st.lists(st.sampled_from(GROUPS), unique=True, max_size=6))
    body: list[str] = []
    for name in used:
        body.append(f"[{name}]\n" + "\n".join(draw(st.lists(hosts, max_size=3))))
        below = [other for other in used if other > name]
        children = draw(st.lists(st.sampled_from(below), max_size=3)) if below else []
        if children:
            body.append(f"[{name}:children]\n" + "\n".join(children))
    for name in draw(st.lists(st.sampled_from([*used, "all", "ungrouped"]), max_size=4)):
        pairs = draw(_variables(LITERALS))
        body.append(f"[{name}:vars]\n" + "\n".join(f"{key} = {value}" for key, value in pairs))
    return "\n".join([*sections, *draw(st.permutations(body))]) + "\n"


def _flow(pairs: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


@st.composite
def _yaml_group(draw: st.DrawFn, above: int, depth: int) -> str:
    hosts = draw(st.lists(st.sampled_from(HOSTS), unique=True, max_size=3))
    parts = []
    if hosts:
        parts.append("hosts: {" + ", ".join(f"'{host}': {_flow(draw(_variables(SCALARS)))}" for host in hosts) + "}")
    pairs = draw(_variables(SCALARS))
    if pairs:
        parts.append(f"vars: {_flow(pairs)}")
    below = list(range(above + 1, len(GROUPS)))
    if below and depth < 3:
        children = draw(st.lists(st.sampled_from(below), unique=True, max_size=2))
        if children:
            inner = (f"{GROUPS[child]}: {draw(_yaml_group(child, depth + 1))}" for child in children)
            parts.append("children: {" + ", ".join(inner) + "}")
    return "{" + ", ".join(draw(st.permutations(parts))) + "}"


@st.composite
def yaml_texts(draw: st.DrawFn) -> str:
    """Draw nested groups, some of them in several places."""
    tops = draw(st.lists(st.integers(-1, len(GROUPS) - 1), unique=True, min_size=1, max_size=3))
    return "".join(f"{GROUPS[top] if top >= 0 else 'all'}: {draw(_yaml_group(top, 0))}\n" for top in tops)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw one or two sources, with variable files beside them and beside the working directory."""
    files: dict[str, str | bytes] = {}
    sources = []
    for place in ("one", "two")[: draw(st.integers(1, 2))]:
        form = draw(st.sampled_from(["hosts", "hosts.yml"]))
        files[f"{place}/{form}"] = draw(yaml_texts() if form == "hosts.yml" else ini_texts())
        sources.append(f"{place}/{form}" if draw(st.booleans()) else place)
    for place in ("one", "two", "work"):
        for _ in range(draw(st.integers(0, 2))):
            kind = draw(st.sampled_from(["group_vars", "host_vars"]))
            name = draw(st.sampled_from([*GROUPS, "all", "ungrouped"] if kind == "group_vars" else ["h1", "h2", "ra"]))
            suffix = draw(st.sampled_from(["", ".yml", ".yaml", ".json", "/a.yml", "/b"]))
            if not any(known.startswith(f"{place}/{kind}/{name}") for known in files):
                pairs = draw(_variables(SCALARS))
                files[f"{place}/{kind}/{name}{suffix}"] = "".join(f"{key}: {value}\n" for key, value in pairs)
    if len(sources) > 1 and draw(st.booleans()):
        sources.reverse()
    return Case("generated", files, tuple(sources), "work")


PYTHONIC = st.text(st.sampled_from("0123456789.,:+-_eExXobjJ()[]'\"\\ abTrueFalsNn{}=#*"), max_size=14)
YAMLISH = st.text(st.sampled_from("0123456789.:+-_eExXobnNyYtTfF~<=# '\"TZ"), max_size=12)
