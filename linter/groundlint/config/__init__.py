"""Settings, discovery of manifests, data sets, paths and globs."""
