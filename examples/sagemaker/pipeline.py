"""A SageMaker pipeline that checks the data, and trains only if nothing is wrong with it.

Needs the SageMaker Python SDK, version 2. Run it with the addresses of your own account:

    python pipeline.py --role ROLE --image IMAGE --training-image IMAGE \
        --manifests s3://BUCKET/manifests/ --images s3://BUCKET/images/ --output s3://BUCKET/output

With `--instances 4` four instances measure a quarter of the images each, in a step of their own, before one judges.
"""

from __future__ import annotations

import argparse

from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.processing import ProcessingInput, ProcessingOutput, Processor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionEquals
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TrainingStep


def pipeline(
    role: str, image: str, training_image: str, manifests: str, images: str, output: str, instances: int = 1
) -> Pipeline:
    """The pipeline: check, then train or fail.

    Args:
        role: ARN of the role that the jobs have.
        image: Address of the container that the Dockerfile beside this file builds.
        training_image: Address of the container that trains.
        manifests: S3 prefix of the manifests.
        images: S3 prefix of the images; the manifests name them below it.
        output: S3 prefix for the reports and the model.
        instances: Number of instances that measure images.
    """
    session = PipelineSession()
    manifests_at = ParameterString(name="Manifests", default_value=manifests)
    images_at = ParameterString(name="Images", default_value=images)

    def processor(count: int) -> Processor:
        return Processor(
            image_uri=image, role=role, instance_count=count, instance_type="ml.m5.xlarge", sagemaker_session=session
        )

    manifests_input = ProcessingInput(source=manifests_at, destination="/opt/ml/processing/input/manifests")
    if instances == 1:
        steps = []
        measured_input = ProcessingInput(source=images_at, destination="/opt/ml/processing/input/images")
        flags = ["--images=/opt/ml/processing/input/images"]
    else:
        # A prefix for each execution: no file is one of an earlier execution with more instances.
        measurements = Join(on="/", values=[output, ExecutionVariables.PIPELINE_EXECUTION_ID, "measurements"])
        measure = ProcessingStep(
            name="MeasureImages",
            step_args=processor(instances).run(
                inputs=[
                    manifests_input,
                    ProcessingInput(
                        source=images_at,
                        destination="/opt/ml/processing/input/images",
                        s3_data_distribution_type="ShardedByS3Key",
                    ),
                ],
                outputs=[
                    ProcessingOutput(
                        output_name="measurements", source="/opt/ml/processing/output", destination=measurements
                    )
                ],
                arguments=["measure", "--images=/opt/ml/processing/input/images"],
            ),
        )
        steps = [measure]
        written = measure.properties.ProcessingOutputConfig.Outputs["measurements"].S3Output.S3Uri
        measured_input = ProcessingInput(source=written, destination="/opt/ml/processing/input/measurements")
        flags = ["--measurements=/opt/ml/processing/input/measurements/*.parquet"]

    summary = PropertyFile(name="Summary", output_name="report", path="summary.json")
    lint = ProcessingStep(
        name="LintData",
        step_args=processor(1).run(
            inputs=[manifests_input, measured_input],
            outputs=[
                ProcessingOutput(
                    output_name="report", source="/opt/ml/processing/output", destination=f"{output}/groundlint"
                )
            ],
            # With --exit-zero findings do not fail the step, so that the condition decides.
            arguments=["--exit-zero", *flags],
        ),
        property_files=[summary],
    )

    estimator = Estimator(
        image_uri=training_image,
        role=role,
        instance_count=1,
        instance_type="ml.g4dn.xlarge",
        output_path=f"{output}/model",
        sagemaker_session=session,
    )
    train = TrainingStep(name="Train", step_args=estimator.fit({"train": TrainingInput(manifests_at)}))

    fail = FailStep(
        name="DataIsNotSound", error_message="groundlint found errors; report.json in the output of LintData has them"
    )
    passed = JsonGet(step_name=lint.name, property_file=summary, json_path="passed")
    gate = ConditionStep(
        name="DataIsSound",
        conditions=[ConditionEquals(left=passed, right=1)],
        if_steps=[train],
        else_steps=[fail],
    )
    return Pipeline(
        name="LintThenTrain",
        parameters=[manifests_at, images_at],
        steps=[*steps, lint, gate],
        sagemaker_session=session,
    )


def main() -> None:
    """Create the pipeline, or update it, and start it."""
    parser = argparse.ArgumentParser(description="Create and start a pipeline that checks data before it trains.")
    for name in ("role", "image", "training-image", "manifests", "images", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--instances", type=int, default=1)
    given = parser.parse_args()
    made = pipeline(**vars(given))
    made.upsert(role_arn=given.role)
    made.start()


if __name__ == "__main__":
    main()
