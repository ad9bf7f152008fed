"""``make pages``: the pages' commands, pasted word for word into a bare Debian, against the lab's boxes."""
