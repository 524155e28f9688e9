/** How the agent tells what became of a request: the one place of these suites that knows where a receipt is found. */
import type { Receipt } from "../../protocol/log-entry.ts";
import type { Member } from "../harness/member.ts";

/** Milliseconds. */
const LOOK = 25;

/** Calls `take` once with every receipt that a member has verified, oldest first, until it is stopped. */
export async function watchReceipts(
  { mail }: Pick<Member, "mail">,
  take: (receipt: Receipt) => void,
  isStopped: () => boolean,
): Promise<void> {
  for (let at = 0; !isStopped(); ) {
    for (; at < mail.receipts.length; at += 1) {
      const receipt = mail.receipts[at];
      if (receipt !== undefined) take(receipt);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}
