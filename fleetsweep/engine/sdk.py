"""The Docker SDK, imported without the SSH client that it would bring along.

The SDK imports paramiko for an adapter of its own that is never used here. That is half of the SDK's import time,
and a run on this machine's own engine needs no SSH at all. Where the adapter can't be imported the SDK does without.
"""

from __future__ import annotations

import sys

_UNUSED = "docker.transport.sshconn"

if _UNUSED in sys.modules:
    import docker
    import docker.errors
else:
    # None makes an import of it fail, as if the SDK had been installed without its "ssh" extra.
    sys.modules[_UNUSED] = None  # type: ignore[assignment]
    try:
        import docker
        import docker.errors
    finally:
        del sys.modules[_UNUSED]

__all__ = ["docker"]
