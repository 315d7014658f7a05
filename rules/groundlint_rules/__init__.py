"""The built-in rules, with the tables and features that they judge. They enter as a plugin's do."""

# What is searched for rules, tables and features. `algorithms` holds none, and is imported where it is used: numpy and
# scipy cost more than a small check.
__all__ = [
    "balance",
    "boxes",
    "clutter",
    "configuration",
    "duplicates",
    "features",
    "images",
    "labels",
    "manifests",
    "references",
    "splits",
    "suspects",
    "tables",
    "visibility",
]
