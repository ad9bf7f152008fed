"""One container engine: how it is reached, what it answers, and the few calls that are made to it."""

from fleetsweep.engine.client import MAY_REMOVE, READ_ONLY, EngineClient, Listing

__all__ = ["MAY_REMOVE", "READ_ONLY", "EngineClient", "Listing"]
