"""From findings to edits to bytes. Nothing is read or written here."""
