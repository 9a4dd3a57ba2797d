// SPDX-License-Identifier: AGPL-3.0-or-later
// Planes through a stack of slices, and the values of series on them.
// A plane is a list of slices (ks), rows (ys) and columns (xs) of the leading stack, one of them with a single index.

import { betweenPixels } from './axes.js';
import { dot } from '../stack.js';

export const PLANES = { axial: 'Axial', coronal: 'Coronal', sagittal: 'Sagittal' };
const AXIS = { axial: 'k', coronal: 'y', sagittal: 'x' };

/** The grid that everything is shown on: the leading series', once its first image is known. */
export class Grid {
  constructor(volume, image) {
    const { rows, columns, spacing, orientation } = image;
    Object.assign(this, { rows, columns, spacing, orientation, normal: volume.normal, positions: volume.positions });
    this.origins = volume.slices.map((slice) => slice.origin);
    this.headUp = volume.normal.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0) > 0;
  }

  get sliceSpacing() {
    const { positions } = this;
    return positions.length > 1 ? (positions.at(-1) - positions[0]) / (positions.length - 1) : 1;
  }

  /** Return how many planes of a name there are. */
  count(name) { return { axial: this.positions.length, coronal: this.rows, sagittal: this.columns }[name]; }

  /** Return the plane of a name through the voxel `at` (k, y, x). */
  plane(name, at) {
    const all = { k: range(this.positions.length, name !== 'axial' && this.headUp), y: range(this.rows), x: range(this.columns) };
    all[AXIS[name]] = Int32Array.of(at[AXIS[name]]);
    const [down, across] = name === 'axial' ? ['y', 'x'] : ['k', name === 'coronal' ? 'x' : 'y'];
    return {
      name, ks: all.k, ys: all.y, xs: all.x, down, across, rows: all[down].length, columns: all[across].length, lines: { down: all[down], across: all[across] },
      spacing: [this.lengthOf(down), this.lengthOf(across)], orientation: [...this.along(across), ...this.along(down)],
      origin: this.origins[name === 'axial' ? at.k : 0],
    };
  }

  lengthOf(axis) { return { k: this.sliceSpacing, y: this.spacing[0], x: this.spacing[1] }[axis]; }

  along(axis) {
    if (axis === 'k') { return this.normal.map((one) => (this.headUp ? -one : one)); }
    return axis === 'y' ? this.orientation.slice(3, 6) : this.orientation.slice(0, 3);
  }
}

function range(count, reversed = false) { return Int32Array.from({ length: count }, (_, index) => (reversed ? count - 1 - index : index)); }

/** Reads images on the planes of a grid. */
export class Sampler {
  constructor(grid) {
    this.grid = grid;
    this.known = new Map();
  }

  /** Return how rows and columns of the grid lie on an image. */
  maps(image, origin) {
    const shift = origin.map((value, axis) => value - image.origin[axis]);
    const [x, y] = [dot(shift, this.grid.orientation.slice(0, 3)), dot(shift, this.grid.orientation.slice(3, 6))];
    const key = [x.toFixed(3), y.toFixed(3), image.rows, image.columns, ...image.spacing].join();
    if (!this.known.has(key)) { this.known.set(key, this.makeMaps(image, x, y)); }
    return this.known.get(key);
  }

  makeMaps(image, x, y) {
    const { orientation, spacing, rows, columns } = this.grid;
    if (!image.orientation.every((value, index) => Math.abs(value - orientation[index]) < 1e-3)) {
      throw new Error('the two series lie in different orientations, so they cannot be compared pixel by pixel');
    }
    const maps = { rows: betweenPixels(rows, spacing[0], y, image.rows, image.spacing[0]), columns: betweenPixels(columns, spacing[1], x, image.columns, image.spacing[1]) };
    return { ...maps, exact: [maps.rows, maps.columns].every(({ weight }) => weight.every((one) => !one || one === 1)) };
  }

  /** Return the HU of the nearest pixels, NaN where there are none; `imageOf` returns the image for a slice of the grid, or null. */
  nearest(plane, imageOf) {
    return this.fill(plane, (k, into) => {
      const image = imageOf(k);
      if (image) { copyNearest(image, this.maps(image, plane.origin), plane, into); }
    });
  }

  /** Return trilinearly interpolated HU; `pairOf` returns two images and the weight of the second for a slice of the grid, or null. */
  trilinear(plane, pairOf) {
    const second = new Float32Array(plane.ys.length * plane.xs.length);
    return this.fill(plane, (k, into) => {
      const pair = pairOf(k);
      if (!pair) { return; }
      copyBilinear(pair.low, this.maps(pair.low, plane.origin), plane, into);
      if (!pair.weight) { return; }
      copyBilinear(pair.high, this.maps(pair.high, plane.origin), plane, second);
      for (let index = 0; index < into.length; index++) { into[index] += pair.weight * (second[index] - into[index]); }
    });
  }

  /** Return the values of a plane; `copy` is called with each slice's index and its part of them. */
  fill({ ks, ys, xs }, copy) {
    const run = ys.length * xs.length;
    const values = new Float32Array(ks.length * run).fill(NaN);
    ks.forEach((k, index) => copy(k, values.subarray(index * run, (index + 1) * run)));
    return values;
  }
}

// The loops below run for every pixel of every plane that is drawn: plain loops, nothing made inside them.

function copyNearest({ values, slope, intercept, columns: width }, { rows, columns }, { ys, xs }, into) {
  let next = 0;
  for (let row = 0; row < ys.length; row++) {
    const start = rows.near[ys[row]] * width;
    for (let column = 0; column < xs.length; column++, next++) {
      const from = columns.near[xs[column]];
      into[next] = start < 0 || from < 0 ? NaN : values[start + from] * slope + intercept;
    }
  }
}

function copyBilinear(image, maps, plane, into) {
  if (maps.exact) { copyNearest(image, maps, plane, into); return; }
  const { values, slope, intercept, columns: width } = image;
  const { rows, columns } = maps;
  let next = 0;
  for (const y of plane.ys) {
    const [start, down] = [rows.low[y] * width, rows.weight[y]];
    const under = down ? start + width : start;
    for (let column = 0; column < plane.xs.length; column++, next++) {
      const x = plane.xs[column];
      const [from, right] = [columns.low[x], columns.weight[x]];
      const to = right ? from + 1 : from;
      const upper = values[start + from] + right * (values[start + to] - values[start + from]);
      const lower = values[under + from] + right * (values[under + to] - values[under + from]);
      into[next] = start < 0 || from < 0 ? NaN : (upper + down * (lower - upper)) * slope + intercept;
    }
  }
}
