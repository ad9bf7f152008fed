"""Every setting of ssh_config(5), and what becomes of it here: the table for the configuration and for ssh's arguments.

A setting is honoured, or refused because it decides which box, key or trust is used, or passed over because it changes
none of these. docs/ssh.md has the same table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What becomes of a setting."""

    HONOURED = "honoured"
    REFUSED = "refused"
    PASSED_OVER = "passed over"


@dataclass(frozen=True, slots=True)
class SshSetting:
    """One setting by its name in ssh_config(5).

    A refused setting with a value in ``harmless`` is passed over. ``remedy`` is for the error of a refused one.
    """

    name: str
    verdict: Verdict
    harmless: frozenset[str] = frozenset()
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class SshOption:
    """One ``-o`` option of an inventory's ssh arguments: its name, its value, and the file and line that set it."""

    name: str
    value: str
    where: str


_HONOURED: Final = (
    "AddressFamily CanonicalDomains CanonicalizeFallbackLocal CanonicalizeHostname CanonicalizeMaxDots "
    "CanonicalizePermittedCNAMEs CASignatureAlgorithms CertificateFile "
    "GlobalKnownHostsFile Host HostKeyAlgorithms HostKeyAlias HostName "
    "IdentitiesOnly IdentityAgent IdentityFile IgnoreUnknown Include Match Port ProxyCommand ProxyJump "
    "PubkeyAcceptedAlgorithms RequiredRSASize RevokedHostKeys StrictHostKeyChecking Tag User UserKnownHostsFile"
)

_PASSED_OVER: Final = (
    "AddKeysToAgent BatchMode ChannelTimeout Ciphers ClearAllForwardings Compression "
    "ConnectionAttempts ConnectTimeout ControlMaster ControlPath ControlPersist DynamicForward "
    "EnableEscapeCommandline EnableSSHKeysign EscapeChar ExitOnForwardFailure FingerprintHash "
    "ForkAfterAuthentication ForwardAgent ForwardX11 ForwardX11Timeout ForwardX11Trusted GatewayPorts "
    "GSSAPIAuthentication GSSAPIClientIdentity GSSAPIDelegateCredentials GSSAPIKexAlgorithms GSSAPIKeyExchange "
    "GSSAPIRenewalForcesRekey GSSAPIServerIdentity GSSAPITrustDns HashKnownHosts HostbasedAcceptedAlgorithms "
    "HostbasedAuthentication IPQoS KbdInteractiveAuthentication KbdInteractiveDevices KexAlgorithms LocalCommand "
    "LocalForward LogLevel LogVerbose MACs NoHostAuthenticationForLocalhost NumberOfPasswordPrompts "
    "ObscureKeystrokeTiming PasswordAuthentication PermitLocalCommand PermitRemoteOpen RekeyLimit RemoteCommand "
    "RemoteForward RequestTTY SecurityKeyProvider SendEnv ServerAliveCountMax ServerAliveInterval SessionType SetEnv "
    "StdinNull StreamLocalBindMask StreamLocalBindUnlink SyslogFacility TCPKeepAlive Tunnel TunnelDevice "
    "UpdateHostKeys UseKeychain VerifyHostKeyDNS VersionAddendum VisualHostKey WarnWeakCrypto XAuthLocation"
)

_NO: Final = frozenset({"no", "false"})

_REFUSED: Final = (
    SshSetting(
        "BindAddress", Verdict.REFUSED, remedy="route by address: the source address can decide which box is reached"
    ),
    SshSetting("BindInterface", Verdict.REFUSED, remedy="the interface can decide which box is reached"),
    SshSetting("CheckHostIP", Verdict.REFUSED, _NO, "remove it: known_hosts is searched by the host's name"),
    SshSetting("KnownHostsCommand", Verdict.REFUSED, frozenset({"none"}), "write its output to a known_hosts file"),
    SshSetting(
        "PKCS11Provider", Verdict.REFUSED, frozenset({"none"}), "add its keys to the agent: ssh-add -s PROVIDER"
    ),
    SshSetting("PreferredAuthentications", Verdict.REFUSED, remedy="add publickey: fleetsweep logs in with keys alone"),
    SshSetting("ProxyUseFdpass", Verdict.REFUSED, _NO, "use a ProxyCommand that carries the data, or ProxyJump"),
    SshSetting(
        "PubkeyAuthentication",
        Verdict.REFUSED,
        frozenset({"yes", "true", "unbound", "host-bound"}),
        "fleetsweep logs in with keys alone: allow them for this host",
    ),
    SshSetting("RefuseConnection", Verdict.REFUSED, remedy="the configuration forbids connections to this host"),
)

SETTINGS: Final[dict[str, SshSetting]] = {
    setting.name.lower(): setting
    for setting in (
        *(SshSetting(name, Verdict.HONOURED) for name in _HONOURED.split()),
        *(SshSetting(name, Verdict.PASSED_OVER) for name in _PASSED_OVER.split()),
        *_REFUSED,
    )
}
"""All settings by their lower-case names."""

ALIASES: Final = {
    "canonicalisehostname": "canonicalizehostname",
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "globalknownhostsfile2": "globalknownhostsfile",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "identityfile2": "identityfile",
    "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "skeyauthentication": "kbdinteractiveauthentication",
    "smartcarddevice": "pkcs11provider",
    "tisauthentication": "kbdinteractiveauthentication",
}
"""Other names of settings that OpenSSH reads."""

DEPRECATED: Final = (
    "afstokenpassing",
    "cipher",
    "compressionlevel",
    "fallbacktorsh",
    "kerberosauthentication",
    "kerberostgtpassing",
    "protocol",
    "rhostsauthentication",
    "rhostsrsaauthentication",
    "rsaauthentication",
    "useprivilegedport",
    "useroaming",
    "usersh",
    "userknownhostsfile2",
)
"""Settings that OpenSSH itself ignores."""


def find_setting(name: str) -> SshSetting | None:
    """Return the setting of this name, in any case or by an alias; None if OpenSSH has none."""
    key = name.lower()
    key = ALIASES.get(key, key)
    if key in DEPRECATED and key not in SETTINGS:
        return SshSetting(name, Verdict.PASSED_OVER)
    return SETTINGS.get(key)


def is_refused(setting: SshSetting, value: str) -> bool:
    """Return whether a setting with this value must not be passed over."""
    if setting.verdict is not Verdict.REFUSED:
        return False
    if setting.name == "PreferredAuthentications":
        return "publickey" not in value.lower().split(",")
    return value.lower() not in setting.harmless
