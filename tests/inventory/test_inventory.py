"""Inventories in YAML and INI, and the hosts that a limit selects."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError, PolicyError
from fleetsweep.inventory import Inventory, ad_hoc, load
from fleetsweep.model.policy_flags import Flags
from fleetsweep.policy.settings import resolve

SAMPLES = Path(__file__).parents[2] / "inventory"


def names(inventory: Inventory, *limits: str) -> list[str]:
    return [host.name for host in inventory.select(limits)]


@pytest.fixture(params=["small/hosts.yml", "small", "small.ini"])
def small(request: pytest.FixtureRequest) -> Inventory:
    return load([str(SAMPLES / request.param)], cwd=Path.cwd())


def test_the_samples_hold_the_same_fleet(small: Inventory) -> None:
    runner, *_, arm = small.hosts()
    assert names(small) == [*(f"runner-0{number}.example.com" for number in (1, 2, 3)), "arm-1.example.com"]
    assert (arm.port, arm.user, arm.groups) == (2222, "ci", ("arm", "runners"))
    assert arm.variables["fleetsweep_max_age"] == "4h"
    assert arm.variables["fleetsweep_cap"] == 20
    assert (runner.port, runner.variables["fleetsweep_max_age"]) == (None, "2h")


def test_limits_take_names_groups_globs_commas_and_exclusions(small: Inventory) -> None:
    assert names(small, "arm") == ["arm-1.example.com"]
    assert names(small, "runner-0*", "!runner-02*") == ["runner-01.example.com", "runner-03.example.com"]
    assert names(small, "arm,runner-01.example.com") == ["runner-01.example.com", "arm-1.example.com"]
    assert len(names(small, "!arm")) == 3


@pytest.mark.parametrize("limit", ["", ",", "nobody", "all,!all", "arm:nobody", "~.*", "arm,"])
def test_a_limit_that_selects_nothing_or_is_invalid_is_refused(small: Inventory, limit: str) -> None:
    with pytest.raises(InventoryError):
        small.select([limit])


def test_a_miss_offers_the_nearest_name(small: Inventory) -> None:
    with pytest.raises(InventoryError, match=r"did you mean arm-1\.example\.com"):
        small.named(["arm-2.example.com"])


@pytest.mark.parametrize("target", ["-oProxyCommand=x", "a b", "a;b", "a\nb", "", "a:0", "a:99999", "$(x)"])
def test_an_ad_hoc_target_is_held_to_its_grammar(target: str) -> None:
    with pytest.raises(InventoryError):
        ad_hoc([target])


def test_an_ad_hoc_target_carries_user_and_port() -> None:
    (host,) = ad_hoc(["ci@[::1]:2222"]).hosts()
    assert (host.address, host.user, host.port) == ("::1", "ci", 2222)


def test_a_refused_setting_names_the_file_and_line_that_gave_it(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("[ci]\na\n[ci:vars]\nfleetsweep_cap=five\n")
    (host,) = load([str(path)], cwd=tmp_path).hosts()
    with pytest.raises(PolicyError, match=r"fleetsweep_cap of a \(.*hosts:4\)"):
        resolve(Flags(), {}, host)


@pytest.mark.parametrize(
    "line", ["a ansible_port=x", "a ansible_port=0", "a ansible_host='-x'", "a ansible_host='{{ x }}'",
             "a ansible_ssh_common_args=-J", "a fleetsweep_engine=http://x", "a ansible_connection=winrm", "a junk"]
)  # fmt: skip
def test_a_variable_that_cannot_be_honoured_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "hosts"
    path.write_text(line + "\n")
    with pytest.raises(InventoryError, match="hosts"):
        load([str(path)], cwd=tmp_path).hosts()
