"""Derived tables, and the algorithms behind them."""
