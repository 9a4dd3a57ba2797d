// SPDX-License-Identifier: AGPL-3.0-or-later
// Requests to the node. Addresses are relative, so that a proxy may serve Orthanc under any prefix.

const ROOT = new URL('../../', document.baseURI);
const TIMEOUT = 20000;  // ms
const TIMEOUT_WITH_IMAGES = 180000;  // ms; an uncertainty map may have hundreds of MB

/** The node did not answer, or refused; the message is for people. */
export class NodeError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Return the address of a path of Orthanc's. */
export function address(path) { return new URL(path, ROOT).href; }

async function request(path, options, timeout = TIMEOUT) {
  let answer;
  try {
    answer = await fetch(address(path), {
      credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(timeout), ...options,
    });
  } catch (error) {
    const why = error.name === 'TimeoutError' ? `no answer within ${timeout / 1000} s` : 'no connection';
    throw new NodeError(`The node does not answer (${why}).`, 0);
  }
  if (!answer.ok) { throw new NodeError(await reason(answer), answer.status); }
  return answer;
}

async function reason(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text).error.message;
  } catch {
    return `The node answered HTTP ${answer.status} to ${new URL(answer.url).pathname}.`;
  }
}

/** Return the JSON at a path. */
export async function getJson(path) { return (await request(path)).json(); }

/** Return the bytes at a path. */
export async function getBytes(path, accept = '*/*') {
  const answer = await request(path, { headers: { Accept: accept }, cache: 'default' }, TIMEOUT_WITH_IMAGES);
  return answer.arrayBuffer();
}

/** Return the bytes at a path as a stream, for what is too big to be held at once. */
export async function getStream(path) { return (await request(path, {}, TIMEOUT_WITH_IMAGES)).body; }

/** Return the text at a path. */
export async function getText(path) { return (await request(path)).text(); }

/** Send JSON and return the JSON of the answer. The header keeps other sites' forms out. */
export async function postJson(path, body) {
  const headers = { 'Content-Type': 'application/json', 'X-Requested-With': 'NullSplat' };
  return (await request(path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
}
