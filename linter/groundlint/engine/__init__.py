"""The core: rules, tables and features, the graph of what needs what, and evaluation. Knows no file and no terminal."""
