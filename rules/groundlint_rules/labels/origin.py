"""LBL: where labels come from: people, machines, verification jobs, a model's own predictions."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Option, Rule, Severity
from groundlint_rules.samples import classification, lines

_TRAINED_ON = ("classification", "multilabel", "detection", "segmentation")

_ATTRIBUTE = ("data_set", "manifest", "attribute")


class RejectedLabel(Rule):
    """A verification job rejected the labels of a line.

    ## Why it matters
    People looked at the labels and found them wrong, but the line is still there to be trained on.

    ## How to fix it
    Correct the labels, for instance in an adjustment job, or remove the line.

    ## How reliable it is
    It repeats what people said about this data set. By default the answers that count as a rejection are those of
    Ground Truth's examples; the option `words` replaces them.
    """

    code = "LBL304"
    name = "rejected-label"
    severity = Severity.WARNING
    precision = FACT
    message = "the verification job rejected these labels ({class_name!r})"
    examples = (
        Good(attributes=[{"kind": "verification", "class_name": "good"}]),
        Good(attributes=[{"kind": "classification", "class_name": "bad"}]),
        Bad(
            manifest=lines(classification("Bad", metadata={"type": "groundtruth/label-verification"}, name="check")),
            says="the verification job rejected these labels ('Bad')",
        ),
        Bad(
            attributes=[{"kind": "verification", "class_name": "Bad", "attribute": "check"}],
            says="the verification job rejected these labels ('Bad')",
        ),
        Good(attributes=[{"kind": "verification", "class_name": "Bad"}], options={"words": ["blurred"]}),
        Bad(attributes=[{"kind": "verification", "class_name": "Blurred"}], options={"words": ["blurred"]}),
    )
    words: list[str] = Option(
        ["bad", "reject", "rejected", "incorrect", "wrong", "invalid", "poor", "fail", "failed", "not ok", "no"],
        description="Answers that reject a label, in lower case.",
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Lines with a verification attribute whose answer is one of the words."""
        answer = col("class_name").str.to_lowercase().str.strip_chars()
        rejected = attributes.filter(col("kind") == "verification", answer.is_in(self.words))
        # The service drops the attribute of the verification job, but trains on the labels that the job rejected.
        return rejected.select("line_id", "class_name")


class MachineLabels(Rule):
    """Labels were made by a machine, not by people.

    ## Why it matters
    Automated labeling aims at 95% correct labels, and at boxes that overlap the correct ones by 0.6. They need to be
    verified before they are used. Each attribute of a manifest gets one finding.

    ## How to fix it
    Have the labels verified, those with the lowest confidence first.
    """

    code = "LBL305"
    name = "machine-labels"
    severity = Severity.INFO
    precision = FACT
    message = "a machine labeled `{attribute}` on {machine:,} of {count:# line}; have these labels verified"
    examples = (
        Good(attributes=[{}]),
        Bad(
            attributes=[{"human": False}, {"line": 2}],
            says="a machine labeled `animals` on 1 of 2 lines; have these labels verified",
        ),
        Bad(
            manifest=lines(classification(metadata={"human-annotated": "no"})),
            says="a machine labeled `animal` on 1 of 1 line; have these labels verified",
        ),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Attributes with lines where `human-annotated` is no."""
        labeled = attributes.filter(col("kind").is_in(_TRAINED_ON))
        counts = labeled.group_by(_ATTRIBUTE).agg(count=pl.len(), machine=(~col("human")).sum())
        return counts.filter(col("machine") > 0)


class PredictionsAsLabels(Rule):
    """A training manifest has the output of a model's evaluation.

    ## Why it matters
    The manifest snapshot of an evaluation has the model's own predictions beside the labels. If a model is trained on
    it, the service either refuses the manifest or teaches the model its own mistakes.

    ## How to fix it
    Train on the manifest that the evaluated model was trained on.
    """

    code = "LBL306"
    name = "predictions-as-labels"
    severity = Severity.WARNING
    precision = FACT
    message = "`{attribute}` has a model's predictions on {count:# line} of a training manifest; remove the attribute"
    examples = (
        Good(attributes=[{}]),
        Good(attributes=[{"kind": "prediction", "split": "test"}]),
        Bad(
            attributes=[{"kind": "prediction"}, {"kind": "prediction", "line": 2}],
            says="`animals` has a model's predictions on 2 lines of a training manifest; remove the attribute",
        ),
        Bad(
            manifest=lines(classification(name="rekognition-custom-labels-evaluation-0")),
            says="`rekognition-custom-labels-evaluation-0` has a model's predictions on 1 line of a training manifest; "
            "remove the attribute",
        ),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Attributes of the training split that were read as predictions."""
        predicted = attributes.filter(col("kind") == "prediction", col("split") == "train")
        return predicted.group_by(_ATTRIBUTE).agg(count=pl.len())


class LowConfidenceLabel(Rule):
    """The workers agreed on a label far less than on the other labels of the same job.

    ## Why it matters
    The label may be wrong. Confidence cannot be compared between jobs, and its value alone means nothing: a job with
    one worker gives all labels 0 or 0.09. Therefore labels are compared only within one job, and those of people and
    those of machines separately.

    ## How to fix it
    Look at the image, and correct the label if it is wrong.

    ## How reliable it is
    Precision has not been measured: no public set has both the confidence of a job and the correct labels. Confidences
    of 0.3 planted in clothing, where all others are 1, are all found (recall 1.00).
    """

    code = "LBL307"
    name = "low-confidence-label"
    severity = Severity.INFO
    message = (
        "{label!r} has confidence {confidence:.2f}; the median of the job's {count:# label} is {usual:.2f}; "
        "check the label"
    )
    examples = (
        Good(labels=[{"line": n, "confidence": 0.0} for n in range(1, 200)]),
        Good(labels=[{"line": n, "confidence": 0.9 - n % 5 / 10} for n in range(1, 200)]),
        Good(
            manifest=lines(
                *(classification(metadata={"confidence": 0.9 - n % 5 / 100}) for n in range(100)),
                classification(metadata={"confidence": 0.2, "job-name": "labeling-job/another"}),
            )
        ),
        Bad(
            labels=[{"line": n, "confidence": 0.9 - n % 5 / 100} for n in range(1, 200)]
            + [{"line": 200, "confidence": 0.2}],
            says="'cat' has confidence 0.20; the median of the job's 200 labels is 0.88; check the label",
        ),
        Bad(boxes=[{"line": n // 2, "confidence": 0.9 if n else 0.2} for n in range(200)]),
        Good(labels=[{"line": n, "confidence": 0.9 if n else 0.4} for n in range(100)], options={"share": 0.4}),
        Bad(labels=[{"line": n, "confidence": 0.9 if n else 0.6} for n in range(100)], options={"share": 0.7}),
        Good(labels=[{"line": n, "confidence": 0.9 if n else 0.2} for n in range(100)], options={"rarest": 0.005}),
        Bad(labels=[{"line": n, "confidence": 0.9 if n > 2 else 0.2} for n in range(100)], options={"rarest": 0.03}),
        Good(labels=[{"line": n, "confidence": 0.9 if n else 0.2} for n in range(100)], options={"min_labels": 101}),
        Bad(labels=[{"line": n, "confidence": 0.9 if n else 0.2} for n in range(99)], options={"min_labels": 99}),
    )
    share: float = Option(0.5, gt=0, lt=1, description="Share of the median confidence below which a label is low.")
    rarest: float = Option(
        0.02, gt=0, lt=1, description="Largest share of a job's labels that are reported; if more are low, none is."
    )
    min_labels: int = Option(100, ge=10, description="Number of labels that a job needs.")

    def check(self, labels: LazyFrame, boxes: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """The few image-level labels, or boxes, of a job whose confidence is far below its median."""
        of_images = labels.with_columns(box=lit(None, pl.Int32))
        return pl.concat([self._low(rows, attributes) for rows in (of_images, boxes)])

    def _low(self, labels: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """The rows of one table of labels with a low confidence, with their scores."""
        job = ("data_set", "attribute", "job", "human")
        # A number for each job: grouping every label by texts would take five times as long.
        jobs = attributes.group_by(job).agg("attribute_id").with_row_index("job_number")
        numbers = jobs.select("job_number", "attribute_id").explode("attribute_id", empty_as_null=False)
        rows = labels.with_row_index("row")
        given = rows.select("row", "attribute_id", "confidence").join(numbers, on="attribute_id")
        medians = given.group_by("job_number").agg(
            count=pl.len(), usual=col("confidence").median(), least=col("confidence").min()
        )
        uneven = medians.filter(col("count") >= self.min_labels, col("least") < self.share * col("usual"))
        low = given.join(uneven, on="job_number").filter(col("confidence") < self.share * col("usual"))
        few = low.filter(pl.len().over("job_number") <= self.rarest * col("count"))
        places = ("data_set", "manifest", "line", "attribute", "box", "source_ref", "label")
        return rows.select("row", *places).join(few, on="row").with_columns(score=1 - col("confidence") / col("usual"))
