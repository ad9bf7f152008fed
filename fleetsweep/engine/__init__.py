"""One container engine: how it is reached, what it answers, and the few calls that are made to it.

The client is in ``engine.client``: it brings the Docker SDK along, which takes a tenth of a second to load, and loads
while the first host is being connected to.
"""

from fleetsweep.engine.pool import MAY_REMOVE, READ_ONLY

__all__ = ["MAY_REMOVE", "READ_ONLY"]
