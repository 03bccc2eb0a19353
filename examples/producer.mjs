// Send signals to the pipeline from Node.js 20 or newer, with the CloudEvents SDK for JavaScript.
//
//     npm install cloudevents@10
//     node producer.mjs http://127.0.0.1:8001/emit 10 my-source
//
// An event is accepted when the answer is 202. On 429, 503 or no answer the *same* events are sent again, with the same
// ids: the pipeline stores an event once, however often it arrives.

import { randomInt, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CloudEvent, HTTP } from "cloudevents";

const [url = "http://127.0.0.1:8001/emit", count = "10", source = "example-producer-js"] = process.argv.slice(2);
const apiKey = process.env.EMIT_API_KEY ?? "dev-test-key-123";
const ATTEMPTS = 5;
const TIMEOUT_MS = 30_000;

function signal() {
  return new CloudEvent({
    id: randomUUID(), // a UUID is used as the row's id; any other text counts within its source
    source,
    type: "purchase",
    subject: `user_${randomInt(1, 1001)}`, // the user
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    data: { session_id: `sess_${randomInt(10_000, 100_000)}`, data: `sample_data_${randomInt(1, 101)}` },
  });
}

// Returns the answer, or null when nobody knows what became of the request.
async function post({ headers, body }) {
  try {
    const request = { method: "POST", headers: { ...headers, "x-api-key": apiKey }, body };
    return await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    return null;
  }
}

async function send(message) {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const answer = await post(message);
    if (answer?.status === 202) return (await answer.json()).accepted;
    if (answer && answer.status !== 429 && answer.status !== 503) {
      throw new Error(`refused with ${answer.status}: ${await answer.text()}`);
    }
    await sleep(1000 * Number(answer?.headers.get("retry-after") ?? 1));
  }
  throw new Error(`not accepted in ${ATTEMPTS} attempts`);
}

try {
  let accepted = 0;
  for (let number = 0; number < Number(count); number += 1) {
    // The SDK's two modes in turn; the pipeline takes either.
    const event = signal();
    accepted += await send(number % 2 ? HTTP.structured(event) : HTTP.binary(event));
  }
  console.log(`${accepted} signals accepted`);
} catch (refusal) {
  console.error(refusal.message);
  process.exitCode = 1;
}
