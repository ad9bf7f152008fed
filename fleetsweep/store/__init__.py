"""Files that fleetsweep keeps: the state directory, the journal, saved plans and baselines."""
