"""Run by hand, for as long as you like: make fuzz."""
