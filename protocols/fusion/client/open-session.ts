import type { OpenedDeployment } from "../deployment/open-deployment.ts";
import { prepareSession, type SessionRequest } from "../session/prepare-session.ts";
import type { ClientSession } from "./client.ts";

/**
 * Opens a session on parties that stand ready: the one way from a run config to steps. Close the session, or abort it where a step
 * fails. Throws Error as `prepareSession` does, or naming the node that refuses the session or does not answer.
 */
export async function openSession(
  { model, client }: Pick<OpenedDeployment, "model" | "client">,
  request: SessionRequest,
): Promise<ClientSession> {
  return client.open(await prepareSession(model, request));
}
