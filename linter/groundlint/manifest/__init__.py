"""Ground Truth manifests: from bytes to the base tables."""
