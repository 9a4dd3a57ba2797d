// SPDX-License-Identifier: AGPL-3.0-or-later
// Building and updating the page. All that comes from the server is set as text, never as HTML.

/** Return a new element: properties by name, `aria-`, `data-` and `role` as attributes, then its children. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) { setProperty(made, name, value); }
  made.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return made;
}

function setProperty(target, name, value) {
  if (value === null || value === undefined) { return; }
  if (/^(aria-|data-)|^(role|for|scope|colspan|list)$/.test(name)) {
    target.setAttribute(name, value);
  } else {
    target[name] = value;
  }
}

/** Set text only where it differs, so that nothing flickers and a selection survives. */
export function setText(target, text) {
  if (target.textContent !== text) { target.textContent = text; }
}

/** Make the children of `parent` be `items`, in that order, reusing the element of an item that was there before. */
export function syncChildren(parent, items, keyOf, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    before.delete(key);
    update(child, item);
    if (child === place) { place = place.nextElementSibling; continue; }
    const focused = document.activeElement;
    parent.insertBefore(child, place);
    if (child.contains(focused)) { focused.focus({ preventScroll: true }); }  // which the move took away
  }
  for (const left of before.values()) { left.remove(); }
}

/** Put `children` in place of what is there, unless `state` is what was drawn last. */
export function redrawIfChanged(target, state, draw) {
  const drawn = JSON.stringify(state);
  if (target.dataset.drawn === drawn) { return; }
  const active = document.activeElement;
  const label = target.contains(active) ? active.dataset.focus : null;
  target.replaceChildren(...draw().filter(Boolean));
  target.dataset.drawn = drawn;
  if (label) { target.querySelector(`[data-focus="${CSS.escape(label)}"]`)?.focus(); }
}

/** Say something to people who do not see the page. */
export function announce(text) { setText(document.getElementById('announcement'), text); }
