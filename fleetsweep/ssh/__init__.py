"""SSH to a box: routes, host keys, user keys, one connection, and channels to a socket there.

``fleetsweep.ssh.connection`` has the connection. It is not imported here because it loads fabric and paramiko, which a
run without SSH hosts does not need.
"""

from fleetsweep.ssh.options import SshOptions, Trust

__all__ = ["SshOptions", "Trust"]
