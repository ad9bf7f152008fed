"""What a run needs of the operating system: deadlines, files, room for threads, child processes."""
