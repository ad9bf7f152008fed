"""What must hold for every input: the last section of the list of faults, as properties."""
