"""The client of a container engine: endpoints, HTTP connections, decoding of responses, and the few API calls needed.

Import ``engine.client`` late: it imports the Docker SDK, which takes a tenth of a second. A run loads it while the
first host is being connected to.
"""

from fleetsweep.engine.pool import MAY_REMOVE, READ_ONLY

__all__ = ["MAY_REMOVE", "READ_ONLY"]
