"""What the user asked for: settings, discovery of manifests, data sets, paths and globs."""
