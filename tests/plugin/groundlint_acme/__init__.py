"""Rules that a third party would write: groundlint finds them in the modules of this package."""
