"""The published form of the JSON report."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from groundlint.engine.findings import Finding
from groundlint.engine.trade_offs import TradeOff
from groundlint.summary import Summary


class Tool(BaseModel):
    """The program that wrote the report."""

    model_config = ConfigDict(extra="forbid")

    name: str
    version: str


class JsonReport(BaseModel):
    """Report of a run of groundlint."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1]
    tool: Tool
    target: Literal["rekognition", "ground-truth"]
    summary: Summary
    findings: list[Finding]
    evaluation: list[TradeOff] = Field([], description="What thresholds give; only with --evaluation.")


def schema() -> dict[str, Any]:
    """JSON Schema of the report."""
    return JsonReport.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
