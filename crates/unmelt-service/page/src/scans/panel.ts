import { DRAG_MODE, Niivue, SLICE_TYPE } from '@niivue/niivue';

export type Plane = 'axial' | 'coronal' | 'sagittal' | 'all';

export interface PanelVolume {
  url: string;
  /** "gray", or the colours of an overlay. */
  colours: string;
  /** Colours below zero; none where the values have one sign. */
  coloursBelow?: string;
}

/** Values of a panel's volumes where the crosshair is. */
export type Hear = (values: number[], mm: [number, number, number]) => void;

export interface Window {
  low: number;
  high: number;
}

/** Slices of a scan and of what lies over it. */
export interface Panel {
  setPlane: (plane: Plane) => void;
  setRadiological: (isRadiological: boolean) => void;
  /** Shows one of the overlays (from 1), or none of them (0). */
  setOverlay: (overlay: number, opacity: number) => void;
  setWindow: (window: Window) => void;
  /** Robust range of a volume, in its units. */
  range: (volume: number) => Window;
  /** CSS gradient of the colours of a name. */
  gradient: (colours: string, isTurned?: boolean) => string;
  /** Moves by voxels along right, front and top. */
  step: (right: number, front: number, top: number) => void;
  follow: (other: Panel) => void;
  readonly niivue: Niivue;
  end: () => void;
}

const PLANES: Record<Plane, SLICE_TYPE> = {
  axial: SLICE_TYPE.AXIAL,
  coronal: SLICE_TYPE.CORONAL,
  sagittal: SLICE_TYPE.SAGITTAL,
  all: SLICE_TYPE.MULTIPLANAR,
};

function volumeName(url: string): string {
  return url.split('?')[0]?.split('/').at(-1) ?? url;
}

/** Loads volumes into a canvas; the first one is the scan. */
export async function createPanel(
  canvas: HTMLCanvasElement,
  volumes: PanelVolume[],
  hear: Hear,
): Promise<Panel> {
  const niivue = new Niivue({
    backColor: [0, 0, 0, 1],
    crosshairColor: [0.2, 0.85, 0.85, 0.8],
    crosshairWidth: 0.8,
    fontColor: [0.75, 0.85, 0.9, 1],
    isRadiologicalConvention: true,
    isColorbar: false,
    isOrientCube: false,
    multiplanarShowRender: 0,
    dragAndDropEnabled: false,
    dragMode: DRAG_MODE.pan,
    loadingText: '',
  });
  niivue.onLocationChange = (location) => {
    const { values, mm } = location as { values: { value: number }[]; mm: Float32Array };
    hear(
      values.map(({ value }) => value),
      [mm[0] ?? 0, mm[1] ?? 0, mm[2] ?? 0],
    );
  };
  await niivue.attachToCanvas(canvas);
  await niivue.loadVolumes(
    volumes.map(({ url, colours, coloursBelow }, k) => ({
      url,
      name: volumeName(url),
      colormap: colours,
      opacity: k === 0 ? 1 : 0,
      ...(coloursBelow === undefined ? {} : { colormapNegative: coloursBelow }),
    })),
  );
  niivue.createOnLocationChange();

  const volume = (k: number) => niivue.volumes[k];
  return {
    niivue,
    setPlane: (plane) => {
      niivue.setSliceType(PLANES[plane]);
    },
    setRadiological: (isRadiological) => niivue.setRadiologicalConvention(isRadiological),
    setOverlay: (overlay, opacity) => {
      for (let k = 1; k < niivue.volumes.length; k += 1) niivue.setOpacity(k, k === overlay ? opacity : 0);
    },
    setWindow: ({ low, high }) => {
      const scan = volume(0);
      if (scan === undefined) return;
      scan.cal_min = low;
      scan.cal_max = high;
      niivue.updateGLVolume();
    },
    range: (k) => ({ low: volume(k)?.robust_min ?? 0, high: volume(k)?.robust_max ?? 1 }),
    gradient: (colours, isTurned = false) => {
      const table = niivue.colormap(colours);
      const stops = Array.from({ length: 17 }, (_, i) => {
        const at = Math.min(255, i * 16) * 4;
        return `rgb(${table[at] ?? 0} ${table[at + 1] ?? 0} ${table[at + 2] ?? 0})`;
      });
      return `linear-gradient(to right, ${(isTurned ? stops.reverse() : stops).join(', ')})`;
    },
    step: (right, front, top) => niivue.moveCrosshairInVox(right, front, top),
    follow: (other) => other.niivue.broadcastTo(niivue, { '2d': true, '3d': true }),
    end: () => niivue.cleanup(),
  };
}

/** Gives an overlay the same colours for the same size: from a part of `most` on, up to it. */
export function setOverlayRange(panel: Panel, overlay: number, most: number) {
  const volume = panel.niivue.volumes[overlay];
  if (volume === undefined) return;
  volume.cal_min = most * 0.12;
  volume.cal_max = most;
  if (volume.colormapNegative !== '') {
    volume.cal_minNeg = -most;
    volume.cal_maxNeg = -most * 0.12;
  }
  panel.niivue.updateGLVolume();
}
