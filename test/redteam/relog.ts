/** The log in the agent's record, written anew by who has the disk: any lines at all, under hashes that fit them. */
import type { DatabaseSync } from "node:sqlite";
import { leafHash, nodeHash } from "../../protocol/merkle.ts";

/** The lines of the log, oldest first. */
export function linesOf(db: DatabaseSync): string[] {
  return db
    .prepare("SELECT entry FROM log ORDER BY n")
    .all()
    .map((row) => String(row["entry"]));
}

/** Puts these lines in the place of the log, and the hashes of all whole subtrees of theirs. */
export function relog(db: DatabaseSync, lines: readonly string[]): void {
  db.exec("BEGIN; DELETE FROM log; DELETE FROM log_nodes");
  const line = db.prepare("INSERT INTO log (n, entry) VALUES (?, ?)");
  const node = db.prepare("INSERT INTO log_nodes (level, at, hash) VALUES (?, ?, ?)");
  for (const [n, text] of lines.entries()) line.run(n, text);
  let hashes = lines.map((text) => leafHash(new TextEncoder().encode(text)));
  for (let level = 0; hashes.length > 0; level += 1) {
    for (const [at, hash] of hashes.entries()) node.run(level, at, hash);
    hashes = Array.from({ length: Math.floor(hashes.length / 2) }, (_, at) =>
      nodeHash(hashes[2 * at] ?? "", hashes[2 * at + 1] ?? ""),
    );
  }
  db.exec("COMMIT");
}
