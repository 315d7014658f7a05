"""Rules of a third party: groundlint finds them in the modules of this package."""
