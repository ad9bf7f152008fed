"""Hostile strings that a box may send, and reports that are full of them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from fleetsweep.errors import Phase
from fleetsweep.model.container import Container
from fleetsweep.model.decision import AgeFrom, Decision, Guard, GuardName, HostPlan, Reason, Verdict
from fleetsweep.model.host import Host
from fleetsweep.model.journal import PastRemoval
from fleetsweep.model.leak_history import PastLeak
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Engine, Fault, Status
from tests.report.build import NOW_NS, container_id

NASTY = (
    "\x1b[2J\x1b[31mred",
    "\x1b]52;c;cm0gLXJmIC8K\x07",
    "all is well\rrunner-1  ok",
    "two\nlines\r\nthree\u2028four\x85five\x0bsix\x0c",
    "\u202egpj.exe",
    "ws\u200b-1\ufeff\u2060\u00ad",
    "\x9b31m\x7f\x00\x08",
    b"bad \xff\xfe utf-8".decode("utf-8", "surrogateescape"),
    "\ud83d\ude00 in halves",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    " =1",
    'a;=1,"b"',
    "| a | b | `c` <script>alert(1)</script> & [x](http://x) **b** _i_ ~~s~~",
    "::add-mask::x",
    "1e5",
    "007",
    "nan",
    "\x01",
    "\u3164",
    "",
    " ",
)

texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=30),
    st.lists(st.sampled_from(NASTY), max_size=3).map("".join),
    st.sampled_from(NASTY).map(lambda text: text * 200),
)

_numbers = st.one_of(st.none(), st.integers(-(10**12), 10**12), st.floats(), texts)
_ages = st.one_of(st.none(), st.integers(0, 10**9))
_nanoseconds = st.one_of(st.just(0), st.integers(-(10**30), 10**30), st.integers(0, NOW_NS))

guards = st.builds(Guard, st.sampled_from(GuardName), texts, limit=_numbers, found=_numbers)
_faults = st.builds(
    Fault,
    st.sampled_from(Status),
    st.one_of(st.none(), st.sampled_from(Phase)),
    texts,
    texts,
    texts,
    st.booleans(),
)
_containers = st.builds(
    Container,
    id=texts,
    name=texts,
    image=texts,
    image_id=texts,
    state=texts,
    created_ns=_nanoseconds,
    labels=st.one_of(st.none(), st.dictionaries(texts, texts, max_size=2)),
    started_ns=st.one_of(st.none(), _nanoseconds),
    restarts=st.one_of(st.none(), st.integers(0, 10**6)),
    inspected=st.booleans(),
)
_decisions = st.builds(
    Decision,
    _containers,
    st.sampled_from(Verdict),
    st.sampled_from(Reason),
    age_s=_ages,
    age_from=st.one_of(st.none(), st.sampled_from(AgeFrom)),
)
_hosts = st.builds(Host, name=texts, address=texts)
_engines = st.builds(Engine, texts, texts, texts, texts, st.one_of(st.none(), texts))


@st.composite
def host_reports(draw: st.DrawFn) -> HostReport:
    """One host in any state, even in one that no run would leave it in."""
    host = draw(_hosts)
    decisions = [
        # Ids are unique on an engine: the survey refuses a list where they are not.
        replace(made, container=replace(made.container, id=f"{made.container.id}{container_id(str(number))}"))
        for number, made in enumerate(draw(st.lists(_decisions, max_size=4)))
    ]
    plan = HostPlan(
        host,
        engine=draw(_engines),
        now_ns=NOW_NS,
        skew_s=draw(st.floats()),
        duration_s=draw(st.floats(0, 1e6)),
        containers=len(decisions) + draw(st.integers(0, 2)),
        decisions=tuple(decisions),
        guard=draw(st.one_of(st.none(), guards)),
    )
    outcomes = st.builds(Removal, st.just(""), st.sampled_from(Outcome), st.one_of(st.none(), texts))
    removals = tuple(
        replace(draw(outcomes), container_id=made.container.id) for made in plan.candidates if draw(st.booleans())
    )
    known = draw(st.booleans())
    return HostReport(
        host,
        draw(st.sampled_from(Status)),
        plan if known else None,
        draw(st.one_of(st.none(), _faults)),
        draw(st.one_of(st.none(), guards)),
        removals if known else (),
        draw(st.floats()),
    )


reports = st.builds(
    FleetReport,
    run_id=texts,
    command=st.sampled_from(("audit", "sweep", "teardown")),
    dry_run=st.booleans(),
    started_ns=_nanoseconds,
    finished_ns=_nanoseconds,
    exit_code=st.integers(0, 143),
    hosts=st.lists(host_reports(), min_size=1, max_size=4).map(tuple),
    guard=st.one_of(st.none(), guards),
)

_attributes = st.dictionaries(texts, texts, max_size=2)
_maybe_texts = st.one_of(st.none(), texts)

past_removals = st.builds(
    PastRemoval,
    host=texts,
    container_id=texts,
    name=texts,
    at_ns=_nanoseconds,
    outcome=_maybe_texts,
    error=_maybe_texts,
    settled=_maybe_texts,
    settled_run=_maybe_texts,
    run=texts,
    image=_maybe_texts,
    reason=_maybe_texts,
    age_s=_ages,
    age_from=_maybe_texts,
    matched_by=st.lists(texts, max_size=2).map(tuple),
    attributes=_attributes,
)
past_leaks = st.builds(
    PastLeak,
    host=texts,
    container_id=texts,
    name=texts,
    image=texts,
    reason=texts,
    attributes=_attributes,
    created_ns=_nanoseconds,
    stale_since_ns=_nanoseconds,
    first_seen_ns=_nanoseconds,
    last_seen_ns=_nanoseconds,
    runs=st.integers(0, 10**6),
    sweeps=st.integers(0, 10**6),
    ended_ns=st.one_of(st.none(), _nanoseconds),
    ended_as=_maybe_texts,
    first_run=_maybe_texts,
    last_run=_maybe_texts,
)
