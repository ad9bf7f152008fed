"""What each command's help ends with: examples, and what else its user should know."""

from __future__ import annotations

from typing import Final

EPILOG: Final = """\b
Examples:
  fleetsweep audit -i inventory.yml             look at the fleet
  fleetsweep sweep -i inventory.yml --dry-run   what a sweep would remove
  fleetsweep sweep -i inventory.yml -l 'ci*'    look, ask, remove, prove it
  fleetsweep audit --host admin@runner-1:2222   one box, no inventory
  fleetsweep audit --local                      this machine

\b
Exit codes: 0 all is well; 2 usage, nothing was contacted; 3 a host was unreachable or its answer
unusable; 4 a guard tripped; 5 a removal failed or is unknown; 6 stale containers were found
(--fail-on-stale); 130, 143, 129 stopped by a signal; 1 a bug.
"""

HOSTS_EPILOG: Final = """\b
Examples:
  fleetsweep hosts -i inventory.yml                   who is in it
  fleetsweep hosts -i inventory.yml -l 'ci:!db' -v    and where each variable and setting comes from
  fleetsweep hosts -i inventory.yml --format json     for a program
"""

AUDIT_EPILOG: Final = """\b
Examples:
  fleetsweep audit -i inventory.yml -l runners        look at one group
  fleetsweep audit -i inventory.yml -v                with every matched container
  fleetsweep audit -i inventory.yml --fail-on-stale   exit 6 if anything is stale: for a timer
  fleetsweep audit -i inventory.yml --max-silence 26h tell apart a bad night and a box that nobody reaches
  fleetsweep audit -i inventory.yml --format json     for a program
  fleetsweep audit -i inventory.yml --save-plan plan.json
"""

SWEEP_EPILOG: Final = """\b
Examples:
  fleetsweep sweep -i inventory.yml --dry-run         what would go
  fleetsweep sweep -i inventory.yml                   look, show the plan, ask
  fleetsweep sweep -i inventory.yml --yes             for a timer: no question
  fleetsweep sweep -i inventory.yml --plan plan.json --yes
                                                      exactly what a saved plan says, or less
  fleetsweep sweep --local --max-age 4h --cap 20      this machine, by other limits

\b
Each setting is read from its flag, else from the environment (FLEETSWEEP_MAX_AGE, WS_MAX_AGE_HOURS,
SAFETY_CAP, DRY_RUN ...), else from the host's inventory variable (fleetsweep_max_age ...).
"""

EXPLAIN_EPILOG: Final = """\b
Examples:
  fleetsweep explain -i inventory.yml ws-4711         wherever it is
  fleetsweep explain --host runner-2 3f9a             by the beginning of its id
  fleetsweep explain --local --max-age 6h ws-4711     what another limit would say
"""

BASELINE_EPILOG: Final = """\b
Examples:
  fleetsweep baseline --local --save before.json      in the job, before it makes anything
  fleetsweep baseline --host runner-2 --save before.json
  fleetsweep teardown --local --baseline before.json  after it, whatever happened
"""

TEARDOWN_EPILOG: Final = """\b
Examples:
  fleetsweep teardown --local --run-label fleetsweep.run=$RUN
                                                      what carries this run's label
  fleetsweep teardown --local --run-label fleetsweep.run=$RUN --volumes --networks
                                                      with its labelled volumes and networks
  fleetsweep teardown --local --baseline before.json  what came since the baseline: no label needed,
                                                      but no other job may share the box
  fleetsweep teardown --local --baseline before.json --run-label fleetsweep.run=$RUN
                                                      both: what carries another run's label stays
"""

DOCTOR_EPILOG: Final = """\b
Examples:
  fleetsweep doctor -i inventory.yml                  the whole fleet
  fleetsweep doctor -i inventory.yml --host runner-2 -v
  fleetsweep doctor --host admin@runner-1:2222        before it is in an inventory
"""

SCHEDULE_EPILOG: Final = """\b
Examples:
  fleetsweep schedule systemd -i inventory.yml        a service and a timer: read them first
  fleetsweep schedule systemd -i inventory.yml --write /etc/systemd/system
  fleetsweep schedule systemd --local --job audit     fails when anything here is stale
  fleetsweep schedule cron -i inventory.yml --max-age 4h --write /etc/cron.d
  fleetsweep schedule gitea -i /etc/fleetsweep/inventory.yml --write .gitea/workflows
  fleetsweep schedule github --job teardown           a job that takes its containers along
"""

HISTORY_EPILOG: Final = """\b
Examples:
  fleetsweep history                                  the last twenty
  fleetsweep history --since 7d --failed              what went wrong this week
  fleetsweep history --host runner-2                  one box: when it was reached, and what was found
  sudo fleetsweep history --state-dir /var/lib/fleetsweep
                                                      those of the timer
"""

SHOW_EPILOG: Final = """\b
Examples:
  fleetsweep show                                     the newest
  fleetsweep show 20260615T07                         by the beginning of its id
  fleetsweep show 20260615T07 --format json           for a program
"""

HOLD_EPILOG: Final = """\b
Examples:
  fleetsweep hold -i inventory.yml ws-4711 -m "ann debugs job 812"
                                                      for a day
  fleetsweep hold --host runner-2 3f9a --for 2h -m "core dump"
  sudo -u fleetsweep fleetsweep hold -i inventory.yml --state-dir /var/lib/fleetsweep ws-4711 -m "ann"
                                                      where the timer's account sees it
  fleetsweep hold --list                              who holds what, until when, and why
  fleetsweep hold --release ws-4711                   it may go again
"""
