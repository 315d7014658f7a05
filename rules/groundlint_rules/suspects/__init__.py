"""SUS: labels that are probably wrong, and images that may not belong to the data set."""
