"""Notifications of how a run ended: to a CI job, a metrics file, a push gateway, and people."""
