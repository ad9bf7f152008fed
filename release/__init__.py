"""What is made for a release: manual pages, completion files, and the steps of ``make dist``."""
