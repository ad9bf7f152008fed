"""The inventory room, and Ansible beside it."""
