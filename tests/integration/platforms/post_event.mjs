// Posts one CloudEvent with the CloudEvents SDK for JavaScript and prints the status of the answer.
//
//     node post_event.mjs URL binary|structured '{"id": …}'
import { CloudEvent, HTTP } from "cloudevents";

const [url, mode, event] = process.argv.slice(2);
const message = HTTP[mode](new CloudEvent(JSON.parse(event)));
const headers = { ...message.headers, "x-api-key": process.env.EMIT_API_KEY };
const answer = await fetch(url, { method: "POST", headers, body: message.body });
console.log(answer.status);
