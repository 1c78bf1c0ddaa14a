// A sampled read of shadow-read, compared on both sides after its caller was answered.

import { rowDigest } from "../package.js";

/** @typedef {import("./client.js").LabClient} LabClient */
/** @typedef {import("../package.js").Shadow} Shadow */
/** @typedef {import("../package.js").Response} Response */

const encode = new TextEncoder();

/**
 * Carries a comparison out.
 * @param {LabClient} client
 * @param {string} key
 * @param {Shadow} shadow
 */
export function compare(client, key, shadow) {
  const { clock, world } = client;
  const step = shadow.poll();
  const again = () => compare(client, key, shadow);
  const late = () => {
    shadow.handleTimeout(clock.ms);
    again();
  };
  if (step.type === "done") {
    shadow.free();
    world.compared(key, step.compared);
  } else if (step.type === "wait") {
    clock.at(step.until, late);
  } else {
    const wait = shadow.poll();
    let open = true;
    const cancel = clock.at(wait.type === "wait" ? wait.until : clock.ms, () => {
      open = false;
      late();
    });
    client.send(key, step.attempt, null, "compare", (response) => {
      if (!open) return;
      cancel();
      shadow.handleReply(clock.ms, step.attempt.id, response.reply, digest(key, response));
      again();
    });
  }
}

/** @param {string} key @param {Response} response */
function digest(key, { reply, found }) {
  if (reply.type !== "found" && reply.type !== "deleted") return null;
  return rowDigest(encode.encode(key), reply.version, found?.value ?? null);
}
