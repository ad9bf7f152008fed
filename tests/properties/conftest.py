"""How hard the properties look.

``everyday`` keeps the whole package within seconds on a small machine. ``mutate`` is for mutation runs, which ask the
same tests hundreds of times: fewer examples, the same every time, and no shrinking, since the first failure is enough.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("everyday", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "mutate",
    settings.get_profile("everyday"),
    max_examples=25,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))
