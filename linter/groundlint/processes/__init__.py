"""Worker processes: how they are started, exchange messages, report exceptions and end."""
