"""The built-in rules, with their tables and features. They are loaded in the same way as those of a plugin."""

# The modules that are searched for rules, tables and features. `algorithms` has none and is imported where it is used:
# importing numpy takes longer than a small check.
__all__ = [
    "balance",
    "boxes",
    "clutter",
    "configuration",
    "duplicates",
    "evaluation",
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
