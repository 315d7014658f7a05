"""The gates: the action, the processing step and the jobs do what the documents say, on real manifests."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import PLACES
from image_sets import image_bytes
from lines import detection, manifest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/gates.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
SAGEMAKER = ROOT / "examples/sagemaker"
GITLAB = yaml.safe_load((ROOT / "examples/gitlab/groundlint.gitlab-ci.yml").read_text(encoding="utf-8"))

SOUND = [detection(f"s3://bucket/{n}.jpg") for n in range(12)]
FAULTY = [detection("s3://bucket/bad.jpg", ({"left": -1}, {})), *SOUND]
MISSING = [*SOUND, detection("s3://bucket/gone.jpg")]


def block(kind: str, containing: str) -> str:
    """A block of the page."""
    blocks = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    (text,) = [text for text in blocks if containing in text]
    return text


def write_data(folder: Path, lines: list[Any], name: str = "train.manifest") -> Path:
    """A manifest and its images, without gone.jpg."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(manifest(*lines))
    for n, line in enumerate(lines):
        image = line["source-ref"].rpartition("/")[2]
        if image != "gone.jpg":
            (folder / image).write_bytes(image_bytes((640, 480), seed=n))
    return folder


def of_input(expression: str) -> str:
    """The input that an expression stands for."""
    match = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", expression)
    assert match
    return match[1]


class Runner:
    """Runs the script of the action as GitHub does, with the files by which a step and GitHub talk."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.temp = folder / "temp"
        for made in (self.workspace, self.temp):
            made.mkdir()
        self.files = {name: folder / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        for file in self.files.values():
            file.write_text("")

    def step(self, name: str, python: str = sys.executable, **inputs: str) -> subprocess.CompletedProcess[str]:
        """A step of the action with inputs; others have their defaults."""
        (step,) = [step for step in ACTION["runs"]["steps"] if f'run.py" {name}' in step.get("run", "")]
        known = {key: str(each["default"]) for key, each in ACTION["inputs"].items()}
        known |= {key.replace("_", "-"): value for key, value in inputs.items()}
        given = {variable: known[of_input(value)] for variable, value in step["env"].items()}
        environment = {
            **PLACES,
            "HOME": str(self.temp),
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
            **{name: str(file) for name, file in self.files.items()},
            **given,
        }
        # The first word of the line is the Python that setup-python put on the path.
        line = step["run"].replace("python ", f"{shlex.quote(python)} ", 1)
        words = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", line]
        return subprocess.run(words, cwd=self.workspace, env=environment, capture_output=True, text=True, check=False)

    def output(self, name: str) -> Path:
        """A file that an output of the step names."""
        outputs = dict(line.split("=", 1) for line in self.files["GITHUB_OUTPUT"].read_text().splitlines())
        return Path(outputs[name])


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.mark.parametrize(("lines", "status"), [(SOUND, 0), (FAULTY, 1)])
def test_the_action_annotates_summarizes_and_writes_reports(lines: list[Any], status: int, runner: Runner) -> None:
    write_data(runner.workspace / "data", lines)
    runner.files["GITHUB_STEP_SUMMARY"].write_text("# Of another step\n")
    done = runner.step("check", paths="data", args="--fast")
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith("::error file=data/train.manifest,line=1,") == bool(status)
    summary = runner.files["GITHUB_STEP_SUMMARY"].read_text()
    assert summary.startswith("# Of another step\n")
    assert ("BOX101" in summary) == bool(status)
    results = json.loads(runner.output("sarif").read_text())["runs"][0]["results"]
    assert [result["ruleId"] for result in results if result["level"] == "error"] == ["BOX101"] * status
    assert json.loads(runner.output("summary").read_text())["passed"] == 1 - status
    assert runner.output("report").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("lines", "inputs", "status"),
    [
        (MISSING, {}, 1),
        (MISSING, {"require_images": "false"}, 0),
        (FAULTY, {"fail_on": "none"}, 0),
        (SOUND, {"fail_on": "info"}, 1),
        (FAULTY, {"args": "--ignore 'BOX101' --fast"}, 0),
        (FAULTY, {"paths": ""}, 1),
        (SOUND, {"paths": "data\n\nmore data\n"}, 1),
        (SOUND, {"paths": "nowhere"}, 2),
        (SOUND, {"images": "data\ns3://bucket/=data"}, 0),
        (SOUND, {"images": "nowhere"}, 2),
        (SOUND, {"args": "--no-such-flag"}, 2),
        (SOUND, {"args": "it's"}, 2),
        (SOUND, {"require_images": "yes"}, 2),
    ],
)
def test_inputs_of_the_action(lines: list[Any], inputs: dict[str, str], status: int, runner: Runner) -> None:
    write_data(runner.workspace / "data", lines)
    if inputs.get("paths") == "data\n\nmore data\n":
        write_data(runner.workspace / "more data", FAULTY)
    done = runner.step("check", **{"paths": "data", "args": "--fast", **inputs})
    assert done.returncode == status, done.stdout + done.stderr
    assert ("::error title=groundlint::" in done.stdout) == (status == 2)


CODE = "$(touch pwned) `touch pwned` ; touch pwned | touch pwned \" ; touch pwned ; \" ' ; touch pwned ; '"


@pytest.mark.parametrize("value", [CODE, "--exit-zero"])
@pytest.mark.parametrize("name", ["paths", "images", "fail_on", "require_images", "args"])
def test_no_input_of_the_action_is_code_or_opens_the_gate(name: str, value: str, runner: Runner) -> None:
    """A pull request names its files as it likes. Only `args` are flags."""
    write_data(runner.workspace / "data", FAULTY)
    given = {"paths": f"data\n{value}"} if name == "paths" else {"paths": "data", name: value}
    done = runner.step("check", **{"args": "--fast", **given})
    assert (done.returncode == 0) == ((name, value) == ("args", "--exit-zero"))
    assert not list(runner.workspace.parent.rglob("pwned"))


def test_modules_of_the_repository_do_not_replace_installed_ones(runner: Runner) -> None:
    write_data(runner.workspace, FAULTY)
    for name in ("groundlint", "pip", "typing", "polars"):
        (runner.workspace / f"{name}.py").write_text("raise SystemExit(0)")
    assert runner.step("check", args="--fast").returncode == 1


def test_run_lines_of_the_action_have_no_expressions() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize(
    "version", ["--index-url=https://example.com", "1.0 --pre", "../..", "git+https://example.com"]
)
def test_a_version_that_is_none_is_refused(version: str, runner: Runner) -> None:
    done = runner.step("install", version=version)
    assert done.returncode == 2
    assert done.stdout == "::error title=groundlint::version is not a version number, such as 0.1.0\n"


@pytest.mark.slow
def test_the_action_installs_itself(runner: Runner) -> None:
    venv.create(runner.temp / "venv", with_pip=True)
    python = str(runner.temp / "venv/bin/python")
    done = runner.step("install", python)
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip("no package index is reachable")
    assert done.returncode == 0, done.stderr
    write_data(runner.workspace / "data", FAULTY)
    assert runner.step("check", python, paths="data", args="--fast").returncode == 1


def test_the_workflow_of_the_page_uses_the_action_as_it_is() -> None:
    steps = yaml.safe_load(block("yaml", "runs-on"))["jobs"]["groundlint"]["steps"]
    (step,) = [step for step in steps if step.get("uses", "").startswith("groundlint/groundlint@")]
    assert step["with"].keys() <= ACTION["inputs"].keys()
    used = re.findall(r"steps\.groundlint\.outputs\.(\w+)", block("yaml", "runs-on"))
    assert set(used) <= ACTION["outputs"].keys()
    for kind in ("inputs", "outputs"):
        table = PAGE.partition(f"| {kind.removesuffix('s')} | meaning |\n")[2].partition("\n\n")[0]
        assert re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE) == list(ACTION[kind])


def gitlab_job(name: str, folder: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """A job of the template, run as GitLab does, and its definition."""
    base, job = GITLAB[".groundlint"], GITLAB[name]
    assert job["extends"] == ".groundlint"
    # Installing is the same for all.
    assert base["before_script"] == ["pip install groundlint"]
    (script,) = job["script"]
    line = script.replace("groundlint ", f"{shlex.quote(sys.executable)} -m groundlint ", 1)
    environment = {**PLACES, **GITLAB["variables"], "HOME": str(folder)}
    done = subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done, {**base, **job, "artifacts": {**base["artifacts"], **job["artifacts"]}}


@pytest.mark.parametrize(("lines", "status"), [(SOUND, 0), (FAULTY, 1), (MISSING, 1), (None, 2)])
def test_the_gitlab_job(lines: list[Any] | None, status: int, tmp_path: Path) -> None:
    if lines is not None:
        write_data(tmp_path / "data", lines)
    done, job = gitlab_job("groundlint", tmp_path)
    assert done.returncode == status, done.stderr
    if lines is None:
        return
    reports = job["artifacts"]["reports"]
    issues = json.loads((tmp_path / reports["codequality"]).read_text())
    assert sum(issue["severity"] == "major" for issue in issues) == status
    rule = "IMG203" if lines is MISSING else "BOX101"
    assert (rule in (tmp_path / reports["junit"]).read_text()) == bool(status)
    assert all((tmp_path / path).is_file() for path in job["artifacts"]["paths"])


def test_the_page_sets_variables_that_the_gitlab_template_has() -> None:
    """Variables of a job would win over those of the file that includes the template."""
    included = yaml.safe_load(block("yaml", "include:"))
    assert included["variables"].keys() <= GITLAB["variables"].keys()
    assert not any("variables" in job for job in GITLAB.values())


@pytest.mark.parametrize(("lines", "status"), [(SOUND, 1), (None, 2)])
def test_the_gitlab_job_that_lets_warnings_pass(lines: list[Any] | None, status: int, tmp_path: Path) -> None:
    """The images are near-duplicates, which are warnings."""
    if lines is not None:
        write_data(tmp_path / "data", lines)
    done, job = gitlab_job("groundlint-warnings", tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert job["allow_failure"] == {"exit_codes": 1}
    if lines is not None:
        written = [*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()]
        assert all((tmp_path / path).is_file() for path in written)


def process(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The entry point of the container, with another folder for /opt/ml."""
    program = "import sys, lint, pathlib; sys.exit(lint.main(sys.argv[2:], pathlib.Path(sys.argv[1])))"
    environment = {**PLACES, "PYTHONPATH": f"{SAGEMAKER}{os.pathsep}{PLACES.get('PYTHONPATH', '')}", "HOME": str(root)}
    return subprocess.run(
        [sys.executable, "-c", program, str(root), *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def container(root: Path, lines: list[Any]) -> tuple[Path, Path]:
    """The folders of a processing job as the pipeline fills them: those of the output and of the message."""
    inputs = root / "processing/input"
    images = write_data(inputs / "images", lines)
    (inputs / "manifests").mkdir()
    (images / "train.manifest").rename(inputs / "manifests/train.manifest")
    return root / "processing/output", root / "output/message"


PIPELINE = ast.parse((SAGEMAKER / "pipeline.py").read_text(encoding="utf-8"))


def constants(keyword: str) -> list[str]:
    """The texts that the pipeline passes for a keyword."""
    found = [node.value for node in ast.walk(PIPELINE) if isinstance(node, ast.keyword) and node.arg == keyword]
    return [value.value for value in found if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def flag(name: str, root: Path) -> str:
    """A flag with the value that the pipeline passes, with another folder for /opt/ml."""
    texts = [node.value for node in ast.walk(PIPELINE) if isinstance(node, ast.Constant)]
    (found,) = {text for text in texts if isinstance(text, str) and text.startswith(f"{name}=")}
    return found.replace("/opt/ml", str(root))


@pytest.mark.parametrize(("lines", "passed"), [(SOUND, 1), (FAULTY, 0), (MISSING, 0)])
def test_the_processing_step_of_the_pipeline(lines: list[Any], passed: int, tmp_path: Path) -> None:
    output, message = container(tmp_path, lines)
    done = process(tmp_path, "--exit-zero", flag("--images", tmp_path))
    assert done.returncode == 0, done.stderr
    assert not message.exists()
    (file,) = [path for path in constants("path") if path.endswith(".json")]
    summary = json.loads((output / file).read_text())
    (path,) = constants("json_path")
    assert summary[path] == passed
    assert summary["images"]["found"] == 12 + (lines is FAULTY)
    assert "rules" in summary
    assert summary["rules"]["BOX101"] == (lines is FAULTY)
    assert json.loads((output / "report.json").read_text())["summary"]["counts"]["error"] == 1 - passed


def test_a_processing_job_fails_and_names_the_rules(tmp_path: Path) -> None:
    output, message = container(tmp_path, FAULTY)
    done = process(tmp_path, "--fast", f"--images={tmp_path}/processing/input/images")
    assert done.returncode == 1
    assert message.read_text().startswith("groundlint found faults in the data (error: 1, warning: ")
    assert "worst first: BOX101 (1), " in message.read_text()
    assert json.loads((output / "summary.json").read_text())["passed"] == 0


def test_what_cannot_be_checked_fails_the_step_and_says_why(tmp_path: Path) -> None:
    """Also with --exit-zero, and in at most a kilobyte."""
    output, message = container(tmp_path, SOUND)
    done = process(tmp_path, "--exit-zero", f"--images=nowhere/{'far/' * 40}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message.read_text() == done.stderr.removeprefix("error: ")[:1024]
    assert len(message.read_bytes()) <= 1024
    assert json.loads((output / "summary.json").read_text())["passed"] == 0


def instance(root: Path, number: int, hosts: list[str]) -> Path:
    """The folders of one instance of a job that shards the images of `root`, beside it."""
    here = root.parent / hosts[number]
    shutil.copytree(root / "processing/input", here / "processing/input")
    for place, image in enumerate(sorted((here / "processing/input/images").iterdir())):
        if place % len(hosts) != number:
            image.unlink()
    (here / "config").mkdir()
    resources = {"current_host": hosts[number], "hosts": hosts, "network_interface_name": "eth0"}
    (here / "config/resourceconfig.json").write_text(json.dumps(resources))
    return here


def findings_of(report: Path) -> list[dict[str, Any]]:
    """The findings, without the path of the image, which the instance that judges does not have."""
    return [{**finding, "image": None} for finding in json.loads(report.read_text())["findings"]]


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    """An instance without images that has the measurements of two; and the report of one that has all images."""
    judge = tmp_path / "judge"
    output, _ = container(judge, MISSING)
    images = judge / "processing/input/images"
    # They are in different shards.
    shutil.copy(images / "3.jpg", images / "4.jpg")
    (images / "7.jpg").write_bytes(image_bytes()[:700])
    assert process(judge, flag("--images", judge)).returncode == 1
    (output / "report.json").rename(judge / "whole.json")
    measurements = judge / "processing/input/measurements"
    measurements.mkdir()
    hosts = ["algo-1", "algo-2"]
    for number, host in enumerate(hosts):
        here = instance(judge, number, hosts)
        done = process(here, "measure", flag("--images", here))
        assert done.returncode == 0, done.stderr
        assert not (here / "output/message").exists()
        # As SageMaker uploads the outputs of all instances to one prefix.
        (written,) = (here / "processing/output").iterdir()
        shutil.copy(written, measurements)
        assert (measurements / f"{host}.parquet").is_file()
    shutil.rmtree(images)
    return judge


def test_instances_that_have_different_images_give_the_report_of_one(judge: Path) -> None:
    expected = findings_of(judge / "whole.json")
    done = process(judge, flag("--measurements", judge))
    assert done.returncode == 1, done.stderr
    found = findings_of(judge / "processing/output/report.json")
    (missing,) = (finding for finding in found if finding["name"] == "image-missing")
    assert "image not found: no gone.jpg below " in missing["message"]
    # The message says where it was looked for.
    assert [{**each, "message": ""} for each in found] == [{**each, "message": ""} for each in expected]
    assert {"exact-duplicate", "image-truncated"} <= {finding["name"] for finding in found}


def test_images_of_an_instance_whose_output_is_missing_fail_the_gate(judge: Path) -> None:
    measurements = judge / "processing/input/measurements"
    (measurements / "algo-2.parquet").unlink()
    done = process(judge, "--exit-zero", flag("--measurements", judge))
    assert done.returncode == 0, done.stderr
    assert json.loads((judge / "processing/output/summary.json").read_text())["passed"] == 0
    found = findings_of(judge / "processing/output/report.json")
    (missing,) = (finding for finding in found if finding["name"] == "image-missing")
    assert missing["severity"] == "error"
    assert missing["message"].startswith("partial copy: 7 of 13 images are not among the local files")
    (measurements / "algo-1.parquet").unlink()
    done = process(judge, "--exit-zero", flag("--measurements", judge))
    assert done.returncode == 2
    assert f"--measurements {measurements}/*.parquet: there is no such file" in (judge / "output/message").read_text()


def test_an_instance_that_was_given_no_image_of_the_manifests_fails_the_job(tmp_path: Path) -> None:
    container(tmp_path / "whole", SOUND)
    here = instance(tmp_path / "whole", 0, ["algo-1"])
    for image in (here / "processing/input/images").iterdir():
        image.rename(image.with_name(f"other-{image.name}"))
    done = process(here, "measure", flag("--images", here))
    assert done.returncode == 2
    assert "no image was found there" in (here / "output/message").read_text()


def test_the_container_file_copies_what_is_there() -> None:
    lines = (SAGEMAKER / "Dockerfile").read_text().splitlines()
    copied = [words[1:] for words in map(str.split, lines) if words and words[0] == "COPY"]
    for *sources, _ in copied:
        for source in sources:
            assert (ROOT / source).exists()
    (entry,) = [json.loads(line.removeprefix("ENTRYPOINT ")) for line in lines if line.startswith("ENTRYPOINT ")]
    assert entry[1] in [target for *_, target in copied]


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the SageMaker Python SDK."""
    folder = tmp_path_factory.mktemp("sdk")
    venv.create(folder, with_pip=True)
    install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "sagemaker<3"]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip("the SageMaker SDK cannot be installed")
    return folder


def steps(sdk: Path, instances: int) -> Any:
    """The steps of the pipeline, as the service gets them."""
    program = (
        "import pipeline; print(pipeline.pipeline('arn:aws:iam::123456789012:role/r', 'image', 'training', "
        f"'s3://b/manifests/', 's3://b/images/', 's3://b/output', {instances}).definition())"
    )
    account = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    environment = {**PLACES, **account, "PYTHONPATH": str(SAGEMAKER), "HOME": str(sdk)}
    python = str(sdk / "bin/python")
    done = subprocess.run([python, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])["Steps"]


def inputs_of(step: dict[str, Any]) -> dict[str, Any]:
    """The S3 inputs of a processing step, by the folder of the container in which they are put."""
    inputs = [each["S3Input"] for each in step["Arguments"]["ProcessingInputs"]]
    return {each["LocalPath"].removeprefix("/opt/ml/processing/input/"): each for each in inputs}


@pytest.mark.slow
def test_the_sagemaker_sdk_accepts_the_pipeline(sdk: Path) -> None:
    lint, gate = steps(sdk, instances=1)
    assert [step["Name"] for step in gate["Arguments"]["IfSteps"]] == ["Train"]
    assert [step["Type"] for step in gate["Arguments"]["ElseSteps"]] == ["Fail"]
    (condition,) = gate["Arguments"]["Conditions"]
    assert condition["LeftValue"]["Std:JsonGet"]["Path"] == "passed"
    assert lint["PropertyFiles"][0]["FilePath"] == "summary.json"
    assert inputs_of(lint).keys() == {"manifests", "images"}


@pytest.mark.slow
def test_the_pipeline_of_several_instances_shards_the_images_and_passes_measurements_on(sdk: Path) -> None:
    measure, lint, _ = steps(sdk, instances=4)
    counts = [step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] for step in (measure, lint)]
    assert counts == [4, 1]
    shared = {name: each["S3DataDistributionType"] for name, each in inputs_of(measure).items()}
    assert shared == {"manifests": "FullyReplicated", "images": "ShardedByS3Key"}
    assert measure["Arguments"]["AppSpecification"]["ContainerArguments"][0] == "measure"
    (output,) = measure["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    assert {"Get": "Execution.PipelineExecutionId"} in output["S3Output"]["S3Uri"]["Std:Join"]["Values"]
    assert inputs_of(lint).keys() == {"manifests", "measurements"}
    assert inputs_of(lint)["measurements"]["S3Uri"]["Get"].startswith("Steps.MeasureImages.")


def test_the_hooks_of_the_page_exist() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (repository,) = yaml.safe_load(block("yaml", "repos:"))["repos"]
    assert {hook["id"] for hook in repository["hooks"]} <= {hook["id"] for hook in hooks}
