"""The way to a box: known_hosts, keys, one SSH connection, channels to a socket there.

``fleetsweep.ssh.connection`` has the connection. It is not imported here, because it loads fabric and paramiko, and
a run that reaches no host over SSH must not wait for them.
"""

from fleetsweep.ssh.options import SshOptions, Trust

__all__ = ["SshOptions", "Trust"]
