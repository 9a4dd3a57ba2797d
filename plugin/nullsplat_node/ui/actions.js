// SPDX-License-Identifier: AGPL-3.0-or-later
// Actions: run, retry, run again, cancel, change the priority, pause. Those with a cost ask for confirmation.

import { NodeError, postJson } from './api.js';
import { announce, element } from './dom.js';

const LABELS = { run: 'Run', again: 'Run again', release: 'Retry', deliver: 'Send again', cancel: 'Cancel' };
const BY_STATE = {  // what the same actions mean for a result that is held back, or on its way
  held: { deliver: 'Pass on', cancel: 'Do not send' },
  routing: { cancel: 'Stop sending' },
};
const PRIORITIES = { stat: 'Urgent', normal: 'Normal', night: 'Low (night)' };
const QUESTIONS = {
  cancel: ['Cancel this series?', 'The work done so far is discarded. The series can be run again later.', 'Cancel the work', 'Leave it running'],
  pause: ['Pause the queue?', 'Running jobs finish. No other job starts, on any machine, until someone resumes the queue.', 'Pause', 'Do not pause'],
  'held deliver': ['Pass this result on?', 'It is sent to its destinations although it exceeds the limits of its rule. The reason stays on its page.', 'Pass it on', 'Keep it back'],
  'held cancel': ['Leave this result here for good?', 'It stays in this archive and is sent nowhere.', 'Do not send it', 'Decide later'],
  'routing cancel': ['Stop sending this result?', 'It stays in this archive. What has arrived at a destination stays there; the rest is not sent.', 'Stop sending', 'Keep sending'],
  again: ['Run this series again?', 'A new attempt makes a new result; results of earlier attempts stay in the archive.', 'Run again', 'Do not run'],
};

/** Return the buttons for a series; `done` is called after the node did what was asked. */
export function actionButtons(row, name, done) {
  return (row.actions || []).map((action) => {
    const label = BY_STATE[row.state]?.[action] || LABELS[action] || action;
    const question = QUESTIONS[`${row.state} ${action}`] || QUESTIONS[action];
    return element('button', {
      type: 'button', className: action === 'cancel' ? 'danger' : '', textContent: label,
      'aria-label': `${label}: ${name}`, 'data-focus': `${action} ${row.series}`, 'data-action': action,
      onclick: (event) => act(event.currentTarget, { series: row.series, action, label, question }, name, done),
    });
  });
}

/** Return the control for the priority of a queued series; nothing for others. */
export function priorityChoice(row, name, done) {
  if (!row.movable) { return null; }
  const options = Object.entries(PRIORITIES).map(([value, textContent]) => element('option', { value, textContent, selected: value === row.priority }));
  return element('select', {
    'aria-label': `Priority of ${name}`, 'data-focus': `priority ${row.series}`, 'data-action': 'priority',
    onchange: ({ currentTarget }) => ask(currentTarget, `nullsplat/series/${row.series}`, { action: 'priority', priority: currentTarget.value },
      `Priority of ${name}: ${PRIORITIES[currentTarget.value]}`, done),
  }, options);
}

/** Return the button that pauses the engine's queue, or lets it go on. */
export function pauseButton(paused, done) {
  const action = paused ? 'resume' : 'pause';
  return element('button', {
    type: 'button', textContent: paused ? 'Resume the queue' : 'Pause the queue', 'data-focus': 'pause', 'data-action': action,
    onclick: async ({ currentTarget }) => {
      if (paused || await confirmed(...QUESTIONS.pause, '')) {
        await ask(currentTarget, 'nullsplat/queue', { action }, paused ? 'The queue has resumed' : 'The queue is paused', done);
      }
    },
  });
}

async function act(button, { series, action, label, question }, name, done) {
  if (question && !(await confirmed(...question, name))) { return; }
  await ask(button, `nullsplat/series/${series}`, { action }, `${label}: ${name}`, done);
}

async function ask(button, path, body, words, done) {
  const focused = document.activeElement === button;
  button.disabled = true;  // which takes the focus away
  try {
    await postJson(path, body);
    announce(`${words}. Done.`);
  } catch (error) {
    if (!(error instanceof NodeError)) { throw error; }
    await tell('This could not be done', error.message);
  } finally {
    button.disabled = false;
    if (focused) { document.querySelector(`[data-focus="${CSS.escape(button.dataset.focus)}"]`)?.focus(); }
    done();
  }
}

/** Ask and return whether the answer is yes; Escape means no. */
function confirmed(title, text, yes, no, name) {
  const buttons = [element('button', { value: 'no', textContent: no, autofocus: true }), element('button', { value: 'yes', className: 'danger', textContent: yes })];
  return show(title, [name, text].filter(Boolean), buttons).then((answer) => answer === 'yes');
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
