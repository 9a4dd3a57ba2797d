// SPDX-License-Identifier: AGPL-3.0-or-later
// Asking again and again: soon while something moves, seldom while nothing does, ever more seldom while nobody answers.

const LONGEST = 60000;  // ms

/** Asks until it is stopped.
 *
 * ask: returns a promise of an answer.
 * onAnswer: takes the answer and returns after how many ms to ask again.
 * onTrouble: takes the error and the ms until the next try.
 */
export class Poller {
  constructor(ask, onAnswer, onTrouble) {
    Object.assign(this, { ask, onAnswer, onTrouble, failures: 0, timer: null, round: 0 });
    this.seen = () => { if (!document.hidden) { this.now(); } };
    document.addEventListener('visibilitychange', this.seen);
  }

  /** Ask at once. */
  async now() {
    const round = ++this.round;
    clearTimeout(this.timer);
    let wait;
    try {
      const answer = await this.ask();
      if (round !== this.round) { return; }  // asked again meanwhile, or stopped
      this.failures = 0;
      wait = this.onAnswer(answer);
    } catch (error) {
      if (round !== this.round) { return; }
      wait = Math.min(LONGEST, 2000 * 2 ** this.failures++);
      this.onTrouble(error, wait);
    }
    this.timer = setTimeout(() => { if (!document.hidden) { this.now(); } }, wait);
  }

  /** Ask no more. */
  stop() {
    this.round++;
    clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.seen);
  }
}
