/** The agent's record as it lies on the disk after a kill: a copy of the file and its write-ahead log, read by SQLite alone. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface RecordedRequest {
  readonly id: string;
  readonly proposal: string;
  readonly state: string;
  readonly vault: string | null;
  readonly network: string | null;
  readonly nonce: number | null;
  readonly signed: string | null;
}

export interface RecordedDecision {
  readonly request: string;
  readonly kind: string;
  readonly person: string;
}

/** What the judge looks at. `decisions`: `jti`s of the records, with their request. */
export interface AgentRecord {
  readonly requests: ReadonlyMap<string, RecordedRequest>;
  readonly decisions: ReadonlyMap<string, RecordedDecision>;
  /** `jti`s of the freezes that were taken, whether or not they were lifted since. */
  readonly freezes: ReadonlySet<string>;
  readonly acts: number;
}

const FILES = ["agent.db", "agent.db-wal"];

/** Copies the record in a data folder and reads the copy. Nobody may be running on it. */
export function readRecord(data: string): AgentRecord {
  const folder = mkdtempSync(join(tmpdir(), "opencustody-copy-"));
  try {
    for (const name of FILES) if (existsSync(join(data, name))) copyFileSync(join(data, name), join(folder, name));
    const db = new DatabaseSync(join(folder, "agent.db"));
    try {
      return read(db);
    } finally {
      db.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function read(db: DatabaseSync): AgentRecord {
  const rows = db.prepare("SELECT id, proposal, state, vault, network, nonce, signed FROM requests").all();
  const decisions = db.prepare("SELECT jti, request, kind, person FROM records").all();
  // The log keeps what the agent itself may forget.
  const freezes = db.prepare("SELECT entry ->> 'of' AS jti FROM log WHERE entry ->> 'kind' = 'freeze'").all();
  return {
    requests: new Map(rows.map((row) => [String(row["id"]), row as unknown as RecordedRequest])),
    decisions: new Map(
      decisions.map((row) => [
        String(row["jti"]),
        { request: String(row["request"]), kind: String(row["kind"]), person: String(row["person"]) },
      ]),
    ),
    freezes: new Set(freezes.map((row) => String(row["jti"]))),
    acts: Number(db.prepare("SELECT count(*) AS n FROM acts").get()?.["n"]),
  };
}
