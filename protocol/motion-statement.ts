/** What a change says on a device: the first pieces of its statement, by verb. README.md, "Governance". Pure. */
import { foundersOf, type Motion, policyDocument, referTo } from "./governance.ts";
import { fingerprint, sha256Hex, thumbprint } from "./primitive.ts";
import type { StatementPart } from "./statement.ts";

/** 32 hex digits of a document's SHA-256: what a person compares on a second machine. */
function short(digest: string): string {
  return digest.slice(0, 32);
}

/** What a motion says on the device, as the first pieces of its statement. `policyNow`: number of the policy in force; 0 before the founding. */
export function motionParts(motion: Motion, policyNow: number): StatementPart[] {
  switch (motion.verb) {
    case "FOUND": {
      const digest = sha256Hex(new TextEncoder().encode(JSON.stringify(motion.change)));
      const founders = foundersOf(motion.change.people).map((name) => ` ${name}`);
      return [
        ["operation", "FOUND"],
        ["document digest", ` ${short(digest)}`],
        ["people", ` BY${founders.join("")}`],
      ];
    }
    case "ENROLL": {
      const { name, roles, extension, file, device } = motion.change;
      return [
        ["operation", "ENROLL"],
        ["person", ` ${name}`],
        ["device", device === null ? "" : ` DEVICE ${device.address}`],
        ["roles", roles.length === 0 ? "" : ` AS ${roles.join("+")}`],
        ["browser", extension === null ? "" : `; browser ${keyName(thumbprint(extension))}`],
        ["key file", file === null ? "" : `; key file ${keyName(thumbprint(file))}`],
        ["vendor", device === null ? "" : `; ${device.vendor} ${device.model}`],
      ];
    }
    case "REMOVE":
      return [
        ["operation", "REMOVE"],
        ["person", ` ${motion.change.name}`],
        ["what", removalText(motion)],
      ];
    case "POLICY": {
      const next = { n: policyNow + 1, ...motion.change.policy };
      const { digest } = referTo(next.n, policyDocument(next));
      return [
        ["operation", "POLICY"],
        ["number", ` ${next.n}`],
        ["document digest", ` ${short(digest)}`],
        ["replaced number", `; replaces ${policyNow}`],
      ];
    }
    case "ROTATE":
      return [
        ["operation", "ROTATE"],
        ["new identity", ` HSM TO ${short(fingerprint(thumbprint(motion.change.to)))}`],
      ];
    case "UNFREEZE":
      return [
        ["operation", "UNFREEZE"],
        ["vault", ` ${motion.change.vault ?? "ALL"}`],
      ];
    case "RESTORE": {
      const { log, seen } = motion.change;
      // Of all of it: the next nonces are not to be what one computer says alone.
      const digest = sha256Hex(new TextEncoder().encode(JSON.stringify(motion.change)));
      return [
        ["operation", "RESTORE"],
        ["document digest", ` ${short(digest)}`],
        ["log's length", ` LOG OF ${log.size}`],
        ["gap", seen === null ? "; no gap known" : `; seen up to ${seen.size}`],
      ];
    }
    case "DRILL":
      return [
        ["operation", "DRILL"],
        ["vault", ` ${motion.change.vault}`],
        ["harmlessness", "; moves nothing"],
      ];
  }
}

/** A key as people compare it: the first 16 hex digits of its fingerprint. */
export function keyName(kid: string): string {
  return fingerprint(kid).slice(0, 16);
}

function removalText({ change: { removal } }: Extract<Motion, { verb: "REMOVE" }>): string {
  switch (removal.what) {
    case "person":
      return "";
    case "role":
      return ` ROLE ${removal.role}`;
    case "browser":
      return ` BROWSER ${keyName(removal.key)}`;
    case "file":
      return ` KEY ${keyName(removal.key)}`;
    case "device":
      return ` DEVICE ${removal.address}`;
  }
}
