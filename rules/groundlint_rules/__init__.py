"""The rules, tables and features that come with groundlint; they enter by the entry point, as a plugin's do."""
