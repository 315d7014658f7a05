"""LBL: label attributes and the names of labels."""
