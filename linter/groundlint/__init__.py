"""A linter for image data sets: what plugin authors and notebooks use."""
