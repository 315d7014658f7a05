"""Outputs of trained models that the user supplies."""
