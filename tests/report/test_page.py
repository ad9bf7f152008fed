"""The page as text: its policy, its structure, and no text from a box that becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given, settings

from fleetsweep.model.overview import GuardCount, Leakers, Overview
from fleetsweep.report.html import render_page
from fleetsweep.report.html.page import MOST_ROWS
from tests.report.hostile import texts
from tests.report.overviews import DAY, QUIET, fleet, host_now, leaker, leaks_now, removal, run_row

VOID = {"meta", "path", "rect"}


class Structure(HTMLParser):
    """Collects the elements and the text of a page, and checks that they are nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID and tag != "td":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and tag != "td":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def test_the_policy_allows_its_own_style_and_nothing_else() -> None:
    page = render_page(fleet(), version="1")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\"" in page
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "url(" not in style
    assert "@import" not in style


def test_nothing_to_act_on_is_reported_only_of_a_fleet_that_is_known() -> None:
    assert "Nothing to act on: the last run of each of 2 hosts was ok" in render_page(fleet(), version="1")
    empty = fleet(cells={}, hosts=(), last_run=None, days=())
    text = Structure(render_page(replace(empty, period=replace(empty.period, runs=0)), version="1")).text
    assert "Nothing to act on" not in text
    assert "No guard tripped" not in text
    assert "was surveyed within" not in text
    assert text.count("No data: no") >= 4


def test_a_day_without_runs_has_no_zeros() -> None:
    made = fleet()
    gap = replace(made.days[1], runs=0, surveyed=0, stale=None, oldest_s=None)
    page = render_page(replace(made, days=(made.days[0], gap, made.days[2])), version="1")
    (row,) = re.findall(r'<tr><th scope="row">2026-06-14</th>(.*?)</tr>', page)
    assert re.findall(r">([^<]+)</td>", row) == ["0", *["no data"] * 4, *["–"] * 4]  # noqa: RUF001


def test_hosts_of_a_large_run_are_folded_the_quiet_ones_first() -> None:
    made = fleet()
    assert made.last_run is not None
    rows = [run_row(f"h-{number:04}") for number in range(MOST_ROWS + 30)]
    rows[-1] = run_row("h-last", status="unreachable", error="no route")
    page = render_page(replace(made, last_run=replace(made.last_run, rows=tuple(rows))), version="1")
    assert "no route" in page
    assert "… and 229 more hosts, of which 229 are ok without a stale container" in page


def test_a_new_leaker_is_marked() -> None:
    assert 'class="new"' not in render_page(fleet(by_image=Leakers((leaker(),), 1)), version="1")
    assert 'class="new"' in render_page(fleet(by_image=Leakers((leaker(new=True),), 1)), version="1")


@settings(max_examples=15)
@given(texts)
def test_no_text_becomes_markup(text: str) -> None:
    page = render_page(everywhere(text or "-"), version="1")
    found, harmless = Structure(page), Structure(render_page(everywhere("x"), version="1"))
    assert found.open == []
    assert found.tags == harmless.tags
    assert found.attributes == harmless.attributes
    assert "\x1b" not in page
    assert "\u202e" not in page
    page.encode()


def everywhere(text: str) -> Overview:
    """A fleet with the text in each place that has one."""
    made = fleet(text)
    assert made.last_run is not None
    run = replace(
        made.last_run,
        id=text,
        command=text,
        rows=(run_row(text, status=text, error=text, guard=text),),
        removals=(removal(text, error=text),),
    )
    return replace(
        made,
        cells={text: {DAY: QUIET}},
        hosts=(host_now(text, status="failed", error=text, guard=text, asked_ns=1, surveyed_ns=1, run=text),),
        leaks=(leaks_now(text, name=text, image=text),),
        open_intents=(removal(text, host=text, container_id=text, run=text),),
        by_image=Leakers((leaker(text),), 1),
        by_attribute=Leakers((leaker(text),), 1),
        by_host=Leakers((leaker(text),), 1),
        guards=(GuardCount(text, 1, 1, 0),),
        outcomes={text: 1},
        removals=(removal(text, error=text, reason=text, outcome=text, image=text),),
        last_run=run,
    )
