"""The rules and the guards. Pure: reads no clock, file or environment."""
