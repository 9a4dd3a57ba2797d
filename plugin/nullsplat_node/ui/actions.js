// SPDX-License-Identifier: AGPL-3.0-or-later
// What a person may ask for: run, again, cancel. The two that cost something ask first.

import { NodeTrouble, postJson } from './api.js';
import { announce, element } from './dom.js';

const LABELS = { run: 'Run', again: 'Run again', cancel: 'Cancel' };
const QUESTIONS = {
  cancel: ['Cancel this series?', 'The work that was done so far is thrown away. It can be run again later.', 'Cancel the work', 'Leave it running'],
  again: ['Run this series again?', 'A new attempt makes a new result; results of earlier attempts stay in the archive.', 'Run again', 'Do not run'],
};

/** Return the buttons for a series; `done` is called after the node did what was asked. */
export function actionButtons(row, name, done) {
  return (row.actions || []).map((action) => element('button', {
    type: 'button', className: action === 'cancel' ? 'danger' : '', textContent: LABELS[action] || action,
    'aria-label': `${LABELS[action] || action}: ${name}`, 'data-focus': `${action} ${row.series}`, 'data-action': action,
    onclick: (event) => act(event.currentTarget, row.series, action, name, done),
  }));
}

async function act(button, series, action, name, done) {
  if (QUESTIONS[action] && !(await confirmed(...QUESTIONS[action], name))) { return; }
  button.disabled = true;
  try {
    await postJson(`nullsplat/series/${series}`, { action });
    announce(`${LABELS[action]}: ${name}. Done.`);
  } catch (error) {
    if (!(error instanceof NodeTrouble)) { throw error; }
    await tell('This could not be done', error.message);
  } finally {
    button.disabled = false;
    done();
  }
}

/** Ask and return whether the answer is yes; Escape means no. */
function confirmed(title, text, yes, no, name) {
  const buttons = [element('button', { value: 'no', textContent: no, autofocus: true }), element('button', { value: 'yes', className: 'danger', textContent: yes })];
  return show(title, [name, text], buttons).then((answer) => answer === 'yes');
}

function tell(title, text) { return show(title, [text], [element('button', { value: 'no', textContent: 'Close' })]); }

function show(title, lines, buttons) {
  const dialog = element('dialog', { 'aria-labelledby': 'dialog-title' },
    element('form', { method: 'dialog' }, element('h2', { id: 'dialog-title', textContent: title }),
      lines.map((line) => element('p', { textContent: line })), element('p', { className: 'buttons' }, buttons)));
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => { dialog.remove(); resolve(dialog.returnValue); });
    dialog.showModal();
  });
}
