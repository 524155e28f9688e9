/** The tables of the agent's record. STRICT: a value of another type is refused by SQLite itself. */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  kind TEXT NOT NULL, n INTEGER NOT NULL, digest TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (kind, n)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vaults (
  name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, public_key TEXT NOT NULL UNIQUE, backup TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS next_nonces (
  vault TEXT NOT NULL, network TEXT NOT NULL, nonce INTEGER NOT NULL, PRIMARY KEY (vault, network)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS free_nonces (
  vault TEXT NOT NULL, network TEXT NOT NULL, nonce INTEGER NOT NULL, PRIMARY KEY (vault, network, nonce)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS invites (
  kid TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL, key TEXT NOT NULL, exp INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
  id TEXT PRIMARY KEY, proposal TEXT NOT NULL UNIQUE, state TEXT NOT NULL, vault TEXT NOT NULL, network TEXT NOT NULL, nonce INTEGER NOT NULL,
  initiator TEXT NOT NULL, expires INTEGER NOT NULL, at INTEGER NOT NULL, payload TEXT NOT NULL, digest TEXT NOT NULL, policy INTEGER NOT NULL,
  people INTEGER NOT NULL, jws TEXT, revision INTEGER NOT NULL, receipt_n INTEGER NOT NULL, receipt TEXT, signed TEXT, hash TEXT, problem TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_state ON requests (state);
CREATE UNIQUE INDEX IF NOT EXISTS requests_nonce ON requests (vault, network, nonce) WHERE state IN ('proposed', 'pending', 'approved', 'signed');
CREATE TABLE IF NOT EXISTS records (
  request TEXT NOT NULL, n INTEGER NOT NULL, kind TEXT NOT NULL, person TEXT NOT NULL, jti TEXT NOT NULL UNIQUE, at INTEGER NOT NULL,
  vendor TEXT, reason TEXT, jws TEXT NOT NULL, PRIMARY KEY (request, n)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS records_approval ON records (request, person) WHERE kind = 'approval';
CREATE TABLE IF NOT EXISTS outbox (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, receiver TEXT NOT NULL, jws TEXT NOT NULL, UNIQUE (id, receiver)) STRICT;
CREATE INDEX IF NOT EXISTS outbox_receiver ON outbox (receiver);
`;
