"""The short cut of the search for secrets: a text without any sign of one is left as it is, and no other text is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.redact import MASK
from fleetsweep.model.secrets import _SECRET_NAME, _masked_by_patterns, _without_formats, names_secret

# The last two have letters that are s and k where case is ignored.
WORDS = (
    "://|user:pw@|@|-----BEGIN RSA PRIVATE KEY-----|-----END PRIVATE KEY-----|Bearer |basic |ghp_|GHO_|ghr_|ghu_|ghs_|"
    "github_pat_|glpat-|glrt-|xoxb-|xoxe-|sk-|hvs.|dckr_pat_|npm_|pypi-|AKIA|ASIA|AIza|eyJ|.|cookie:|Cookie: |pass|"
    "passw|passphrase|pwd|pw|secret|token|credential|authorization|private_key|access-key|api.key|authkey| is |=|:|=>|"
    "\\ | -u |-U |--user=|--proxy-user |sshpass -p|redis-cli x -a |mysql db -p|mariadb-dump -p|'|\"|,|;|\n| |"
    "abcdefgh12345678|ABCDEFGHIJKLMNOP|x|9|PASS|Secret|ToKeN|é|"
    "\N{LATIN SMALL LETTER LONG S}ecret|to\N{KELVIN SIGN}en"
)
PIECES = st.sampled_from(WORDS.split("|"))


@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=60))
def test_the_short_cut_masks_what_the_patterns_mask(text: str) -> None:
    assert _without_formats(text) == _masked_by_patterns(text)


@pytest.mark.parametrize(
    "text",
    [
        *("amqp://u:x@h", "Bearer 12345678", "basic 12345678", "gho_1234567890", "ghp_1234567890", "ghs_1234567890"),
        *("ghu_1234567890", "ghr_1234567890", "github_pat_1234567890", "glpat-1234567890", "glrt-1234567890"),
        *("xoxb-1234567890", "sk-1234567890", "hvs.1234567890", "dckr_pat_1234567890", "npm_1234567890"),
        *("pypi-1234567890", "AKIA1234567890123456", "ASIA1234567890123456", "AIza" + "1" * 30, "eyJ12345678.12345678"),
        *("Cookie: n=1", "pass=1", "pw=1", "secret=1", "token=1", "credential=1", "authorization: 1", "api.key=1"),
        *("curl -u n:1", "mysql db -p1", "redis-cli -h h -a 1", "-----BEGIN PRIVATE KEY-----1"),
    ],
)
def test_the_short_cut_knows_a_sign_of_each_form(text: str) -> None:
    assert MASK in _without_formats(text)


@given(st.sampled_from(["hunter2hunter2", "A" * 400, "päss"]), st.text(alphabet=" \n.,", max_size=3))
def test_a_secret_that_is_named_is_masked_in_every_letter_case(secret: str, around: str) -> None:
    for name in ("password", "PASSWORD", "Api-Key", "tOkEn"):
        assert secret not in _without_formats(f"{around}{name}={secret}{around}")
        assert MASK in _without_formats(f"{around}{name}={secret}{around}")


@given(st.text(max_size=100))
def test_a_name_is_judged_alike_whether_it_is_remembered_or_not(name: str) -> None:
    assert names_secret(name) == (_SECRET_NAME.fullmatch(name) is not None)
    assert names_secret("x" * 61 + "_" + name) == names_secret("x" * 62 + "_" + name)
