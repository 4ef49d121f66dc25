import { colormap, COLOURS, OPAQUE_FROM, type Colours } from './colours.ts';
import { DRAG_MODE, type NVImage, Niivue, SHOW_RENDER, SLICE_TYPE } from '@niivue/niivue';

export type Plane = 'axial' | 'coronal' | 'sagittal' | 'all';

export interface PanelVolume {
  url: string;
  colours: 'gray' | Colours;
  /** Colours below zero; none where the values have one sign. */
  coloursBelow?: Colours;
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
    crosshairWidth: 0.3,
    crosshairWidthUnit: 'percent',
    crosshairGap: 3,
    showAllOrientationMarkers: true,
    fontColor: [0.75, 0.85, 0.9, 1],
    isRadiologicalConvention: true,
    isColorbar: false,
    isOrientCube: false,
    multiplanarShowRender: SHOW_RENDER.NEVER,
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
  for (const name of Object.keys(COLOURS) as Colours[]) niivue.addColormap(name, colormap(name));
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
    step: (right, front, top) => niivue.moveCrosshairInVox(right, front, top),
    follow: (other) => other.niivue.broadcastTo(niivue, { '2d': true, '3d': true }),
    end: () => niivue.cleanup(),
  };
}

/** A `COLORMAP_TYPE` of niivue, which it does not export: the opacity of volumes rises with the square up to `cal_min`. */
const TRANSLUCENT = 1 as NVImage['colormapType'];

/** Gives an overlay the same colours for the same size above and below zero, up to `most`. */
export function setOverlayRange(panel: Panel, overlay: number, most: number) {
  const volume = panel.niivue.volumes[overlay];
  if (volume === undefined) return;
  volume.colormapType = TRANSLUCENT;
  volume.cal_min = most * OPAQUE_FROM;
  volume.cal_max = most;
  if (volume.colormapNegative !== '') {
    volume.cal_minNeg = -most;
    volume.cal_maxNeg = -most * OPAQUE_FROM;
  }
  panel.niivue.updateGLVolume();
}
