"""What is on disk: the state directory, the journal, saved plans and baselines."""
