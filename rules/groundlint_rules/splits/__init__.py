"""SPL: training data against test data."""
