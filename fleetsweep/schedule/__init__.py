"""Files for other programs: schedules for systemd, cron, Gitea and GitHub, and a gate before an engine's socket."""

from fleetsweep.schedule.account import account_problems
from fleetsweep.schedule.gate import Gate, Proxy, render_gate
from fleetsweep.schedule.plan import Job, Kind, RunOptions, Schedule, default_wheel, plan
from fleetsweep.schedule.render import File, render
from fleetsweep.schedule.write import write
from fleetsweep.schedule.zone_worker import ZoneWorker, render_zone_worker

__all__ = [
    "File",
    "Gate",
    "Job",
    "Kind",
    "Proxy",
    "RunOptions",
    "Schedule",
    "ZoneWorker",
    "account_problems",
    "default_wheel",
    "plan",
    "render",
    "render_gate",
    "render_zone_worker",
    "write",
]
