"""What stays when a process is killed in the middle of its work."""
