"""The picture of scans on the first page: before and after, beside the truth.

    python3 docs/pictures/scans.py sub-42_T1.nii.gz --unmelt target/release/unmelt

The scan is the T1 of a subject of OpenNeuro ds002748 (CC0), without its skull, at 1 mm; the model was not trained on
it. A block of it is degraded and given to the program with its defaults:

    unmelt volumes enhance noisy.nii.gz --task denoise --sigma SIGMA --noise rician --output denoised.nii.gz
    unmelt volumes enhance thick.nii.gz --task super-resolve --spacing 1 --output fine.nii.gz

Above: Rician noise of 7 % of the range (0.5 to 99.5 percentile), numpy's generator, seed 0. Below: means over four
slices. PSNR is that of `unmelt volumes evaluate`, in the foreground of the block. Needs numpy, nibabel and matplotlib.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

HERE = pathlib.Path(__file__).parent
BLOCK = (112, 136, 48)


def psnr(unmelt, truth, out):
    said = subprocess.run([unmelt, "volumes", "evaluate", truth, out, "--json"], check=True, capture_output=True)
    return json.loads(said.stdout)["result"][0]["foreground"]["psnr"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scan", type=pathlib.Path)
    parser.add_argument("--unmelt", default="target/release/unmelt")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "scans.png")
    parser.add_argument("--folder", type=pathlib.Path, help="keep what was made here, and use what is there")
    options = parser.parse_args()
    whole = np.asarray(nib.load(options.scan).dataobj, np.float32)
    start = [(n - b) // 2 for n, b in zip(whole.shape, BLOCK)]
    truth = whole[tuple(slice(s, s + b) for s, b in zip(start, BLOCK))]
    low, high = np.percentile(truth, [0.5, 99.5])
    sigma = 0.07 * (high - low)
    a, b = sigma * np.random.default_rng(0).standard_normal((2, *BLOCK))
    coarse = np.diag([1.0, 1.0, 4.0, 1.0])
    coarse[2, 3] = 1.5
    thick = truth.reshape(*BLOCK[:2], BLOCK[2] // 4, 4).mean(-1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)

        def save(name, x, affine):
            nib.save(nib.Nifti1Image(np.asarray(x, np.float32), affine), folder / f"{name}.nii.gz")
            return folder / f"{name}.nii.gz"

        def enhance(name, source, *more):
            out = folder / f"{name}.nii.gz"
            if not out.exists():
                subprocess.run([options.unmelt, "volumes", "enhance", source, "--output", out, *more], check=True)
            return out

        true = save("truth", truth, np.eye(4))
        noisy = save("noisy", np.hypot(truth + a, b), np.eye(4))
        slices = save("thick", thick, coarse)
        denoised = enhance("denoised", noisy, "--task", "denoise", "--sigma", str(sigma), "--noise", "rician")
        fine = enhance("fine", slices, "--task", "super-resolve", "--spacing", "1")
        shown = save("repeated", np.repeat(thick, 4, 2), np.eye(4))
        panels = [
            ("noise of 7 %", noisy, 2),
            ("unmelt", denoised, 2),
            ("truth", true, 2),
            ("slices of 4 mm", shown, 0),
            ("unmelt, 1 mm", fine, 0),
            ("truth, 1 mm", true, 0),
        ]
        figure = plt.figure(figsize=(9.6, 5.9), facecolor="white")
        rows = figure.add_gridspec(2, 3, height_ratios=[BLOCK[1] / BLOCK[0], BLOCK[2] / BLOCK[1]], wspace=0.03, hspace=0.12)
        for cell, (title, path, axis) in zip(rows, panels):
            x = np.asarray(nib.load(path).dataobj)
            # An axial slice, the front at the top and the right of the patient at the left; a sagittal one, the front at the right.
            x = x[::-1, :, BLOCK[2] // 2] if axis == 2 else x[BLOCK[0] // 2 - 16]
            plot = figure.add_subplot(cell)
            plot.imshow(x.T, cmap="gray", vmin=0, vmax=high, origin="lower", interpolation="nearest")
            value = "" if path is true else f": {psnr(options.unmelt, true, path):.1f} dB"
            plot.set_title(title + value, fontsize=10)
            plot.text(*((0.02, 0.5, "R") if axis == 2 else (0.95, 0.05, "A")), color="white", transform=plot.transAxes)
            plot.axis("off")
        figure.savefig(options.output, dpi=100, bbox_inches="tight", pad_inches=0.05)


if __name__ == "__main__":
    main()
