"""The phases of a run: survey, plan, removal and proof, over many hosts at once."""
