"""The way to a box: known_hosts, keys, one SSH connection, channels to a socket there."""

from fleetsweep.ssh.connection import SshConnection, SshOptions, connect

__all__ = ["SshConnection", "SshOptions", "connect"]
