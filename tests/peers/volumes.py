"""The table of docs/models/brain-mri.md: unmelt against classical methods, on the same degraded volumes.

    python3 tests/peers/volumes.py TRUTH.nii.gz [--unmelt target/release/unmelt] [--model brain-mri]
        [--tasks noise7,slices4] [--folder FOLDER]

TRUTH is a magnitude image of a head at about 1 mm (float or integer, no negative values). Needs numpy, scipy, nibabel
and scikit-image; the package bm4d, whose licence is non-commercial, is used if it is there. Everything is scored by
`unmelt volumes evaluate`: PSNR and 3D SSIM in the foreground, data range 0.5 to 99.5 percentile of the truth.
Degradations are drawn from numpy's generator with seed 0; slices have a box profile along the third axis.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import nibabel as nib
import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import find_objects, label
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import cg
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, inpaint_biharmonic

NOISES = [3, 7, 15]
SLICES = {"slices2": (1, 1, 2), "slices4": (1, 1, 4), "slices6": (1, 1, 6), "isotropic2": (2, 2, 2)}
TASKS = [f"noise{p}" for p in NOISES] + list(SLICES) + ["holes", "top", "kspace"]


def box(x, ratio):
    """Means over boxes of so many voxels along each axis."""
    for axis, r in enumerate(ratio):
        shape = list(x.shape)
        shape[axis : axis + 1] = [shape[axis] // r, r]
        x = x.reshape(shape).mean(axis + 1)
    return x


def cubic(y, ratio):
    for axis, r in enumerate(ratio):
        if r > 1:
            centres = (np.arange(y.shape[axis]) + 0.5) * r - 0.5
            fine = np.clip(np.arange(y.shape[axis] * r), centres[0], centres[-1])
            y = CubicSpline(centres, y, axis=axis)(fine)
    return y


def back_projected(y, ratio, iterations=10):
    x = cubic(y, ratio)
    for _ in range(iterations):
        x = x + cubic(y - box(x, ratio), ratio)
    return x


def biharmonic(x, missing):
    out = x.copy()
    parts, _ = label(missing)
    for where in find_objects(parts):
        near = tuple(slice(max(s.start - 4, 0), s.stop + 4) for s in where)
        out[near] = np.where(missing[near], inpaint_biharmonic(x[near], missing[near]), x[near])
    return out


def harmonic(x, missing):
    """The solution of Laplace's equation in what is missing, no flow across the edges of the volume."""
    number = np.cumsum(missing.ravel()).reshape(x.shape) - 1
    rows, columns, values = [], [], []
    count = int(missing.sum())
    right, degree = np.zeros(count), np.zeros(count)
    for axis in range(3):
        a = [slice(None)] * 3
        b = [slice(None)] * 3
        a[axis], b[axis] = slice(None, -1), slice(1, None)
        for here, there in ((tuple(a), tuple(b)), (tuple(b), tuple(a))):
            inside = missing[here]
            i = number[here][inside]
            degree += np.bincount(i, minlength=count)
            unknown = missing[there][inside]
            rows.append(i[unknown])
            columns.append(number[there][inside][unknown])
            right += np.bincount(i[~unknown], weights=x[there][inside][~unknown], minlength=count)
    rows.append(np.arange(count))
    columns.append(np.arange(count))
    values = np.concatenate([-np.ones(sum(map(len, rows[:-1]))), degree])
    matrix = coo_matrix((values, (np.concatenate(rows), np.concatenate(columns)))).tocsr()
    out = x.copy()
    out[missing] = cg(matrix, right, rtol=1e-5, maxiter=2000)[0]
    return out


def total_variation(zero_filled, lines, scale):
    """Alternates Chambolle's denoising of each slice with the measured lines; the best weight by the data's own scale."""
    measured = np.fft.fft2(zero_filled, axes=(0, 1))[:, lines]
    x = zero_filled
    for _ in range(40):
        x = np.stack([denoise_tv_chambolle(s, weight=0.02 * scale) for s in np.moveaxis(x, 2, 0)], 2)
        k = np.fft.fft2(x, axes=(0, 1))
        k[:, lines] = measured
        x = np.fft.ifft2(k, axes=(0, 1)).real
    return x


def bm4d_of_rician(y, sigma):
    """BM4D on √(y² − σ²/2), which has nearly the variance σ² everywhere, and no bias worth the name above it."""
    import bm4d

    return bm4d.bm4d(np.sqrt(np.maximum(y**2 - sigma**2 / 2, 0)), sigma)


class Case:
    """A truth with everything that is done to it."""

    def __init__(self, path, unmelt, model, folder):
        image = nib.load(path)
        self.affine = image.affine
        self.truth = np.maximum(np.asarray(image.dataobj, dtype=np.float32), 0)
        low, high = np.percentile(self.truth, [0.5, 99.5])
        self.range, self.foreground = high - low, self.truth > 0.05 * high
        self.unmelt, self.model, self.folder = unmelt, model, folder
        self.random = np.random.default_rng(0)

    def save(self, name, x, affine=None):
        path = self.folder / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(np.asarray(x, np.float32), self.affine if affine is None else affine), path)
        return path

    def score(self, truth, out):
        command = [self.unmelt, "volumes", "evaluate", str(truth), str(out), "--json"]
        said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["result"]
        return said[0]["foreground"]["psnr"], said[0]["foreground"]["ssim"]

    def row(self, task, truth, name, method):
        begin = time.time()
        out = method()
        seconds = time.time() - begin
        if not isinstance(out, pathlib.Path):
            out = self.save(f"{task}_{name.replace(' ', '_')}", out, nib.load(truth).affine)
        psnr, ssim = self.score(truth, out)
        print(f"{task:11} {name:22} {psnr:6.2f} dB  SSIM {ssim:.3f}  {seconds:6.1f} s", flush=True)

    def enhance(self, task, kind, source, *more):
        out = self.folder / f"{task}_unmelt.nii.gz"
        command = [self.unmelt, "volumes", "enhance", str(source), "--task", kind, "--model", self.model]
        subprocess.run([*command, "--overwrite", "--output", str(out), *map(str, more)], check=True, capture_output=True)
        return out

    def noise(self, task, percent):
        sigma = percent / 100 * self.range
        a, b = (sigma * self.random.standard_normal(self.truth.shape) for _ in range(2))
        noisy = np.sqrt((self.truth + a) ** 2 + b**2)
        truth, source = self.save("truth", self.truth), self.save(task, noisy)
        self.row(task, truth, "input", lambda: noisy)
        shifted = np.sqrt(np.maximum(noisy**2 - sigma**2 / 2, 0))
        means = dict(h=0.6 * sigma, sigma=sigma, patch_size=3, patch_distance=4, fast_mode=True)
        self.row(task, truth, "non-local means", lambda: denoise_nl_means(shifted, **means))
        try:
            import bm4d  # noqa: F401

            self.row(task, truth, "BM4D", lambda: bm4d_of_rician(noisy, sigma))
        except ImportError:
            pass
        more = ("--sigma", sigma, "--noise", "rician")
        self.row(task, truth, "unmelt", lambda: self.enhance(task, "denoise", source, *more))

    def slices(self, task, ratio):
        kept = tuple(slice(0, n // r * r) for n, r in zip(self.truth.shape, ratio))
        fine = self.truth[kept]
        affine = self.affine.copy()
        affine[:3, :3] *= ratio
        affine[:3, 3] += self.affine[:3, :3] @ (np.subtract(ratio, 1) / 2)
        coarse = box(fine, ratio)
        truth, source = self.save(f"{task}_truth", fine), self.save(task, coarse, affine)
        self.row(task, truth, "cubic", lambda: cubic(coarse, ratio))
        self.row(task, truth, "cubic, back-projection", lambda: back_projected(coarse, ratio))
        spacing = ",".join(str(v) for v in nib.affines.voxel_sizes(self.affine))
        more = ("--spacing", spacing)
        self.row(task, truth, "unmelt", lambda: self.enhance(task, "super-resolve", source, *more))

    def filled(self, task, missing, names):
        holed = np.where(missing, 0, self.truth)
        truth, source = self.save("truth", self.truth), self.save(task, holed)
        mask = self.save(f"{task}_mask", missing)
        for name, method in names.items():
            self.row(task, truth, name, lambda: method(holed, missing))
        self.row(task, truth, "unmelt", lambda: self.enhance(task, "inpaint", source, "--mask", mask))

    def holes(self, task):
        places = np.argwhere(self.foreground)
        missing = np.zeros(self.truth.shape, bool)
        while (missing & self.foreground).sum() < 0.05 * self.foreground.sum():
            centre, radius = places[self.random.integers(len(places))], self.random.uniform(5, 10, 3)
            low = np.maximum(np.floor(centre - radius).astype(int), 0)
            high = np.minimum(np.ceil(centre + radius).astype(int) + 1, self.truth.shape)
            at = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), -1)
            missing[tuple(map(slice, low, high))] |= (((at - centre) / radius) ** 2).sum(-1) <= 1
        self.filled(task, missing, {"biharmonic": biharmonic})

    def top(self, task):
        rows = np.flatnonzero(self.foreground.any((0, 1)))
        missing = np.zeros(self.truth.shape, bool)
        missing[:, :, int(rows[-1] - 0.2 * (rows[-1] - rows[0] + 1)) + 1 :] = True
        self.filled(task, missing, {"harmonic": harmonic})

    def kspace(self, task):
        count = self.truth.shape[1]
        middle = round(0.08 * count)
        lines = np.zeros(count, bool)
        lines[(np.arange(middle) - middle // 2) % count] = True
        rest = np.flatnonzero(~lines)
        lines[self.random.choice(rest, round(count / 4) - middle, replace=False)] = True
        sampled = np.fft.fft2(self.truth, axes=(0, 1)) * lines[None, :, None]
        zero_filled = np.fft.ifft2(sampled, axes=(0, 1)).real
        truth, source = self.save("truth", self.truth), self.save(task, zero_filled)
        pattern = np.broadcast_to(np.fft.fftshift(lines)[None, :, None], (self.truth.shape[0], count, 2))
        mask = self.save(f"{task}_mask", pattern)
        self.row(task, truth, "zero-filled", lambda: zero_filled)
        scale = self.range
        self.row(task, truth, "total variation", lambda: total_variation(zero_filled, lines, scale))
        self.row(task, truth, "unmelt", lambda: self.enhance(task, "kspace", source, "--mask", mask))

    def run(self, task):
        # Each task has its own numbers, whichever others are run.
        self.random = np.random.default_rng(TASKS.index(task))
        if task.startswith("noise"):
            self.noise(task, int(task.removeprefix("noise")))
        elif task in SLICES:
            self.slices(task, SLICES[task])
        else:
            getattr(self, task)(task)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("truth", type=pathlib.Path)
    parser.add_argument("--unmelt", default="target/release/unmelt")
    parser.add_argument("--model", default="brain-mri")
    parser.add_argument("--tasks", default=",".join(TASKS), help="a part of: %(default)s")
    parser.add_argument("--folder", type=pathlib.Path, help="keep what was made here")
    options = parser.parse_args()
    tasks = options.tasks.split(",")
    if unknown := set(tasks) - set(TASKS):
        sys.exit(f"no such task: {', '.join(sorted(unknown))}; there are: {', '.join(TASKS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        case = Case(options.truth, options.unmelt, options.model, folder)
        for task in tasks:
            case.run(task)


if __name__ == "__main__":
    main()
