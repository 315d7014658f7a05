"""Images: from the name in a manifest to bytes, and from bytes to numbers."""
