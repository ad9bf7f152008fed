"""Generated schedules: systemd units, a crontab entry, and workflows for Gitea and GitHub."""

from fleetsweep.schedule.plan import Job, Kind, RunOptions, Schedule, plan
from fleetsweep.schedule.render import File, render
from fleetsweep.schedule.write import write

__all__ = ["File", "Job", "Kind", "RunOptions", "Schedule", "plan", "render", "write"]
