"""The table of options on docs/configuration.md is the command line's."""

from __future__ import annotations

import pytest

from release.options_table import PAGE, page, table


def test_the_page_has_the_options_of_this_version() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "an option changed: make docs-table"


def test_a_setting_is_shown_with_each_place_where_it_is_set() -> None:
    (row,) = [line for line in table().splitlines() if "`--max-age DURATION`" in line]
    for text in ("`FLEETSWEEP_MAX_AGE`, or `WS_MAX_AGE_HOURS` in hours", "`fleetsweep_max_age`", "2h", "sweep"):
        assert text in row


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="<!-- options -->"):
        page("# A page\n")
