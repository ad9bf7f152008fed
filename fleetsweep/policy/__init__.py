"""The rules and the guards. Pure: nothing here reads a clock, a file or the environment."""
