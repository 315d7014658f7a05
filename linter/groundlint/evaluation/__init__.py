"""What trained models add: an evaluation, and outputs of the user's own model."""
