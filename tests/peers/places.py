"""nibabel and SimpleITK on where the voxels of written files lie.

    python3 tests/peers/places.py --unmelt target/release/unmelt

enhances a small scan with one marked voxel in 48 orientations, straight and oblique, by sform, by qform, by both and by neither, and

    UNMELT_PLACES=FOLDER cargo test --release -p unmelt-imaging-io --test nifti places
    python3 tests/peers/places.py FOLDER

looks at what the crate's tests wrote in FOLDER, with the affine that is expected beside each file. `get_sform`, `get_qform` and `affine`
of nibabel and direction, spacing and origin of SimpleITK are held against it, and the place of the mark. Needs numpy and nibabel;
SimpleITK where it is there.
"""

import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

import nibabel as nib
import numpy as np

try:
    import SimpleITK
except ImportError:
    SimpleITK = None

TOLERANCE = 2e-2  # mm; a quaternion in 32 bits leaves that much of turns near 180 degrees
FORMS = {"qform": (1, 0), "sform": (0, 1), "both": (1, 1), "neither": (0, 0)}


def affines(path):
    """What each reader makes of a file."""
    image = nib.load(path)
    header = image.header
    found = {"affine": image.affine, "get_sform": header.get_sform(), "get_qform": header.get_qform()}
    coded = [form for form in (header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]) if form is not None]
    assert coded, f"{path}: no form has a code"
    if SimpleITK is not None:
        itk = SimpleITK.ReadImage(str(path))
        flip = np.diag([-1.0, -1.0, 1.0])  # ITK counts to the left and to the back
        affine = np.eye(4)
        affine[:3, :3] = flip @ (np.array(itk.GetDirection()).reshape(3, 3) * np.array(itk.GetSpacing()))
        affine[:3, 3] = flip @ np.array(itk.GetOrigin())
        found["SimpleITK"] = affine
    return found, image


def at(affine, index):
    return affine[:3, :3] @ np.asarray(index, float) + affine[:3, 3]


class Worst:
    """The farthest that each reader was off."""

    def __init__(self):
        self.off, self.count = {}, 0

    def add(self, what, name, off):
        self.off[name] = max(self.off.get(name, 0.0), float(off))
        if not off < TOLERANCE:
            sys.exit(f"{what}: {name} is off by {off:.4f} mm")

    def report(self):
        off = {name: round(value, 5) for name, value in self.off.items()}
        print(f"{self.count} files; farthest from what is expected, in mm: {off}")


def by_folder(folder, worst):
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        expected = json.loads(path.read_text())
        want = np.vstack([np.array(expected["affine"]), [0, 0, 0, 1]])
        found, image = affines(path.with_suffix(".nii"))
        for name, affine in found.items():
            ends = [(0, 0, 0), np.array(image.shape) - 1]
            worst.add(path.stem, name, max(np.abs(at(affine, end) - at(want, end)).max() for end in ends))
        mark = np.mean([at(image.affine, k) for k in np.argwhere(image.get_fdata() == 100)], axis=0)
        worst.add(path.stem, "mark", np.abs(mark - expected["mark"]).max())
        worst.count += 1


def scan(path, directions, forms):
    """A small scan with a marked voxel; its affine as nibabel reads it."""
    spacing, mark = np.array([1.0, 1.5, 2.0]), (2, 4, 5)
    voxels = np.random.default_rng(0).uniform(50, 100, (7, 6, 8)).astype(np.float32)
    voxels[mark] = 500
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions * spacing, [3, -4, 5]
    image = nib.Nifti1Image(voxels, None if forms == "neither" else affine)
    if forms == "neither":
        image.header.set_zooms(spacing)
    else:
        image.set_qform(affine, FORMS[forms][0])
        image.set_sform(affine, FORMS[forms][1])
    nib.save(image, path)
    return nib.load(path).affine, voxels.shape, mark


def by_program(program, worst):
    c, s = np.cos(0.3), np.sin(0.3)
    oblique = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    turns = itertools.product(itertools.permutations(range(3)), itertools.product([1, -1], repeat=3), FORMS)
    folder = pathlib.Path(tempfile.mkdtemp())
    for k, (order, signs, forms) in enumerate(turns):
        directions = np.zeros((3, 3))
        directions[list(order), range(3)] = signs
        # Of each orientation two forms are straight and two oblique, in turns.
        directions = directions if (k + k // 4) % 2 else oblique @ directions
        before, shape, mark = scan(folder / "in.nii", directions, forms)
        for task, option in (("outpaint", "--extend=top=2,left=3"), ("super-resolve", "--spacing=1")):
            (folder / "out.nii").unlink(missing_ok=True)
            command = [program, "volumes", "enhance", folder / "in.nii", "--task", task, option]
            subprocess.run([*command, "--steps", "1", "--output", folder / "out.nii"], check=True, capture_output=True)
            found, image = affines(folder / "out.nii")
            for name, affine in found.items():
                what = f"{task}, {forms}, {directions.round(2).tolist()}"
                if task == "outpaint":
                    (place,) = np.argwhere(image.get_fdata() == 500)
                    worst.add(what, name, np.abs(at(affine, place) - at(before, mark)).max())
                    continue
                # Both grids cover the same edges.
                for old, new in (((-0.5,) * 3, (-0.5,) * 3), (np.array(shape) - 0.5, np.array(image.shape) - 0.5)):
                    worst.add(what, name, np.abs(at(affine, new) - at(before, old)).max())
            worst.count += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--unmelt")
    options = parser.parse_args()
    worst = Worst()
    if options.unmelt:
        by_program(options.unmelt, worst)
    if options.folder:
        by_folder(options.folder, worst)
    if not worst.count:
        sys.exit("there is nothing to judge")
    worst.report()


if __name__ == "__main__":
    main()
