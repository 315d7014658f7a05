"""MAN: the manifest file, and its lines as JSON."""
