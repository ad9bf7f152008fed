"""No secret URL is printed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.notify.dispatch import redact, redact_urls


@given(
    st.from_regex(r"[a-z][a-z0-9]{1,8}://[A-Za-z0-9!$&*+=_.~:@/-]{6,40}", fullmatch=True),
    st.text(alphabet="ab \n'\"", max_size=10),
)
def test_a_url_is_cut_to_its_scheme_wherever_it_occurs(url: str, around: str) -> None:
    scheme, _, rest = url.partition("://")
    for text in (f"{around}{url}{around}", f"{around}{rest}{around}", f"{around}{url!r}"):
        # A host may be called as a scheme is.
        assert rest not in redact(text, [url]).replace(scheme, "")
    assert rest not in redact_urls(f"{around} {url} {around}").replace(scheme, "")
