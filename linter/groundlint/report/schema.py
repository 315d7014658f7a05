"""The form of the JSON report, as models from which its published schema is made."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def schema() -> dict[str, Any]:
    """JSON Schema of the report."""
    return JsonReport.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Place(_Model):
    """A place that a finding refers to."""

    manifest: str | None
    line: int | None
    attribute: str | None
    box: int | None
    source_ref: str | None


class Finding(_Model):
    """One finding."""

    code: str
    name: str
    severity: Literal["error", "warning", "info"]
    message: str
    manifest: str = Field(description="Path as it was given; of a data set, its training manifest.")
    line: int | None = Field(description="Physical line, from 1; null for a finding on a whole manifest or data set.")
    attribute: str | None = Field(description="Key of the label attribute, without -metadata.")
    box: int | None = Field(description="Position in `annotations`, from 0.")
    label: str | None
    source_ref: str | None
    score: float | None = Field(description="0 sound to 1 bad, where the rule measures.")
    aws: str | None = Field(description="The service's code.")
    loses: Literal["box", "attribute", "line", "training"] | None = Field(
        description="What the fault removes directly."
    )
    related: list[Place]
    fingerprint: str = Field(description="Tells the finding again when lines move.")
    url: str | None = Field(description="Page of the rule.")


class Tool(_Model):
    """What wrote the report."""

    name: str
    version: str


class Images(_Model):
    """Distinct images; found and unreadable are null where none were looked for."""

    total: int
    found: int | None
    unreadable: int | None


class Counts(_Model):
    """Findings by severity, without suppressed and baselined ones."""

    error: int
    warning: int
    info: int


class SkippedRule(_Model):
    """A selected rule that could not be judged."""

    code: str
    reason: str


class Summary(_Model):
    """The numbers of the run."""

    manifests: int
    lines: int = Field(description="Physical lines, blank and bad ones too.")
    labels: int
    boxes: int
    images: Images
    counts: Counts
    suppressed: int
    baselined: int
    skipped_rules: list[SkippedRule]


class JsonReport(_Model):
    """Report of a run of groundlint."""

    schema_version: Literal[1]
    tool: Tool
    target: Literal["rekognition", "ground-truth"]
    summary: Summary
    findings: list[Finding]
