"""Thresholds of an evaluated model, and what each gives: rows of a derived table that reports show beside findings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

TRADE_OFFS = "threshold_trade_offs"
"""The derived table of trade-offs. Its columns are `data_set` and the keys of `TradeOff` except `manifest`."""


class TradeOff(BaseModel):
    """One threshold for the confidence of a label, with the keys of the JSON report."""

    model_config = ConfigDict(extra="forbid")

    manifest: str = Field(description="Training manifest of the data set, or its only one, as given.")
    label: str = Field(description="Name of the label.")
    images: int = Field(description="Evaluated images with the label.")
    point: Literal["assumed", "precision", "recall", "step"] = Field(
        description="Whether it is the threshold in force, the one up to which raising it pays, the one down to which "
        "lowering it pays, or one of 0.1, 0.2, …, 0.9."
    )
    threshold: float | None = Field(description="Null for a label that the model never predicts.")
    true_positives: int
    false_positives: int
    false_negatives: int
    precision: float | None
    precision_low: float | None = Field(description="Lower limit of the 95% bootstrap interval.")
    precision_high: float | None = Field(description="Upper limit of the 95% bootstrap interval.")
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    precision_gain: float | None = Field(description="Difference from the precision at the assumed threshold.")
    precision_gain_low: float | None
    precision_gain_high: float | None
    recall_gain: float | None
    recall_gain_low: float | None
    recall_gain_high: float | None
    f1: float | None


KEYS = tuple(TradeOff.model_fields)
"""Keys of a trade-off, in the order of reports."""
