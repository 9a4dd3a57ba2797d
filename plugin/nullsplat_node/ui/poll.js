// SPDX-License-Identifier: AGPL-3.0-or-later
// Polling: often while something changes, seldom while nothing does, with backoff while there is no answer.

const LONGEST = 60000;  // ms

/** Polls until it is stopped.
 *
 * ask: returns a promise of an answer.
 * onAnswer: takes the answer and returns after how many ms to ask again.
 * onError: takes the error and the ms until the next try.
 */
export class Poller {
  constructor(ask, onAnswer, onError) {
    Object.assign(this, { ask, onAnswer, onError, failures: 0, timer: null, request: 0 });
    this.seen = () => { if (!document.hidden) { this.now(); } };
    document.addEventListener('visibilitychange', this.seen);
  }

  /** Ask at once. */
  async now() {
    const request = ++this.request;
    clearTimeout(this.timer);
    let wait;
    try {
      const answer = await this.ask();
      if (request !== this.request) { return; }  // superseded, or stopped
      this.failures = 0;
      wait = this.onAnswer(answer);
    } catch (error) {
      if (request !== this.request) { return; }
      wait = Math.min(LONGEST, 2000 * 2 ** this.failures++);
      this.onError(error, wait);
    }
    this.timer = setTimeout(() => { if (!document.hidden) { this.now(); } }, wait);
  }

  /** Stop polling. */
  stop() {
    this.request++;
    clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.seen);
  }
}
