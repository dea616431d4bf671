"""What the end-to-end tests stand on: real processes, free ports, and readers for what they say about themselves."""
