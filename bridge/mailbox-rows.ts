/**
 * The tables of the bridge's store and the shapes of what is read from them. No statements, no decisions: those are
 * mailbox.ts. protocol/README.md, "Mailbox".
 */
import * as v from "valibot";

export const SCHEMA_VERSION = 2;

export const SCHEMA = `
  -- last never goes back, also when the mailbox is empty: a seq is used once, for ever.
  CREATE TABLE mailbox (
    receiver TEXT PRIMARY KEY, last INTEGER NOT NULL, acked INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE message (
    receiver TEXT NOT NULL, seq INTEGER NOT NULL, sender TEXT NOT NULL, id TEXT NOT NULL,
    size INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (receiver, seq)
  ) STRICT;
  CREATE INDEX message_quota ON message (receiver, sender, size);
  CREATE INDEX message_age ON message (at);
  -- Outlives the message: an id that comes again is acknowledged and not delivered a second time.
  CREATE TABLE remembered (
    sender TEXT, ordinal INTEGER, receiver TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (sender, ordinal)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX remembered_id ON remembered (receiver, sender, id);
  CREATE INDEX remembered_age ON remembered (at);
  -- Kept for ever: an invite that is listed again later is still spent. One row for each invite that was used.
  CREATE TABLE spent (invite TEXT PRIMARY KEY, receiver TEXT NOT NULL, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE card (agent TEXT PRIMARY KEY, n INTEGER NOT NULL, jws TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE roster (agent TEXT PRIMARY KEY, jws TEXT NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

export const MessageSchema = v.object({
  seq: v.number(),
  id: v.string(),
  sender: v.string(),
  size: v.number(),
  body: v.string(),
});
export type Message = v.InferOutput<typeof MessageSchema>;
export const MessagesSchema = v.array(MessageSchema);

export const BoxSchema = v.object({ last: v.number(), acked: v.number() });
export const SharesSchema = v.array(v.object({ sender: v.string(), messages: v.number(), bytes: v.number() }));
export const GoneSchema = v.array(v.object({ receiver: v.string(), sender: v.string(), size: v.number() }));
export type Gone = v.InferOutput<typeof GoneSchema>[number];
export const SpentSchema = v.object({ receiver: v.string(), id: v.string() });
export const CountSchema = v.object({ n: v.number() });
export const CardSchema = v.object({ n: v.number(), jws: v.string() });
export const RosterSchema = v.object({ jws: v.string() });
export const IdSchema = v.object({ id: v.string() });
