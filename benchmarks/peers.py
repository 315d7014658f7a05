"""Run groundlint and other tools on photographs with planted faults, and count what each finds and misses.

`images.py --peers PYTHON` runs this. This file is also the program that runs one of the tools in its environment, so
it imports only the standard library, Pillow and speed.py, which imports only the standard library.

Each tool runs with its defaults, as its documents show: CleanVision with all its checks; imagededup with PHash and a
distance of up to 10; imgcheck `clean`, which also copies the images it keeps; the Python package of czkawka with a
similarity of 10; cleanlab's Datalab with CleanVision and with out-of-sample probabilities from a logistic regression
over the features of EfficientNet-Lite0 at 224 px, because it has no features of its own. The time of importing a tool
counts, as groundlint's does; imagededup imports torch.

Planted, in sets of at least 900 photographs (in smaller ones fewer): 60 byte-equal copies; 60 copies, half of them
encoded again at JPEG quality 60 and half scaled to 60% at quality 85; 60 copies without 2% of the image at each side;
60 wrong labels; and instead of the original, 30 photographs with a Gaussian blur of 4 to 12 px (at 512 px), 30 exposed
3 to 6 stops darker, 30 exposed 3 to 6 stops brighter of which at least 40% is white, and 30 images of one color or of
two similar ones with a gradient between. The strengths are drawn at random, so that no single one suits the thresholds
of a tool. No photograph has two faults. Degraded images are not counted in the column of links.
"""

from __future__ import annotations

import importlib.metadata
import io
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageFilter
from speed import Run, measure, python

COPIED = ("exact copy", "re-encoded or scaled", "cropped by 4%")
DEGRADED = ("blurred", "dark", "bright", "low information")
WRONG_LABEL = "wrong label"
PLANTED = {**dict.fromkeys(COPIED, 60), **dict.fromkeys(DEGRADED, 30), WRONG_LABEL: 60}
ENOUGH = 900
"""Photographs from which on all faults are planted."""

DECODE = """
import sys
from PIL import Image
for line in open("files.txt"):
    with Image.open(line.strip()) as image:
        image.load()
"""


def ratios(command: list[str], folder: Path, rounds: int) -> tuple[list[float], str]:
    """CPU time of a command over that of decoding all images of a folder, for each round; and both in seconds."""
    decode = python(DECODE)
    # Fills the page cache.
    measure(decode, folder)
    pairs: list[tuple[Run, Run]] = []
    for number in range(rounds):
        # Whichever is second finds a warmer machine.
        if number % 2:
            run, unit = measure(command, folder), measure(decode, folder)
        else:
            unit, run = measure(decode, folder), measure(command, folder)
        pairs.append((run, unit))
    middle = sorted(pairs, key=lambda pair: pair[0].cpu / pair[1].cpu)[len(pairs) // 2]
    note = f"{middle[0].cpu:.1f} s against {middle[1].cpu:.1f} s"
    return [run.cpu / unit.cpu for run, unit in pairs], note


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """An image as the bytes of a JPEG file."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return file.getvalue()


class Entry(NamedTuple):
    """A file of the planted set: its bytes, its label, what was planted (or nothing) and its original's number."""

    content: bytes
    label: str
    fault: str
    original: int


def copied(fault: str, content: bytes, *, odd: bool) -> bytes:
    """A copy of a file."""
    if fault == "exact copy":
        return content
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        if fault == "cropped by 4%":
            left, top = round(width * 0.02), round(height * 0.02)
            return jpeg(image.crop((left, top, width - left, height - top)))
        if odd:
            return jpeg(image.resize((round(width * 0.6), round(height * 0.6))), 85)
        return jpeg(image, 60)


def exposed(image: Image.Image, stops: float) -> Image.Image:
    """Change the exposure, for a display gamma of 2.2."""
    gain = 2 ** (stops / 2.2)
    return image.convert("RGB").point([min(255, round(level * gain)) for level in range(256)] * 3)


def degraded(fault: str, content: bytes, draw: random.Random) -> bytes | None:
    """A degraded version of a file; None if it would not be overexposed."""
    with Image.open(io.BytesIO(content)) as opened:
        image = opened.convert("RGB")
    if fault == "blurred":
        return jpeg(image.filter(ImageFilter.GaussianBlur(draw.uniform(4, 12) * max(image.size) / 512)))
    if fault == "dark":
        return jpeg(exposed(image, -draw.uniform(3, 6)))
    if fault == "bright":
        made = exposed(image, draw.uniform(3, 6))
        white = sum(made.convert("L").histogram()[250:])
        return jpeg(made) if white >= 0.4 * image.width * image.height else None
    # A placeholder, or a frame with the lens covered.
    color = tuple(draw.randrange(256) for _ in range(3))
    other = tuple(min(255, level + 20) for level in color) if draw.random() < 0.5 else color
    gradient = Image.linear_gradient("L").resize(image.size)
    return jpeg(Image.composite(Image.new("RGB", image.size, other), Image.new("RGB", image.size, color), gradient))


def plant(source: Path, folder: Path) -> None:
    """Write the photographs of a set again with planted faults, and what was planted, if they are not there.

    Args:
        source: A set with `labeled.manifest`.
        folder: Gets `images`, `labeled.manifest`, `files.txt` and `planted.json`: fault, original and label by file.
    """
    if (folder / "files.txt").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    lines = [json.loads(line) for line in (source / "labeled.manifest").read_text(encoding="utf-8").splitlines()]
    files = [source / "images" / line["source-ref"].rpartition("/")[2] for line in lines]
    labels = [line["label-metadata"]["class-name"] for line in lines]
    ids = {label: line["label"] for label, line in zip(labels, lines, strict=True)}
    draw = random.Random(0)
    entries = entries_of(files, labels, draw)
    # Names tell nothing: a tool that keeps the first file of a group keeps a copy as often as an original.
    draw.shuffle(entries)
    names = [f"{number:06}.jpg" for number in range(len(entries))]
    originals = {entry.original: name for name, entry in zip(names, entries, strict=True) if entry.fault not in COPIED}
    truth, manifest = {}, []
    for name, entry in zip(names, entries, strict=True):
        (folder / "images" / name).write_bytes(entry.content)
        truth[name] = {"fault": entry.fault, "original": originals[entry.original], "label": entry.label}
        line = lines[entry.original] | {"source-ref": f"s3://bucket/images/{name}", "label": ids[entry.label]}
        line["label-metadata"] = line["label-metadata"] | {"class-name": entry.label}
        manifest.append(json.dumps(line) + "\n")
    (folder / "labeled.manifest").write_text("".join(manifest), encoding="utf-8")
    (folder / "planted.json").write_text(json.dumps(truth), encoding="utf-8")
    (folder / "files.txt").write_text("".join(f"images/{name}\n" for name in names), encoding="utf-8")


def entries_of(files: list[Path], labels: list[str], draw: random.Random) -> list[Entry]:
    """Plant each fault in other photographs, and add those in which nothing is planted."""
    counts = Counter(labels)
    choices = [label for label in sorted(counts) if label != "other" and counts[label] >= 12]
    left = draw.sample(range(len(files)), len(files))
    entries = []
    for fault, most in PLANTED.items():
        wanted = round(most * min(1.0, len(files) / ENOUGH))
        made = 0
        for number in list(left):
            if made == wanted:
                break
            content, label = files[number].read_bytes(), labels[number]
            entry = planted(fault, number, content, label, choices, draw, odd=bool(made % 2))
            if entry is None:
                continue
            left.remove(number)
            entries.append(entry)
            if fault in COPIED:
                entries.append(Entry(content, label, "", number))
            made += 1
        if made < wanted:
            raise SystemExit(f"{len(files)} photographs are too few to plant '{fault}'")
    return entries + [Entry(files[number].read_bytes(), labels[number], "", number) for number in left]


def planted(
    fault: str, number: int, content: bytes, label: str, choices: list[str], draw: random.Random, *, odd: bool
) -> Entry | None:
    """A photograph with a fault; None if it is not suited to it."""
    if fault in COPIED:
        return Entry(copied(fault, content, odd=odd), label, fault, number)
    if fault == WRONG_LABEL:
        if label not in choices:
            return None
        return Entry(content, draw.choice([other for other in choices if other != label]), fault, number)
    made = degraded(fault, content, draw)
    return None if made is None else Entry(made, label, fault, number)


class Found(NamedTuple):
    """What a tool found, by file name: pairs of duplicates, images by fault, and images by its other checks.

    `flagged` has the faults that the tool looks for only, and `pairs` is None if it does not look for duplicates.
    """

    pairs: list[list[str]] | None
    flagged: dict[str, list[str]]
    other: dict[str, list[str]]


def stars(groups: Iterable[Iterable[Any]]) -> list[list[str]]:
    """Pairs that join the members of groups of files."""
    return [[Path(str(first)).name, Path(str(other)).name] for first, *others in map(list, groups) for other in others]


def from_report(report: Path, faults: Iterable[str]) -> Found:
    """What groundlint found, from its report in json."""
    named = {
        "image-blurred": "blurred",
        "image-dark": "dark",
        "image-bright": "bright",
        "image-low-information": "low information",
        "mislabel-suspect": WRONG_LABEL,
    }
    pairs: list[list[str]] = []
    found = Found(pairs, {fault: [] for fault in faults}, {})
    for finding in json.loads(report.read_text(encoding="utf-8"))["findings"]:
        if finding["source_ref"] is None:
            continue
        name = Path(finding["source_ref"]).name
        if finding["name"] in ("exact-duplicate", "near-duplicate"):
            pairs.extend([name, Path(other["source_ref"]).name] for other in finding["related"])
        elif named.get(finding["name"]) in found.flagged:
            found.flagged[named[finding["name"]]].append(name)
        else:
            found.other.setdefault(finding["name"], []).append(name)
    return found


def run_cleanvision(folder: Path, _: str) -> Found:
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(folder / "images"))
    lab.find_issues()
    pairs = [pair for kind in ("exact", "near") for pair in stars(lab.info[f"{kind}_duplicates"]["sets"])]
    return Found(pairs, *image_issues(lab.issues, [Path(path).name for path in lab.issues.index]))


def image_issues(issues: Any, names: list[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The images that CleanVision flags: those of planted faults, and others."""
    named = {"blurry": "blurred", "dark": "dark", "light": "bright", "low_information": "low information"}
    found: tuple[dict[str, list[str]], dict[str, list[str]]] = ({fault: [] for fault in DEGRADED}, {})
    for check in (*named, "odd_size", "odd_aspect_ratio", "grayscale"):
        if (column := f"is_{check}_issue") in issues:
            found[check not in named][named.get(check, check)] = list(itertools.compress(names, issues[column]))
    return found


def run_imagededup(folder: Path, _: str) -> Found:
    from imagededup.methods import PHash

    found = PHash(verbose=False).find_duplicates(image_dir=str(folder / "images"))
    return Found(stars([name, *others] for name, others in found.items()), {}, {})


def run_imgcheck(folder: Path, _: str) -> Found:
    from imgcheck import clean_duplicates

    with tempfile.TemporaryDirectory() as kept:
        clean_duplicates(str(folder), f"{kept}/images", f"{kept}/report.xlsx", extra_formats=["json"])
        rows = json.loads(Path(kept, "report_matches.json").read_text(encoding="utf-8"))
    return Found([[row["Original Image"], row["Duplicate Image"]] for row in rows], {}, {})


def run_czkawka(folder: Path, _: str) -> Found:
    from czkawka import ImageSimilarity

    finder = ImageSimilarity()
    finder.set_directories([folder / "images"])
    finder.set_similarity(10)
    return Found(stars(finder.find_similar()), {}, {})


def run_cleanlab(folder: Path, weights: str) -> Found:
    import numpy as np
    import onnxruntime
    from cleanlab import Datalab
    from datasets import Dataset
    from datasets import Image as ImageColumn
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    lines = [json.loads(line) for line in (folder / "labeled.manifest").read_text(encoding="utf-8").splitlines()]
    names = [Path(line["source-ref"]).name for line in lines]
    labels = [line["label-metadata"]["class-name"] for line in lines]
    # Features and probabilities are not cleanlab's own: one thread, because threads that wait for each other on a busy
    # machine would multiply their CPU time, that of the regression by 30.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    net = onnxruntime.InferenceSession(weights, options)
    features = []
    for name in names:
        with Image.open(folder / "images" / name) as image:
            pixels = np.asarray(image.convert("RGB").resize((224, 224)), np.float32)
        features.append(net.run(None, {net.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]})[0].ravel())
    points = np.stack(features)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    with threadpool_limits(1):
        odds = cross_val_predict(model, points, labels, method="predict_proba")
    files = {"image": [str(folder / "images" / name) for name in names], "label": labels}
    lab = Datalab(Dataset.from_dict(files).cast_column("image", ImageColumn()), label_name="label", image_key="image")
    lab.find_issues(features=points, pred_probs=odds)
    sets = lab.get_info("near_duplicate")["near_duplicate_sets"]
    pairs = stars([names[number], *(names[other] for other in near)] for number, near in enumerate(sets))
    flagged, other = image_issues(lab.issues, names)
    flagged[WRONG_LABEL] = list(itertools.compress(names, lab.issues["is_label_issue"]))
    other["outlier"] = list(itertools.compress(names, lab.issues["is_outlier_issue"]))
    return Found(pairs, flagged, other)


class Peer(NamedTuple):
    """A tool: the packages it needs, the first of which names it, and the function that runs it."""

    packages: tuple[str, ...]
    run: Callable[[Path, str], Found]


PEERS = {
    "cleanvision": Peer(("cleanvision",), run_cleanvision),
    "imagededup": Peer(("imagededup",), run_imagededup),
    "imgcheck": Peer(("imgcheck",), run_imgcheck),
    "czkawka": Peer(("czkawka",), run_czkawka),
    "cleanlab": Peer(("cleanlab", "cleanvision", "datasets", "onnxruntime"), run_cleanlab),
}


class Truth:
    """What was planted, and how a tool's findings compare."""

    def __init__(self, folder: Path) -> None:
        self.rows = json.loads((folder / "planted.json").read_text(encoding="utf-8"))
        self.faults = {name: row["fault"] for name, row in self.rows.items()}
        self.counts = Counter(self.faults.values())

    def unplanted(self, names: Iterable[str]) -> int:
        """The number of images without a fault among some."""
        return sum(not self.faults[name] for name in set(names))

    def groups(self, pairs: Iterable[Iterable[str]]) -> dict[str, str]:
        """A representative for each image; images that pairs connect have the same."""
        parents = {name: name for name in self.faults}

        def top(name: str) -> str:
            while parents[name] != name:
                parents[name] = name = parents[parents[name]]
            return name

        for a, b in pairs:
            parents[top(a)] = top(b)
        return {name: top(name) for name in parents}

    def found(self, found: Found) -> Iterator[str]:
        """For each fault, how many of the planted images a tool names."""
        groups = None if found.pairs is None else self.groups(found.pairs)
        for fault in PLANTED:
            names = [name for name, planted in self.faults.items() if planted == fault]
            if fault in COPIED:
                hits = None if groups is None else [groups[n] == groups[self.rows[n]["original"]] for n in names]
            else:
                flagged = found.flagged.get(fault)
                hits = None if flagged is None else [name in set(flagged) for name in names]
            yield "" if hits is None else str(sum(hits))

    def others(self, found: Found) -> Iterator[str]:
        """How many images a tool groups or flags although nothing was planted there."""
        if found.pairs is None:
            yield ""
        else:
            # A degraded image has no copy, but flat images are rightly alike.
            whole = {name for name, fault in self.faults.items() if fault not in DEGRADED}
            groups = self.groups(pair for pair in found.pairs if whole.issuperset(pair))
            families: dict[str, set[str]] = {}
            for name in whole:
                families.setdefault(groups[name], set()).add(self.rows[name]["original"])
            yield str(sum(len(members) - 1 for members in families.values()))
        for fault in (*DEGRADED, WRONG_LABEL):
            yield str(self.unplanted(found.flagged[fault])) if fault in found.flagged else ""
        counts = {check: self.unplanted(names) for check, names in found.other.items()}
        yield ", ".join(f"{check} {count}" for check, count in sorted(counts.items()) if count)


class Comparison:
    """Runs of groundlint and of the other tools on a planted set."""

    def __init__(self, folder: Path, scratch: Path, interpreter: Path | None, weights: Path, rounds: int) -> None:
        self.folder = folder
        self.scratch = scratch
        self.interpreter = interpreter
        self.weights = weights
        self.rounds = rounds
        self.absent: list[str] = []
        self.versions: list[str] = []

    def ours(self, check: Callable[..., list[str]]) -> Iterator[tuple[str, str, Found]]:
        """Yield the title, the cost and the findings of each selection of rules."""
        for title, options, faults in (
            ("groundlint `--select DUP --fast`", ("--select", "DUP", "--fast"), ()),
            ("groundlint `--select DUP,IMG --fast`", ("--select", "DUP,IMG", "--fast"), DEGRADED),
            ("groundlint, all rules", (), (*DEGRADED, WRONG_LABEL)),
        ):
            report = self.scratch / "report.json"
            command = check("labeled", *options, "--output", f"json:{report}")
            yield title, self.cost(command), from_report(report, faults)

    def theirs(self) -> Iterator[tuple[str, str, Found]]:
        """Yield the same for each other tool; those that are absent or fail are noted."""
        for name, peer in PEERS.items():
            versions = self.installed(peer.packages)
            if lacking := [package for package, found in versions.items() if not found]:
                self.absent.append(f"{name} ({', '.join(lacking)} not installed)")
                continue
            if name == "cleanlab" and not self.weights.exists():
                self.absent.append(f"{name} (its features need {self.weights.name})")
                continue
            out = self.scratch / f"{name}.json"
            command = [str(self.interpreter), str(Path(__file__).resolve()), name, str(out), str(self.weights)]
            try:
                cost = self.cost(command)
            except SystemExit:
                said = out.with_suffix(".log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
                self.absent.append(f"{name} {versions[name]} (failed: {said[-1] if said else 'no message'})")
                continue
            self.versions += [f"{package} {found}" for package, found in versions.items()]
            yield f"{name} {versions[name]}", cost, Found(**json.loads(out.read_text(encoding="utf-8")))

    def cost(self, command: list[str]) -> str:
        figures, note = ratios(command, self.folder, self.rounds)
        return f"{' to '.join(f'{figure:.2f}' for figure in sorted({min(figures), max(figures)}))}; {note}"

    def installed(self, packages: Iterable[str]) -> dict[str, str]:
        """The version of each package in the tools' environment; empty if it is not installed."""
        if self.interpreter is None:
            return dict.fromkeys(packages, "")
        command = [str(self.interpreter), str(Path(__file__).resolve()), "versions", *packages]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    def tables(self, check: Callable[..., list[str]]) -> Iterator[str]:
        """The lines of the tables: costs with what was found, and what was flagged beside it."""
        truth = Truth(self.folder)
        sound = truth.counts[""]
        yield f"{len(truth.faults):,} images, {sound:,} of them without a planted fault. Found of those planted:\n"
        planted = (f"{fault} ({truth.counts[fault]})" for fault in PLANTED)
        yield f"| tool | CPU, times of decoding | {' | '.join(planted)} |"
        yield f"|---|---|{'---|' * len(PLANTED)}"
        beside = []
        for title, cost, found in itertools.chain(self.ours(check), self.theirs()):
            yield f"| {title} | {cost} | {' | '.join(truth.found(found))} |"
            beside.append(f"| {title} | {' | '.join(truth.others(found))} |")
        yield f"\nOf the {sound:,} images without a planted fault, grouped or flagged:\n"
        yield f"| tool | links between different photographs | {' | '.join((*DEGRADED, WRONG_LABEL))} | other |"
        yield f"|---|---|{'---|' * (len(DEGRADED) + 2)}"
        yield from beside
        yield f"\nTools: {', '.join(dict.fromkeys(self.versions)) or 'none'}."
        yield f"Absent: {', '.join(self.absent) or 'none'}."


def version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def main() -> None:
    """Run one tool on the set in the working directory, or print the versions of packages."""
    name, *arguments = sys.argv[1:]
    if name == "versions":
        print(json.dumps({package: version_of(package) for package in arguments}))
        return
    out = Path(arguments[0])
    # Progress and warnings are not failures: they go to a file, which is read if the tool fails.
    with out.with_suffix(".log").open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)
        try:
            found = PEERS[name].run(Path.cwd(), arguments[1])
        except Exception:  # noqa: BLE001 - of a program that is not ours
            traceback.print_exc()
            sys.exit(3)
    out.write_text(json.dumps(found._asdict()), encoding="utf-8")


if __name__ == "__main__":
    main()
