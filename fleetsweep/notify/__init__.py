"""Who hears how a run ended: a CI job, a metrics file, a push gateway, people."""
