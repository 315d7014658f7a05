"""BAL: labels that can be predicted without looking at the objects."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.tables.label_shortcuts import MIN_AUROC


def _labels(count: int) -> list[dict[str, object]]:
    return [{"line": n, "label": "cat" if n % 2 else "dog"} for n in range(1, count + 1)]


def _images(count: int, same: int = 0) -> list[dict[str, object]]:
    """Cats of 800 x 600 px and dogs of 640 x 480 px, some cats of 640 x 480 px too."""
    return [
        {"source_ref": f"s3://bucket/{n}.jpg", "digest": f"{n}"}
        | ({"width": 800, "height": 600} if n % 2 and n > same else {})
        for n in range(1, count + 1)
    ]


class LabelShortcut(Rule):
    """A property of the images that has nothing to do with the objects predicts a label.

    Camera, file format, folder, image size, number of pixels, aspect ratio and exposure are compared.

    ## Why it matters
    A model learns what is easiest. If all images of a label come from one source, it learns to recognize the source,
    does well on test data from the same sources, and fails on other images.

    ## How to fix it
    Add images of the label from the other sources, and images of the other labels from this one. Where the model will
    meet the same difference, as with a fixed camera for each label, leave it.

    ## How reliable it is
    Each property is judged by itself, on images that the prediction has not seen: in five folds, an image is ranked by
    the share of the label among the images of the other folds with the same value, or in the same tenth of the range.
    AUROC is the probability that it ranks an image with the label above one without it. No random assignment of the
    label among 99 may reach as much. Of duplicates, one counts. Judged are data sets with at least two labels of 10
    different images; the strongest property of each label is reported.

    Folders do not count where each label has its own, nor where they are named after the label. Dimensions come from
    `image_size` where images are not found. Whether a property has nothing to do with the objects only the owner of the
    data knows: images of 'night' are dark.

    An AUROC of 0.9 is that of a size which 90% of the images with the label have, and 10% of the others. With 40 images
    of a label, another division into folds changes it by up to 0.04: with another one, 7 of the 10 brightened labels
    below were found and 8 of the 10 with a camera. The rule reports no label of raccoon, bccd, clothing, cifar10n,
    kitti_labels, wider_occ, trashnet, imagenet_sample, coco128 and animalpose; most nearly Car in kitti_labels, whose
    images without a car come from few drives (image size, AUROC 0.86). In savoias_objects it reports the image size,
    which differs between the two labels (0.99).
    """

    code = "BAL107"
    name = "label-shortcut"
    severity = Severity.INFO
    images_are_optional = True
    message = (
        "{with_label:.0%} of the images with {label!r} {fact}, {without_label:.0%} of the others: "
        "a model may learn that instead of the object; vary the {nuisance}"
    )
    examples = (
        Good(labels=_labels(40), images=_images(40, same=40)),
        Bad(
            labels=_labels(40),
            images=_images(40),
            says="100% of the images with 'cat' are 800 x 600 px, 0% of the others: "
            "a model may learn that instead of the object; vary the image size",
        ),
        # Nine images of a label are too few.
        Good(labels=_labels(18), images=_images(18)),
        Good(labels=_labels(60), images=_images(60, same=10), options={"auroc": 0.95}),
        Bad(labels=_labels(60), images=_images(60, same=10), options={"auroc": 0.85}),
    )
    auroc: float = Option(
        0.9, ge=MIN_AUROC, le=1, description="AUROC on held-out images from which a label is reported."
    )

    def check(self, label_shortcuts: LazyFrame) -> LazyFrame:
        """Labels that a nuisance predicts well enough."""
        # A column of the option's name would hide it in the message.
        shortcuts = label_shortcuts.rename({"auroc": "score"})
        return shortcuts.filter(col("score") >= self.auroc)
