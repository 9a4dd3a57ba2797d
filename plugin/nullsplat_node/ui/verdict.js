// SPDX-License-Identifier: AGPL-3.0-or-later
// What the figures of a run say, in words.

import { element } from './dom.js';

/** What agreement proves, and what it does not. */
export const MEANING = 'Agreement proves that averaging the result back to the scanner’s slices gives the measured ones, so nothing that was measured was lost; it does not prove that added detail is true.';

const UNFAMILIAR = 'Unlike what the network was trained on, so that added detail and intervals may be wrong:';

const CONTRADICTED = 'The data contradict the assumed slice profile, so that edges across slices may be wrong:';

const ROUNDING = 0.5;  // HU; a stored result has whole HU

/** Return whether the result agrees with the scan, and the sentence that says so; null where the figures are missing. */
export function verdict(report) {
  const { lr_consistency_rmse_hu: residual, noise_hu: noise, null_space_rms_hu: added } = report || {};
  if (typeof residual !== 'number') { return null; }
  const hu = (value) => value.toFixed(1);
  const agreement = typeof noise === 'number' ? against(residual, noise, hu) : { agrees: null, words: `Averaged back, it differs from the scan by ${hu(residual)} HU; the noise of the scan is not known` };
  const detail = `${Math.round(added)} HU rms of detail`;
  const more = typeof added !== 'number' ? '' : agreement.agrees ? `; that does not prove the ${detail} that were added` : `; ${detail} were added`;
  return { ...agreement, words: `${agreement.words}${more}.` };
}

function against(residual, noise, hu) {
  return residual <= Math.max(noise, ROUNDING)
    ? { agrees: true, words: `Agrees with the scan: averaged back, it differs by ${hu(residual)} HU, within the noise of ${hu(noise)} HU` }
    : { agrees: false, words: `Does not agree with the scan: averaged back, it differs by ${hu(residual)} HU, more than the noise of ${hu(noise)} HU` };
}

/** Return the verdict and its meaning as paragraphs; none where the figures are missing. */
export function verdictLines(report) {
  const found = verdict(report);
  if (!found) { return []; }
  const kind = { true: 'good', false: 'bad', null: 'open' }[found.agrees];
  const mark = { good: '✓ ', bad: '! ', open: '? ' }[kind];
  const { outside_training: outside, slice_profile: profile } = report;
  return [
    line(kind, mark, found.words),
    outside && line('bad', '! ', `${UNFAMILIAR} ${outside}.`),
    profile?.check?.verdict === 'contradicted' && line('bad', '! ', `${CONTRADICTED} ${profile.check.why}.`),
    element('p', { className: 'quiet', textContent: MEANING }),
  ].filter(Boolean);
}

function line(kind, mark, words) { return element('p', { className: `verdict ${kind}` }, element('span', { className: 'mark', 'aria-hidden': 'true', textContent: mark }), words); }
