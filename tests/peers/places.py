"""nibabel and SimpleITK on where the voxels of written files lie.

    UNMELT_PLACES=FOLDER cargo test --release -p unmelt-volumes --test nifti places
    python3 tests/peers/places.py FOLDER

The tests leave what they write in FOLDER: 48 orientations, straight and oblique, by sform, by qform, by both and by neither, each on
every kind of new grid, with the affine that is expected of it (a .json beside each file) and one marked voxel. Here `get_sform`,
`get_qform` and `affine` of nibabel and direction, spacing and origin of SimpleITK are held against it, and the place of the mark.
Needs numpy and nibabel; SimpleITK where it is there.
"""

import json
import pathlib
import sys

import nibabel as nib
import numpy as np

try:
    import SimpleITK
except ImportError:
    SimpleITK = None

TOLERANCE = 2e-2  # mm; a quaternion in 32 bits leaves that much of turns near 180 degrees


def differences(path, want):
    """What each reader makes of a file, less what is expected, in mm at its corners."""
    image = nib.load(path)
    shape = np.array(image.shape)
    corners = np.array(np.meshgrid(*[[0, n - 1] for n in shape])).reshape(3, -1).T

    def off(affine):
        return np.abs(corners @ affine[:3, :3].T + affine[:3, 3] - corners @ want[:3, :3].T - want[:3, 3]).max()

    header = image.header
    found = {"affine": off(image.affine), "get_sform": off(header.get_sform()), "get_qform": off(header.get_qform())}
    coded = [f for f in (header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]) if f is not None]
    assert coded, f"{path}: no form has a code"
    found["coded"] = max(off(f) for f in coded)
    if SimpleITK is not None:
        itk = SimpleITK.ReadImage(str(path))
        linear = np.array(itk.GetDirection()).reshape(3, 3) * np.array(itk.GetSpacing())
        affine = np.eye(4)
        flip = np.diag([-1.0, -1.0, 1.0])  # ITK counts to the left and to the back
        affine[:3, :3], affine[:3, 3] = flip @ linear, flip @ np.array(itk.GetOrigin())
        found["SimpleITK"] = off(affine)
    return found, image


def main(folder):
    worst, count = {}, 0
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        expected = json.loads(path.read_text())
        want = np.vstack([np.array(expected["affine"]), [0, 0, 0, 1]])
        found, image = differences(path.with_suffix(".nii"), want)
        marked = np.argwhere(image.get_fdata() == 100)
        place = (marked @ image.affine[:3, :3].T + image.affine[:3, 3]).mean(axis=0)
        found["mark"] = np.abs(place - expected["mark"]).max()
        for name, off in found.items():
            worst[name] = max(worst.get(name, 0.0), off)
            if not off < TOLERANCE:
                sys.exit(f"{path.stem}: {name} is off by {off:.4f} mm")
        count += 1
    if not count:
        sys.exit(f"{folder} holds nothing that the tests left")
    print(f"{count} files; farthest from what is expected, in mm:", {k: round(float(v), 5) for k, v in worst.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
