"""LBL: where labels come from: people, machines, verification jobs, a model's own output."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.samples import classification, lines

_TRAINED_ON = ("classification", "multilabel", "detection", "segmentation")


class RejectedLabel(Rule):
    """A verification job found the labels of the line bad.

    ## Why is this bad?
    People looked at the labels and said that they are wrong; the line is still there to be trained on.

    ## How to mend it
    Correct the labels, in an adjustment job for instance, or remove the line.

    ## How far it can be trusted
    It repeats what people said of the data set itself. Words for bad are those of Ground Truth's examples; further
    ones are an option.
    """

    code = "LBL304"
    name = "rejected-label"
    severity = Severity.WARNING
    message = "`{attribute}` says of the line's labels: {class_name!r}"
    examples = (
        Good(attributes=[{"kind": "verification", "class_name": "good"}]),
        Good(attributes=[{"kind": "classification", "class_name": "bad"}]),
        Bad(
            attributes=[{"kind": "verification", "class_name": "Bad", "attribute": "check"}],
            says="`check` says of the line's labels: 'Bad'",
        ),
        Bad(attributes=[{"kind": "verification", "class_name": "blurred"}], options={"words": ["blurred"]}),
    )
    words: list[str] = Option(
        ["bad", "reject", "rejected", "incorrect", "wrong", "invalid", "poor", "fail", "failed", "not ok", "no"],
        description="Answers that reject a label, in small letters.",
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Verification attributes whose answer is one of the words."""
        answer = col("class_name").str.to_lowercase().str.strip_chars()
        return attributes.filter(col("kind") == "verification", answer.is_in(self.words))


class MachineLabels(Rule):
    """Labels were made by a machine, not by people.

    ## Why is this bad?
    Automated labeling aims at 95 % of right labels, and at boxes that overlap the right ones by .6. They need checking
    before use. One finding stands for an attribute of a manifest.

    ## How to mend it
    Have them verified, those of the lowest confidence first.
    """

    code = "LBL305"
    name = "machine-labels"
    severity = Severity.INFO
    message = "{machine} of {count} lines of `{attribute}` were labelled by a machine"
    examples = (
        Good(attributes=[{}]),
        Bad(attributes=[{"human": False}, {"line": 2}], says="1 of 2 lines of `animals` were labelled by a machine"),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Attributes with `human-annotated` no."""
        labelled = attributes.filter(col("kind").is_in(_TRAINED_ON))
        counts = labelled.group_by("manifest", "attribute").agg(count=pl.len(), machine=(~col("human")).sum())
        return counts.filter(col("machine") > 0)


class PredictionsAsLabels(Rule):
    """A training manifest holds the output of an evaluation.

    ## Why is this bad?
    The snapshot of an evaluation has the model's own guesses beside the labels. Trained on, it teaches the model its
    own mistakes, or is refused.

    ## How to mend it
    Train on the manifest that the model was trained on.
    """

    code = "LBL306"
    name = "predictions-as-labels"
    severity = Severity.WARNING
    message = "`{attribute}` holds a model's predictions on {count} lines of a training manifest"
    examples = (
        Good(attributes=[{}]),
        Good(attributes=[{"kind": "prediction", "split": "test"}]),
        Bad(
            attributes=[{"kind": "prediction"}, {"kind": "prediction", "line": 2}],
            says="`animals` holds a model's predictions on 2 lines of a training manifest",
        ),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Attributes of the training split that were read as predictions."""
        fed_back = attributes.filter(col("kind") == "prediction", col("split") == "train")
        return fed_back.group_by("manifest", "attribute").agg(count=pl.len())


class LowConfidence(Rule):
    """The workers agreed on a label far less than on the others of the same job.

    ## Why is this bad?
    It isn't sure that the label is right. Confidence says nothing across jobs, nor as a number of its own: a job with
    one worker gives 0, or .09, to all; so labels are compared only within one job and one kind, people or machine.

    ## How to mend it
    Look at the image, and correct the label where it is wrong.

    ## How far it can be trusted
    Advice: no public set has the confidence of a job and the truth.
    """

    code = "LBL307"
    name = "low-confidence"
    severity = Severity.INFO
    message = "{label!r} has the confidence {confidence:.2f}; of the job's {count} labels the middle is {usual:.2f}"
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
            says="'cat' has the confidence 0.20; of the job's 200 labels the middle is 0.88",
        ),
    )
    share: float = Option(0.5, gt=0, lt=1, description="Share of the middle confidence below which one is low.")
    rarest: float = Option(0.02, gt=0, lt=1, description="Largest share of a job's labels that may be called low.")
    min_labels: int = Option(100, ge=10, description="Labels that a job needs.")

    def check(self, labels: LazyFrame, boxes: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """The few labels of images, or of boxes, of a job that lie far below its middle."""
        of_images = labels.with_columns(box=lit(None, pl.Int32))
        return pl.concat([self._low(rows, attributes) for rows in (of_images, boxes)])

    def _low(self, labels: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        keys = ("manifest", "line", "attribute")
        labels = labels.with_row_index("row")
        spread = labels.group_by("manifest", "attribute").agg(low=col("confidence").min(), high=col("confidence").max())
        # Most sets have one confidence throughout: those cost no join of every box.
        varied = spread.filter(col("low") < self.share * col("high")).select("manifest", "attribute")
        job = ("attribute", "job", "human")
        given = (
            labels.select("row", *keys, "confidence")
            .join(varied, on=["manifest", "attribute"], how="semi")
            .join(attributes.select(*keys, "job", "human"), on=keys)
            .select("row", *job, "confidence")
            .collect()
            .lazy()
        )
        middle = given.group_by(job).agg(count=pl.len(), usual=col("confidence").median())
        low = given.join(middle, on=job, nulls_equal=True).filter(
            col("count") >= self.min_labels, col("confidence") < self.share * col("usual")
        )
        places = labels.select("row", "manifest", "line", "box", "source_ref", "label")
        return low.filter(pl.len().over(job) <= self.rarest * col("count")).join(places, on="row")
