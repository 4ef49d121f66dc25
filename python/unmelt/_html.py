"""Molecules and volumes as HTML, for the output of a notebook."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from ._extras import extra
from ._planes import Plane, planes, window
from ._unmelt import Molecule, Volume

#: Molecules of a table.
_ROWS = 8
#: Larger molecules are not drawn: their layout takes too long.
_DRAWN_ATOMS = 250
#: Longer names and SMILES are cut.
_LETTERS = 120
#: Longest side of a slice's picture, in pixels of the picture and on the page.
_PIXELS = 440
_SHOWN_PIXELS = 220

_MARK = "position:absolute;color:#fff;font:bold 12px sans-serif;text-shadow:0 0 3px #000;"


def molecules_table(molecules: Sequence[Molecule]) -> str:
    """The first molecules as a table: structural formulas by RDKit where it is there, formula, SMILES, atoms, validity."""
    first = molecules[:_ROWS]
    drawings = _drawings(first)
    head = ["", *([] if drawings is None else ["structure"]), "name", "formula", "SMILES", "atoms", "valid", "connected"]
    rows = []
    for k, one in enumerate(first):
        cells = [one.name, one.formula, one.smiles, str(len(one)), _yes(one.is_valid), _yes(one.is_connected)]
        cells = [f"<td>{escape(text if len(text) <= _LETTERS else text[:_LETTERS] + '…')}</td>" for text in cells]
        picture = [] if drawings is None else [f"<td>{drawings[k]}</td>"]
        rows.append(f"<tr><th>{k}</th>{''.join([*picture, *cells])}</tr>")
    count = f"{len(molecules)} molecule{'' if len(molecules) == 1 else 's'}"
    note = f"{count}, the first {len(first)} shown" if len(molecules) > len(first) else count
    titles = "".join(f"<th>{title}</th>" for title in head)
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return f"<div><p>{note}</p>{table}</div>"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _drawings(molecules: Sequence[Molecule]) -> list[str] | None:
    """A picture of each molecule; None without RDKit."""
    try:
        chem, draw = extra("rdkit.Chem"), extra("rdkit.Chem.Draw.rdMolDraw2D")
    except ImportError:
        return None
    return [_drawing(chem, draw, one) for one in molecules]


def _drawing(chem: Any, draw: Any, one: Molecule) -> str:
    if len(one) > _DRAWN_ATOMS:
        return "too large to draw"
    source = _structure(chem, draw, one)
    return "not drawn by RDKit" if source is None else _image(source, f"structure of {one.formula}", "background:#fff")


def structure(one: Molecule) -> str | None:
    """The address of a picture of the structure, which holds the picture itself; None where RDKit is missing or cannot draw it."""
    try:
        chem, draw = extra("rdkit.Chem"), extra("rdkit.Chem.Draw.rdMolDraw2D")
    except ImportError:
        return None
    return _structure(chem, draw, one) if len(one) <= _DRAWN_ATOMS else None


def _structure(chem: Any, draw: Any, one: Molecule) -> str | None:
    # What RDKit refuses is told by the table, not by its log.
    quiet = extra("rdkit.rdBase").BlockLogs()
    try:
        canvas = draw.MolDraw2DSVG(160, 120)
        canvas.drawOptions().clearBackground = False
        draw.PrepareAndDrawMolecule(canvas, flat(chem, one, hydrogens=False), kekulize=False)
        canvas.FinishDrawing()
    except (ValueError, RuntimeError):
        return None
    finally:
        del quiet
    return _address("image/svg+xml", canvas.GetDrawingText().encode())


def flat(chem: Any, one: Molecule, hydrogens: bool) -> Any:
    """RDKit's molecule without positions, for a drawing; one that RDKit refuses is drawn as it is."""
    mol = one.to_rdkit(sanitize=False)
    try:
        chem.SanitizeMol(mol)
        mol = mol if hydrogens else chem.RemoveHs(mol)
    except chem.MolSanitizeException:
        mol.UpdatePropertyCache(strict=False)
    mol.RemoveAllConformers()
    return mol


def volume_slices(volume: Volume) -> str:
    """Three middle slices as pictures, with the sides of the patient marked, and what is known of the volume."""
    shown = planes(volume)
    low, high = window([plane.picture for plane in shown])
    largest = max(side for plane in shown for side in plane.size)
    figures = "".join(_figure(plane, low, high, _SHOWN_PIXELS / largest) for plane in shown)
    (i, j, k), (a, b, c) = volume.shape, volume.spacing
    caption = f"Volume, {i} × {j} × {k} voxels of {a:.2f} × {b:.2f} × {c:.2f} mm; values from {low:g} (black) to {high:g} (white)"
    return f'<div><div style="display:flex;flex-wrap:wrap;gap:6px;align-items:center">{figures}</div><p>{caption}</p></div>'


def _figure(plane: Plane, low: float, high: float, scale: float) -> str:
    step = [-(-n // _PIXELS) for n in plane.picture.shape]
    picture = plane.picture[:: step[0], :: step[1]]
    gray = np.clip((picture - low) / ((high - low) or 1.0), 0.0, 1.0)
    width, height = (max(round(side * scale), 1) for side in plane.size)
    style = f"width:{width}px;height:{height}px;display:block;max-width:none"
    source = _address("image/png", _png((gray * 255).round().astype(np.uint8)))
    image = _image(source, f"{plane.name} slice in the middle", style)
    places = {"left:3px;top:45%": plane.left, "right:3px;top:45%": plane.right, "left:47%;top:1px": plane.top, "left:47%;bottom:1px": plane.bottom}
    marks = "".join(f'<span style="{_MARK}{place}">{letter}</span>' for place, letter in places.items())
    return f'<div style="position:relative;background:#000" title="{plane.name}">{image}{marks}</div>'


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _image(source: str, text: str, style: str) -> str:
    return f'<img alt="{escape(text)}" style="{style}" src="{source}">'


def _png(gray: npt.NDArray[np.uint8]) -> bytes:
    """A picture in shades of gray as a PNG file."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = gray.shape
    # Each row begins with the number of its filter, 0 for none.
    rows = np.pad(gray, ((0, 0), (1, 0))).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
