"""fleetsweep against real engines and SSH servers of several generations: ``make compat``."""
