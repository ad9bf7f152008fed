"""fleetsweep: remove leaked CI containers from a fleet of Docker boxes over SSH."""

__version__ = "0.1.0"
