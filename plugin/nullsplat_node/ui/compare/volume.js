// SPDX-License-Identifier: AGPL-3.0-or-later
// The slices of one series: fetched when they are looked at, or all of them where a reformat cuts through them.
//
// They are kept as they were stored, two bytes for a sample: 512 x 512 x 660 are 350 MB. Of a series that takes more than
// BUDGET, every second (third, ...) row and column is kept for the reformats, and the slices looked at last as they are.

import { loadImage, tagsOfSeries, thinned } from './pixels.js';

const AT_ONCE = 4;  // of the six connections that a browser opens to a node; two are left for what is being looked at
const BUDGET = 400e6;  // bytes
const KEPT = 48;  // whole slices of a series over budget

/** A series that is sorted along a normal. */
export class Volume {
  /** stack: normal and slices, see `loadStack`; budget: bytes that all of them may take. */
  constructor(series, { normal, slices }, budget = BUDGET) {
    Object.assign(this, { series, normal, slices, budget, images: slices.map(() => null), recent: new Map(), asked: new Map(), tags: {}, step: 1, arrived: 0, stopped: false });
    this.positions = slices.map((slice) => slice.position);
  }

  get count() { return this.slices.length; }

  get complete() { return this.arrived === this.count; }

  /** Return what is kept of a slice, whole if it is, null while nothing has come. */
  at(index) { return this.recent.get(index) ?? this.images[index] ?? null; }

  /** Return a promise of a slice's image, whole. */
  async image(index) {
    const kept = this.step > 1 ? this.recent.get(index) : this.images[index];
    const image = kept || await this.fetch(index);
    if (this.step > 1) { this.remember(index, image); }
    return image;
  }

  remember(index, image) {
    this.recent.delete(index);  // the one looked at last stands last
    this.recent.set(index, image);
    if (this.recent.size > KEPT) { this.recent.delete(this.recent.keys().next().value); }
  }

  fetch(index) {
    if (!this.asked.has(index)) { this.asked.set(index, this.load(index).finally(() => this.asked.delete(index))); }
    return this.asked.get(index);
  }

  async load(index) {
    const slice = this.slices[index];
    const image = await loadImage(slice, this.tags[slice.instance]);
    this.step = Math.ceil(Math.sqrt(2 * image.rows * image.columns * this.count / this.budget));
    if (!this.images[index]) { this.arrived++; }
    this.images[index] = this.step > 1 ? thinned(image, this.step) : image;
    return image;
  }

  /** Fetch every slice, coarse steps first; `loaded` is called whenever one has come. */
  async loadAll(loaded) {
    if (this.stopped || this.complete) { return; }
    this.tags = await tagsOfSeries(this.series);
    const left = coarseToFine(this.count).filter((index) => !this.images[index]);
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.work(left, loaded)));
  }

  async work(left, loaded) {
    while (left.length && !this.stopped) {
      await this.fetch(left.shift());
      loaded();
    }
  }

  /** Fetch no more. */
  stop() { this.stopped = true; }

  /** Return the kept slice nearest to a place, null where none has come yet. */
  nearestTo(index) {
    for (let away = 0; away < this.count; away++) {
      const found = this.at(index - away) || this.at(index + away);
      if (found) { return found; }
    }
    return null;
  }
}

/** Return 0 to count - 1, every 16th first, then those half-way between, and so on. */
export function coarseToFine(count) {
  const steps = [16, 8, 4, 2, 1];
  const rank = (index) => steps.findIndex((step) => index % step === 0);
  return Array.from({ length: count }, (_, index) => index).sort((a, b) => rank(a) - rank(b) || a - b);
}
