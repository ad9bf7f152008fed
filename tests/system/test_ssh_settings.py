"""Settings of the SSH configuration that forbid or decide, on a real sshd, beside the verdict of ssh itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetsweep.errors import Phase
from fleetsweep.inventory.ssh_args import SshArgs
from fleetsweep.model.survey import Fault
from fleetsweep.ssh import Trust
from tests.lab.process import wait_for
from tests.lab.ssh_boxes import SshBoxes, make_key, own_threads

CASES = Path(__file__).parents[1] / "ssh" / "cases"


@pytest.fixture(scope="module")
def all_boxes() -> Iterator[SshBoxes]:
    with SshBoxes(2) as started:
        yield started


@pytest.fixture
def boxes(all_boxes: SshBoxes, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshBoxes]:
    all_boxes.restart(0)
    all_boxes.known_hosts.unlink(missing_ok=True)
    all_boxes.trust_all()
    for name, owner in (("revoked", 0), ("others", 1)):
        key = (all_boxes.boxes[owner].directory / "host_key.pub").read_text()
        directory = all_boxes.directory / name
        directory.mkdir(exist_ok=True)
        (directory / "list").write_text(key)
        (directory / "marked").write_text(f"@revoked * {key}")
        (directory / "key.pub").write_text(key)
        krl = ["ssh-keygen", "-q", "-k", "-f", str(directory / "krl"), str(directory / "key.pub")]
        subprocess.run(krl, check=True, capture_output=True)
    (all_boxes.directory / "junk").write_text("no key\n")
    monkeypatch.setenv("KEYS", str(all_boxes.directory))
    monkeypatch.delenv("NO_SUCH", raising=False)
    yield all_boxes
    wait_for(lambda: own_threads() == set(), "the threads ending", 10)


def configured(boxes: SshBoxes, text: str) -> Path:
    # The first value counts: a test's own lines go before these.
    usual = f"UserKnownHostsFile {boxes.known_hosts}\nGlobalKnownHostsFile none\n"
    return boxes.configure(text.replace("$DIR", str(boxes.directory)) + "\nMatch all\n" + usual)


def accepted_by_ssh(boxes: SshBoxes, config: Path) -> bool:
    box = boxes.boxes[0]
    words = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "-i", str(boxes.key), "-p", str(box.port)]
    done = subprocess.run(
        [*words, "root@127.0.0.1", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode == 0


def fault_of(boxes: SshBoxes, config: Path) -> Fault | None:
    found = boxes.survey([boxes.host(0)], known_hosts=None, ssh_config=str(config))
    return found.fault("b0") if "b0" in found.faults else None


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("RevokedHostKeys $DIR/revoked/list", Phase.HOST_KEY),
        ("RevokedHostKeys $DIR/others/list", None),
        ("RevokedHostKeys $DIR/revoked/krl", Phase.HOST_KEY),
        ("RevokedHostKeys $DIR/others/krl", None),
        ("RevokedHostKeys $DIR/nowhere", Phase.HOST_KEY),
        ("RevokedHostKeys $DIR/junk", Phase.HOST_KEY),
        ("RevokedHostKeys none", None),
        ("HostKeyAlgorithms ssh-ed25519", None),
        ("HostKeyAlgorithms ssh-*", None),
        ("HostKeyAlgorithms ^ssh-ed25519", None),
        ("HostKeyAlgorithms rsa-sha2-512,ecdsa-sha2-nistp256", Phase.CONNECT),
        ("HostKeyAlgorithms -ssh-ed25519*", Phase.CONNECT),
        ("PubkeyAcceptedAlgorithms ssh-ed25519", None),
        ("PubkeyAcceptedAlgorithms +ssh-rsa", None),
        ("PubkeyAcceptedAlgorithms rsa-sha2-512", Phase.AUTH),
        ("PubkeyAcceptedAlgorithms -ssh-ed25519", Phase.AUTH),
        ("PubkeyAuthentication no", Phase.RESOLVE),
        ("UserKnownHostsFile $DIR/known_hosts ${KEYS}/revoked/marked", Phase.HOST_KEY),
        ("UserKnownHostsFile $DIR/known_hosts ${KEYS}/others/marked", None),
        ("UserKnownHostsFile $DIR/known_hosts ${NO_SUCH}/marked", Phase.RESOLVE),
        ("UserKnownHostsFile none", Phase.HOST_KEY),
        ("AddressFamily inet", None),
        ("AddressFamily inet6", Phase.RESOLVE),
        ("HostName 127.1", None),
        ("HostName 0x7f.1", None),
        ("StrictHostKeyChecking no", None),
        ("Match host other user root\nHostName 127.0.0.2\nMatch all", None),
        ("Ciphers aes256-ctr\nServerAliveInterval 5\nControlMaster no\nLogLevel QUIET", None),
    ],
)
def test_a_setting_forbids_what_it_forbids_in_ssh(boxes: SshBoxes, text: str, phase: Phase | None) -> None:
    config = configured(boxes, text)
    fault = fault_of(boxes, config)
    assert (None if fault is None else fault.phase) == phase, fault
    assert accepted_by_ssh(boxes, config) is (phase is None)


@pytest.mark.parametrize(("bits", "accepted"), [("2048", True), ("4096", False)])
def test_a_host_key_that_is_too_short_is_refused(boxes: SshBoxes, bits: str, accepted: bool) -> None:
    box = boxes.boxes[0]
    path = box.directory / "host_rsa"
    if not path.exists():
        make_key(path, kind="rsa")
    boxes.restart(0, f"HostKey {path}")
    with boxes.known_hosts.open("a") as file:
        file.write(f"[127.0.0.1]:{box.port} {path.with_name('host_rsa.pub').read_text()}")
    config = configured(boxes, f"HostKeyAlgorithms rsa-sha2-512\nRequiredRSASize {bits}")
    fault = fault_of(boxes, config)
    assert (fault is None) is accepted
    assert accepted_by_ssh(boxes, config) is accepted
    if fault is not None:
        assert fault.phase is Phase.HOST_KEY
        assert "RequiredRSASize is 4096" in fault.message


def test_a_key_for_the_log_in_that_is_too_short_is_not_offered(boxes: SshBoxes) -> None:
    path = boxes.directory / "id_short"
    if not path.exists():
        make_key(path, kind="rsa")
    config = configured(boxes, "RequiredRSASize 8192")
    found = boxes.survey([boxes.host(0, key_file=str(path))], known_hosts=None, ssh_config=str(config))
    assert (found.fault("b0").phase, found.fault("b0").kind) == (Phase.AUTH, "no-key")


# accept-new


@pytest.mark.parametrize("file", ["/dev/null", "known_hosts", "./a/known_hosts", "none", "/", "/proc/self/comm"])
def test_accept_new_saves_only_where_the_key_stays(
    boxes: SshBoxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    boxes.known_hosts.write_text("")
    config = configured(boxes, f"StrictHostKeyChecking accept-new\nUserKnownHostsFile {file}")
    fault = fault_of(boxes, config)
    assert fault is not None
    assert (fault.phase, fault.kind) == (Phase.HOST_KEY, "known-hosts")
    assert "--known-hosts" in fault.remedy
    assert list(tmp_path.iterdir()) == []


def test_accept_new_expands_the_name_of_its_file(
    boxes: SshBoxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = configured(boxes, "StrictHostKeyChecking accept-new\nUserKnownHostsFile ${KEYS}/kept-%r/%h")
    assert fault_of(boxes, config) is None
    assert (boxes.directory / "kept-root" / "127.0.0.1").read_text() == boxes.boxes[0].known_hosts_line
    assert list(tmp_path.iterdir()) == []


# The inventory's arguments


def with_args(boxes: SshBoxes, text: str) -> Fault | None:
    args = SshArgs()
    args.read(text, "ansible_ssh_common_args of b0", "hosts:3")
    host = boxes.host(0, ssh_options=tuple(args.options), known_hosts=args.known_hosts)
    found = boxes.survey([host], known_hosts=None, ssh_config=str(boxes.configure("GlobalKnownHostsFile none\n")))
    return found.fault("b0") if "b0" in found.faults else None


def test_turning_the_check_off_in_an_inventory_stops_no_run_and_accepts_no_key(boxes: SshBoxes) -> None:
    text = f"-o StrictHostKeyChecking=no -o UserKnownHostsFile={boxes.known_hosts}"
    assert with_args(boxes, text) is None
    boxes.known_hosts.write_text("")
    fault = with_args(boxes, text)
    assert fault is not None
    assert (fault.phase, fault.kind) == (Phase.HOST_KEY, "unknown")
    assert "StrictHostKeyChecking no (hosts:3: ansible_ssh_common_args of b0) is not obeyed" in fault.message


def test_accept_new_and_revocations_of_an_inventory_are_obeyed(boxes: SshBoxes) -> None:
    boxes.known_hosts.write_text("")
    text = f"-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={boxes.known_hosts}"
    assert with_args(boxes, text) is None
    assert boxes.known_hosts.read_text() == boxes.boxes[0].known_hosts_line
    fault = with_args(boxes, f"{text} -o RevokedHostKeys={boxes.directory}/revoked/list")
    assert fault is not None
    assert fault.kind == "revoked"
    fault = with_args(boxes, "-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null")
    assert fault is not None
    assert "can't be saved" in fault.message


def test_a_flag_beats_the_inventorys_choice(boxes: SshBoxes) -> None:
    boxes.known_hosts.write_text("")
    args = SshArgs()
    args.read("-o StrictHostKeyChecking=accept-new", "x", "hosts:3")
    found = boxes.survey([boxes.host(0, ssh_options=tuple(args.options))], host_key=Trust.STRICT)
    assert found.fault("b0").kind == "unknown"


# The configurations that once reached another box or lost a revocation


def test_the_case_of_a_revocation_in_a_file_that_a_variable_names(
    boxes: SshBoxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (boxes.boxes[0].directory / "host_key.pub").read_text()
    (tmp_path / "known_hosts").write_text(boxes.known_hosts.read_text())
    (tmp_path / "revoked").write_text(f"@revoked * {key}")
    monkeypatch.setenv("KEYS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    text = (CASES / "env.conf").read_text().replace("Host box", "Host 127.0.0.1")
    fault = fault_of(boxes, boxes.configure(text))
    assert fault is not None
    assert (fault.kind, "revoked:1" in fault.message) == ("revoked", True)
    monkeypatch.delenv("KEYS")
    fault = fault_of(boxes, unset := boxes.configure(text))
    assert fault is not None
    assert f"{unset}:4: UserKnownHostsFile" in fault.message
    assert "the environment variable KEYS is not set" in fault.message
