"""What trained models say of the data: their evaluation, and outputs that the user brings."""
