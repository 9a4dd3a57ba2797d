// SPDX-License-Identifier: AGPL-3.0-or-later
// The keys of the comparison; they work wherever the focus is, but where something is typed or chosen.

import { stepOf } from './scrolling.js';
import { PLANES } from './planes.js';

const SLICES = '.scrolling input';

/** What the keys do, for people. */
export const KEYS = [
  ['Arrows, Page up and down, Home, End', 'go through the slices of the plane with the coloured edge'],
  ['A, C, S', 'that plane is the axial, coronal, sagittal one'],
  ['1 to 4', 'window preset'], ['X', 'side by side, or swipe'], ['M', 'marks on and off'], ['H', 'cross-hair on and off'],
  ['Wheel', 'goes through the slices of the plane under the pointer'], ['Click or drag', 'moves the cross-hair, and with it the other planes'],
  ['Touch', 'a finger sideways goes through the slices, a tap moves the cross-hair'],
];

/** Listen on the whole page; return what stops that. */
export function listenForKeys(view) {
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target, event.key) || document.querySelector('dialog[open]')) { return; }
    if (act(view, event.key)) { event.preventDefault(); }
  };
  document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}

/** Return whether a key belongs to what has the focus: fields and lists take all, the swipe slider what moves it. */
function isTyping(target, key) {
  if (target.matches?.(SLICES)) { return false; }
  if (target.matches?.('input[type=range]')) { return stepOf(key) !== 0; }
  return Boolean(target.closest?.('input, select, textarea'));
}

function act(view, key) {
  const plane = Object.keys(PLANES).find((name) => name[0] === key.toLowerCase());
  const others = {
    x: () => view.layout.toggle(), m: () => view.marking.toggle(), h: () => { view.hairs = !view.hairs; view.redraw(); },
  };
  if (stepOf(key)) { view.views[view.active].scrolling.by(stepOf(key)); return true; }
  if (plane) {
    if (document.activeElement?.matches(SLICES)) { view.views[plane].scrolling.slider.focus(); }
    view.activate(plane);
    return true;
  }
  if (others[key.toLowerCase()]) { others[key.toLowerCase()](); return true; }
  return view.windowing.key(key);
}
